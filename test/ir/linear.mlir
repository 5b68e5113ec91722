// RUN: kiln-opt %s --split-input-file --verify-roundtrip | FileCheck %s
// RUN: kiln-opt %s --split-input-file --kiln-interpret -o /dev/null | FileCheck %s --check-prefix=VALUE

// CHECK: kiln.linear %{{.*}}, weights(%{{.*}}, %{{.*}}) biases(%{{.*}}, %{{.*}}) : (tensor<?x2xf32, #kiln.dims<n, 2>>, tensor<1x2xf32>, tensor<2x2xf32>, tensor<1xf32>, tensor<2xf32>) -> (tensor<?x1xf32, #kiln.dims<n, 1>>, tensor<?x2xf32, #kiln.dims<n, 2>>)
// CHECK: kiln.linear %{{.*}}, weights(%{{.*}}) {transposed = false} : (tensor<2xbf16>, tensor<2x3xbf16>) -> tensor<3xbf16>
// VALUE: result 0: [2, 1] f32 = {{\[\[}}103], [107]]
// VALUE: result 1: [2, 2] f32 = {{\[\[}}2, 21], [4, 43]]
// VALUE: result 2: [3] bf16 = [6, 9, 12]
// VALUE: result 3: [1, 1] i32 = {{\[\[}}5]]
func.func @main(%x: tensor<?x2xf32, #kiln.dims<n, 2>> {kiln.input = dense<[[1.0, 2.0], [3.0, 4.0]]> : tensor<2x2xf32>})
    -> (tensor<?x1xf32, #kiln.dims<n, 1>>, tensor<?x2xf32, #kiln.dims<n, 2>>, tensor<3xbf16>, tensor<1x1xi32>) {
  %w = kiln.constant dense<1.0> : tensor<1x2xf32>
  %v = kiln.constant dense<[[0.0, 1.0], [1.0, 10.0]]> : tensor<2x2xf32>
  %b = kiln.constant dense<100.0> : tensor<1xf32>
  %c = kiln.constant dense<0.0> : tensor<2xf32>
  %0:2 = kiln.linear %x, weights(%w, %v) biases(%b, %c)
      : (tensor<?x2xf32, #kiln.dims<n, 2>>, tensor<1x2xf32>, tensor<2x2xf32>, tensor<1xf32>, tensor<2xf32>)
      -> (tensor<?x1xf32, #kiln.dims<n, 1>>, tensor<?x2xf32, #kiln.dims<n, 2>>)
  %y = kiln.constant dense<[2.0, 1.0]> : tensor<2xbf16>
  %u = kiln.constant dense<[[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]]> : tensor<2x3xbf16>
  %2 = kiln.linear %y, weights(%u) {transposed = false} : (tensor<2xbf16>, tensor<2x3xbf16>) -> tensor<3xbf16>
  %i = kiln.constant dense<2> : tensor<1x1xi32>
  %j = kiln.constant dense<1> : tensor<1xi32>
  %3 = kiln.linear %i, weights(%i) biases(%j) : (tensor<1x1xi32>, tensor<1x1xi32>, tensor<1xi32>) -> tensor<1x1xi32>
  return %0#0, %0#1, %2, %3
      : tensor<?x1xf32, #kiln.dims<n, 1>>, tensor<?x2xf32, #kiln.dims<n, 2>>, tensor<3xbf16>, tensor<1x1xi32>
}
