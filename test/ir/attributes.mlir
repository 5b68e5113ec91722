// RUN: kiln-opt %s --verify-roundtrip | FileCheck %s

// CHECK: module attributes {kiln.constraints = [{between = array<i64: 1, 64>, dim = #kiln.dims<n>}, {dim = #kiln.dims<n>, multiple_of = 8 : i64}]}
module attributes {kiln.constraints = [{dim = #kiln.dims<n>, between = array<i64: 1, 64>},
                                       {dim = #kiln.dims<n>, multiple_of = 8 : i64}]} {
  // CHECK: {kiln.device = "gpu:1", kiln.name = "argument 0", kiln.role = "argument"}
  func.func @main(%x: tensor<?xf32, #kiln.dims<n>>
                      {kiln.role = "argument", kiln.name = "argument 0", kiln.device = "gpu:1"}) {
    return
  }
}
