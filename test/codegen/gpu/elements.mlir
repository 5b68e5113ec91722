// What is made element by element, and products without weights.
// RUN: kiln-opt %s --kiln-gpu-pipeline=chip=sm_80 --kiln-to-ptx -o /dev/null | FileCheck %s

// CHECK-LABEL: .visible .entry matmul(
// CHECK: mma.sync.aligned.m16n8k8.row.col.f32.tf32.tf32.f32
// CHECK: ret;
// Integers are multiplied one by one.
// CHECK-LABEL: .visible .entry matmul_1(
// CHECK-NOT: mma.sync
// CHECK: mad.lo.s64
// CHECK: ret;
// Floats are summed in float64.
// CHECK-LABEL: .visible .entry cumsum(
// CHECK: add.rn.f64
// CHECK: ret;
// CHECK-LABEL: .visible .entry argsort(
// CHECK: setp.nan.f32
// CHECK: ret;
// Indices are checked, updates combined without atomic operations: in order.
// CHECK-LABEL: .visible .entry scatter(
// CHECK: atom.acquire.sys.global.cas.b32
// CHECK-NOT: red.
// CHECK: ret;
// CHECK-LABEL: .visible .entry scatter_elements(
// CHECK: add.rn.f32
// CHECK: ret;
!x = tensor<?x5x?xf32, #kiln.dims<b, 5, k>>
!y = tensor<?x?x7xf32, #kiln.dims<b, k, 7>>
!z = tensor<?x5x7xf32, #kiln.dims<b, 5, 7>>
!i = tensor<?xi64, #kiln.dims<n>>
!m = tensor<?x3xf32, #kiln.dims<n, 3>>
!t = tensor<?x2xi64, #kiln.dims<n, 2>>
!j2 = tensor<?x2xf32, #kiln.dims<n, 2>>
func.func @main(%x: !x, %y: !y, %p: tensor<4x6xi64>, %q: tensor<6x3xi64>, %m: !m, %r: tensor<9x3xf32>, %i: !i,
                %j: !t, %u: !j2) -> (!z, tensor<4x3xi64>, !m, !t, tensor<9x3xf32>, !m) {
  %0 = kiln.matmul %x, %y : (!x, !y) -> !z
  %1 = kiln.matmul %p, %q : (tensor<4x6xi64>, tensor<6x3xi64>) -> tensor<4x3xi64>
  %2 = kiln.cumsum %m axis 0 reverse true : !m
  %3 = kiln.argsort %m axis 1 count <2> descending true : !m -> !t
  %4 = kiln.scatter %r[%i] "max" %m : (tensor<9x3xf32>, !i, !m) -> tensor<9x3xf32>
  %5 = kiln.scatter_elements %m[%j] axis 1 "add" %u : (!m, !t, !j2) -> !m
  return %0, %1, %2, %3, %4, %5 : !z, tensor<4x3xi64>, !m, !t, tensor<9x3xf32>, !m
}
