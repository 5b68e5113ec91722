// What the interpreter refuses to run.
// RUN: kiln-opt %s --split-input-file --kiln-interpret --verify-diagnostics

// expected-error@+1 {{has no function @main}}
module {}

// -----

// expected-error@+1 {{argument 1: symbolic dimension "n": expected 2 (from argument 0, dim 0), got 3}}
func.func @main(%x: tensor<?xf32, #kiln.dims<n>> {kiln.input = dense<0.0> : tensor<2xf32>},
                %y: tensor<?xf32, #kiln.dims<n>> {kiln.input = dense<0.0> : tensor<3xf32>}) {
  return
}

// -----

// expected-error@+1 {{has an argument that is no tensor of kiln}}
func.func @main(%x: index) {
  return
}

// -----

// expected-error@+1 {{the interpreter does not know cf.br}}
func.func @main() {
  cf.br ^bb1
^bb1:
  return
}

// -----

// expected-error@+1 {{[broadcast_to] result is too large to interpret: [1099511627776] i8}}
func.func @main() -> tensor<1099511627776xi8> {
  %0 = kiln.constant dense<1> : tensor<i8>
  %1 = kiln.broadcast_to %0 to <1099511627776> : tensor<i8> -> tensor<1099511627776xi8>
  return %1 : tensor<1099511627776xi8>
}
