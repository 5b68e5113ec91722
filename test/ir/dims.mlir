// Dims are kept in canonical form: types are equal where their sizes are.
// RUN: kiln-opt %s --verify-roundtrip | FileCheck %s

// CHECK: func.func private @names(tensor<?x2xf32, #kiln.dims<batch, 2>>, tensor<?xi1, #kiln.dims<batch * 4 + 1>>)
func.func private @names(tensor<?x2xf32, #kiln.dims<batch, 2>>, tensor<?xi1, #kiln.dims<1 + 4*batch>>)
// CHECK: func.func private @floorDivision(tensor<?x?xui8, #kiln.dims<(x + y - 4) / 5, x>>)
func.func private @floorDivision(tensor<?x?xui8, #kiln.dims<(x + y - 4) / 5, (x + 1) - 1>>)
// CHECK: func.func private @static() attributes {dims = #kiln.dims<2, 3>, scalar = #kiln.dims<>}
func.func private @static() attributes {dims = #kiln.dims<2, 3>, scalar = #kiln.dims<>}
// CHECK: func.func private @keywords(tensor<?x?x?xf32, #kiln.dims<true, f32, loc>>)
func.func private @keywords(tensor<?x?x?xf32, #kiln.dims<true, f32, loc>>)

// CHECK: func.func @equal(%arg0: tensor<?xf32, #kiln.dims<x * 4 + 4>>) -> tensor<?xf32, #kiln.dims<x * 4 + 4>>
func.func @equal(%x: tensor<?xf32, #kiln.dims<4 * x + 4>>) -> tensor<?xf32, #kiln.dims<(x + 1) * 4>> {
  return %x : tensor<?xf32, #kiln.dims<(x + 1) * 4>>
}
