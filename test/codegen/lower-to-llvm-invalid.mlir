// RUN: kiln-opt %s --kiln-lower-to-llvm --split-input-file --verify-diagnostics

func.func @values(%x: f32) -> i32 {
  // expected-error @+1 {{is between types that do not lower to the same}}
  %y = builtin.unrealized_conversion_cast %x : f32 to i32
  return %y : i32
}

// -----

func.func @math(%x: f32) -> f32 {
  // expected-error @+1 {{failed to legalize operation 'math.exp'}}
  %y = math.exp %x : f32
  return %y : f32
}
