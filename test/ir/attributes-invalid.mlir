// RUN: kiln-opt %s --split-input-file --verify-diagnostics

// expected-error@+1 {{kiln.role of argument 0 is neither "argument" nor "weight"}}
func.func @role(%x: tensor<2xf32> {kiln.role = "output"}) {
  return
}

// -----

// expected-error@+1 {{kiln.constraints: {between = array<i64: 1, 2>} names no dim}}
module attributes {kiln.constraints = [{between = array<i64: 1, 2>}]} {}

// -----

// expected-error@+1 {{is neither 'between' two bounds nor 'multiple_of' a factor}}
module attributes {kiln.constraints = [{dim = #kiln.dims<n>, between = array<i64: 1>}]} {}

// -----

// expected-error@+1 {{is neither 'between' two bounds nor 'multiple_of' a factor}}
module attributes {kiln.constraints = [{dim = #kiln.dims<n>}]} {}

// -----

// expected-error@+1 {{kiln.constraints is a list, on a module}}
func.func private @constraints() attributes {kiln.constraints = []}

// -----

// expected-error@+1 {{kiln.kernel may stand on functions only}}
module attributes {kiln.kernel} {}
