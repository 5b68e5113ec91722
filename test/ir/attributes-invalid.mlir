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

// -----

// expected-error@+1 {{kiln.ranks is a positive number, on a module}}
module attributes {kiln.ranks = 0 : i64} {}

// -----

// expected-error@+1 {{kiln.shard of argument 0 is no 64-bit integer, on a tensor}}
func.func @shard(%x: tensor<2xf32> {kiln.role = "weight", kiln.shard = 0 : i32}) {
  return
}

// -----

// expected-error@+1 {{kiln.shard of argument 0 is no axis of it}}
func.func @shard(%x: tensor<2xf32> {kiln.role = "weight", kiln.shard = 1 : i64}) {
  return
}

// -----

// expected-error@+1 {{kiln.shard of argument 0: only weights are split}}
func.func @shard(%x: tensor<2xf32> {kiln.role = "argument", kiln.shard = 0 : i64}) {
  return
}

// -----

// expected-error@+1 {{kiln.whole of argument 0 is there without kiln.shard}}
func.func @whole(%x: tensor<2xf32> {kiln.role = "weight", kiln.whole = 3 : i64}) {
  return
}
