// RUN: kiln-opt %s --split-input-file --verify-roundtrip | FileCheck %s
// RUN: kiln-opt %s --split-input-file --kiln-interpret -o /dev/null | FileCheck %s --check-prefix=VALUE

// CHECK: kiln.attention %{{.*}}, %{{.*}}, %{{.*}} scale 1.000000e+00 : (tensor<1x2x1xf32>, tensor<1x2x1xf32>, tensor<1x2x1xf32>) -> tensor<1x2x1xf32>
// CHECK: kiln.attention %{{.*}}, %{{.*}}, %{{.*}} mask %{{.*}} scale 5.000000e-01 layout "bshd"
// Equal scores: the mean of v. With the log of 3 as score, weights 1/4 and 3/4.
// VALUE: result 0: [1, 2, 1] f32 = {{\[\[\[}}2], [3]]]
// Booleans: true attends; a query that attends to nothing gives 0.
// VALUE: result 1: [1, 2, 1] f32 = {{\[\[\[}}4], [0]]]
// Floats are added: minus infinity takes a key out.
// VALUE: result 2: [1, 2, 1] f32 = {{\[\[\[}}0], [3]]]
// Heads 0 and 1 of q share head 0 of k and v, heads 2 and 3 head 1.
// VALUE: result 3: [4, 1, 2] f32 = {{\[\[\[}}1, 2]], {{\[\[}}1, 2]], {{\[\[}}3, 4]], {{\[\[}}3, 4]]]
// The same with heads behind the sequence: q and the result are [S, H, D].
// VALUE: result 4: [1, 4, 2] f32 = {{\[\[\[}}1, 2], [1, 2], [3, 4], [3, 4]]]
// No keys at all.
// VALUE: result 5: [1, 2, 1] f32 = {{\[\[\[}}0], [0]]]
func.func @main() -> (tensor<1x2x1xf32>, tensor<1x2x1xf32>, tensor<1x2x1xf32>, tensor<4x1x2xf32>, tensor<1x4x2xf32>, tensor<1x2x1xf32>) {
  %q = kiln.constant dense<[[[0.0], [1.0986122886681098]]]> : tensor<1x2x1xf32>
  %k = kiln.constant dense<[[[0.0], [1.0]]]> : tensor<1x2x1xf32>
  %v = kiln.constant dense<[[[0.0], [4.0]]]> : tensor<1x2x1xf32>
  %0 = kiln.attention %q, %k, %v scale 1.0
      : (tensor<1x2x1xf32>, tensor<1x2x1xf32>, tensor<1x2x1xf32>) -> tensor<1x2x1xf32>
  %m = kiln.constant dense<[[false, true], [false, false]]> : tensor<2x2xi1>
  %1 = kiln.attention %q, %k, %v mask %m scale 1.0
      : (tensor<1x2x1xf32>, tensor<1x2x1xf32>, tensor<1x2x1xf32>, tensor<2x2xi1>) -> tensor<1x2x1xf32>
  %a = kiln.constant dense<[[0.0, 0xFF800000], [0.0, 0.0]]> : tensor<2x2xf32>
  %2 = kiln.attention %q, %k, %v mask %a scale 1.0
      : (tensor<1x2x1xf32>, tensor<1x2x1xf32>, tensor<1x2x1xf32>, tensor<2x2xf32>) -> tensor<1x2x1xf32>

  %q4 = kiln.constant dense<1.0> : tensor<4x1x1xf32>
  %k2 = kiln.constant dense<1.0> : tensor<2x1x1xf32>
  %v2 = kiln.constant dense<[[[1.0, 2.0]], [[3.0, 4.0]]]> : tensor<2x1x2xf32>
  %3 = kiln.attention %q4, %k2, %v2 scale 1.0
      : (tensor<4x1x1xf32>, tensor<2x1x1xf32>, tensor<2x1x2xf32>) -> tensor<4x1x2xf32>
  %qs = kiln.constant dense<1.0> : tensor<1x4x1xf32>
  %ks = kiln.constant dense<1.0> : tensor<1x2x1xf32>
  %vs = kiln.constant dense<[[[1.0, 2.0], [3.0, 4.0]]]> : tensor<1x2x2xf32>
  %t = kiln.constant dense<true> : tensor<1x1xi1>
  %4 = kiln.attention %qs, %ks, %vs mask %t scale 0.5 layout "bshd"
      : (tensor<1x4x1xf32>, tensor<1x2x1xf32>, tensor<1x2x2xf32>, tensor<1x1xi1>) -> tensor<1x4x2xf32>

  %none = kiln.constant dense<> : tensor<1x0x1xf32>
  %5 = kiln.attention %q, %none, %none scale 1.0
      : (tensor<1x2x1xf32>, tensor<1x0x1xf32>, tensor<1x0x1xf32>) -> tensor<1x2x1xf32>
  return %0, %1, %2, %3, %4, %5
      : tensor<1x2x1xf32>, tensor<1x2x1xf32>, tensor<1x2x1xf32>, tensor<4x1x2xf32>, tensor<1x4x2xf32>, tensor<1x2x1xf32>
}
