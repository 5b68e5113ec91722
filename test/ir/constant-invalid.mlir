// RUN: kiln-opt %s --split-input-file --verify-diagnostics

// C1 and C2 cannot be written as text: dense<> has a static shape and all of its elements.

func.func @main() -> tensor<2xindex> {
  // expected-error@+1 {{"value" is missing, or of a type that kiln has not}}
  %0 = kiln.constant dense<0> : tensor<2xindex>
  return %0 : tensor<2xindex>
}
