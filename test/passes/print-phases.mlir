// --kiln-print-phases prints the IR after each named phase of a pipeline.
// RUN: kiln-opt %s --kiln-cpu-pipeline --kiln-print-phases -o /dev/null 2>&1 | FileCheck %s
// RUN: kiln-opt %s --kiln-cpu-pipeline -o /dev/null 2>&1 | count 0

// CHECK: // phase canonicalize
// CHECK: kiln.neg
// CHECK: // phase fuse
// CHECK: // phase outline
// CHECK: kiln.launch
// CHECK: // phase lower
// CHECK-NOT: kiln.launch
func.func @main(%x: tensor<?xf32, #kiln.dims<n>> {kiln.role = "argument", kiln.name = "argument 0"})
    -> tensor<?xf32, #kiln.dims<n>> {
  %0 = kiln.neg %x : tensor<?xf32, #kiln.dims<n>>
  return %0 : tensor<?xf32, #kiln.dims<n>>
}
