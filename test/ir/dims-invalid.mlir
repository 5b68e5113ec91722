// RUN: kiln-opt %s --split-input-file --verify-diagnostics

// expected-error@+1 {{encoding #kiln.dims<n, 2> has 2 dims for a tensor of rank 1}}
func.func private @rank(tensor<?xf32, #kiln.dims<n, 2>>)

// -----

// expected-error@+1 {{encoding #kiln.dims<n, 2> differs from the shape in axis 1}}
func.func private @size(tensor<?x3xf32, #kiln.dims<n, 2>>)

// -----

// expected-error@+1 {{encoding #kiln.dims<n, 2> differs from the shape in axis 0}}
func.func private @static(tensor<3x2xf32, #kiln.dims<n, 2>>)

// -----

// expected-error@+1 {{encoding #kiln.dims<2> has no symbolic dim; static tensors have none}}
func.func private @noSymbol(tensor<2xf32, #kiln.dims<2>>)

// -----

func.func @unknown(%x: tensor<?xf32>) {
  // expected-error@+1 {{'kiln.neg' op operand #0 must be a tensor of a kiln dtype with known dims, but got 'tensor<?xf32>'}}
  %0 = kiln.neg %x : tensor<?xf32>
  return
}

// -----

// expected-error@+1 {{division by zero}}
func.func private @zero(tensor<?xf32, #kiln.dims<n / 0>>)

// -----

// expected-error@+1 {{expected '>'}}
func.func private @unclosed(tensor<?xf32, #kiln.dims<n "2">>)

// -----

// expected-error@+1 {{Dim}}
func.func private @empty(tensor<?x2xf32, #kiln.dims<n, >>)
