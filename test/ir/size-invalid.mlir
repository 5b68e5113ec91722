// RUN: kiln-opt %s --split-input-file --verify-diagnostics

func.func @C1() {
  // expected-error@+1 {{'kiln.size' op (C1) expected one dim, got [n, 2]}}
  %0 = kiln.size <n, 2> : tensor<i64>
  return
}
