// RUN: kiln-opt %s --split-input-file --verify-roundtrip | FileCheck %s
// RUN: kiln-opt %s --split-input-file --kiln-interpret -o /dev/null | FileCheck %s --check-prefix=VALUE

// Of a block, every 33rd element: one of each sub-block. Computed by hand from the layout.
// CHECK: kiln.dequantize %{{.*}} as "Q4_0" : tensor<18xui8> -> tensor<32xf32>
// CHECK: kiln.dequantize %{{.*}} as "Q8_0" : tensor<34xui8> -> tensor<32xf32>
// CHECK: kiln.dequantize %{{.*}} as "Q4_K" : tensor<144xui8> -> tensor<256xf32>
// CHECK: kiln.dequantize %{{.*}} as "Q5_K" : tensor<176xui8> -> tensor<256xf32>
// CHECK: kiln.dequantize %{{.*}} as "Q6_K" : tensor<210xui8> -> tensor<256xf32>
// VALUE: result 0: [7] f32 = [1.5, -2, 2.5, -1, 0.5, -1.5, -3.5]
// VALUE: result 1: [7] f32 = [-2.75, 15, -31.25, -13.5, 4.25, 22, -24.25]
// VALUE: result 2: [8] f32 = [38.25, -6.5, 139.75, 20, 357.25, -15, 13.5, 191.25]
// VALUE: result 3: [8] f32 = [110.25, -6.5, 139.75, 436, 749.25, -15, 13.5, 415.25]
// VALUE: result 4: [8] f32 = [-742.5, -472, 1120.5, -232.5, -1720.5, 6, -819, 25]
func.func @main(%x0: tensor<18xui8> {kiln.input = dense<"0x00380B30557A9FC4E90E33587DA2C7EC1136"> : tensor<18xui8>},
                %x1: tensor<34xui8> {kiln.input = dense<"0x00B40B30557A9FC4E90E33587DA2C7EC11365B80A5CAEF14395E83A8CDF2173C6186"> : tensor<34xui8>},
                %x2: tensor<144xui8> {kiln.input = dense<"0x00380034C9023B74ADE61F5891CA033C0B30557A9FC4E90E33587DA2C7EC11365B80A5CAEF14395E83A8CDF2173C6186ABD0F51A3F6489AED3F81D42678CB1D6FB20456A8FB4D9FE23486D92B7DC01264B7095BADF04294E7398BDE2072C51769BC0E50A2F54799EC3E80D32577CA1C6EB10355A7FA4C9EE13385D82A7CCF1163B6085AACFF4193E6388ADD2F71C4166"> : tensor<144xui8>},
                %x3: tensor<176xui8> {kiln.input = dense<"0x00380034C9023B74ADE61F5891CA033C0724415E7B98B5D2EF0C294663809DBAD7F4112E4B6885A2BFDCF91633506D8A0B30557A9FC4E90E33587DA2C7EC11365B80A5CAEF14395E83A8CDF2173C6186ABD0F51A3F6489AED3F81D42678CB1D6FB20456A8FB4D9FE23486D92B7DC01264B7095BADF04294E7398BDE2072C51769BC0E50A2F54799EC3E80D32577CA1C6EB10355A7FA4C9EE13385D82A7CCF1163B6085AACFF4193E6388ADD2F71C4166"> : tensor<176xui8>},
                %x4: tensor<210xui8> {kiln.input = dense<"0x0B30557A9FC4E90E33587DA2C7EC11365B80A5CAEF14395E83A8CDF2173C6186ABD0F51A3F6489AED3F81D42678CB1D6FB20456A8FB4D9FE23486D92B7DC01264B7095BADF04294E7398BDE2072C51769BC0E50A2F54799EC3E80D32577CA1C6EB10355A7FA4C9EE13385D82A7CCF1163B6085AACFF4193E6388ADD2F71C41660724415E7B98B5D2EF0C294663809DBAD7F4112E4B6885A2BFDCF91633506D8AA7C4E1FE1B3855728FACC9E603203D5A7794B1CEEB0825425F7C99B6D3F00D2AC9023B74ADE61F5891CA033C75AEE7200038"> : tensor<210xui8>})
    -> (tensor<7xf32>, tensor<7xf32>, tensor<8xf32>, tensor<8xf32>, tensor<8xf32>) {
  %0 = kiln.dequantize %x0 as "Q4_0" : tensor<18xui8> -> tensor<32xf32>
  %1 = kiln.slice %0 from <0> to <32> step [5] : tensor<32xf32> -> tensor<7xf32>
  %2 = kiln.dequantize %x1 as "Q8_0" : tensor<34xui8> -> tensor<32xf32>
  %3 = kiln.slice %2 from <0> to <32> step [5] : tensor<32xf32> -> tensor<7xf32>
  %4 = kiln.dequantize %x2 as "Q4_K" : tensor<144xui8> -> tensor<256xf32>
  %5 = kiln.slice %4 from <0> to <256> step [33] : tensor<256xf32> -> tensor<8xf32>
  %6 = kiln.dequantize %x3 as "Q5_K" : tensor<176xui8> -> tensor<256xf32>
  %7 = kiln.slice %6 from <0> to <256> step [33] : tensor<256xf32> -> tensor<8xf32>
  %8 = kiln.dequantize %x4 as "Q6_K" : tensor<210xui8> -> tensor<256xf32>
  %9 = kiln.slice %8 from <0> to <256> step [33] : tensor<256xf32> -> tensor<8xf32>
  return %1, %3, %5, %7, %9 : tensor<7xf32>, tensor<7xf32>, tensor<8xf32>, tensor<8xf32>, tensor<8xf32>
}

// -----

// Rows of several blocks; names stay what they are; a last dim that is none is counted in blocks.
// CHECK: kiln.dequantize %{{.*}} as "Q8_0" : tensor<?x68xui8, #kiln.dims<n, 68>> -> tensor<?x64xf32, #kiln.dims<n, 64>>
// CHECK: kiln.dequantize %{{.*}} as "Q8_0" : tensor<?xui8, #kiln.dims<m>> -> tensor<?xf32, #kiln.dims<(m / 34) * 32>>
// VALUE: result 0: [0, 64] f32 = []
// VALUE: result 1: [32] f32
func.func @main(%x: tensor<?x68xui8, #kiln.dims<n, 68>> {kiln.input = dense<> : tensor<0x68xui8>},
                %y: tensor<?xui8, #kiln.dims<m>> {kiln.input = dense<1> : tensor<34xui8>})
    -> (tensor<?x64xf32, #kiln.dims<n, 64>>, tensor<?xf32, #kiln.dims<(m / 34) * 32>>) {
  %0 = kiln.dequantize %x as "Q8_0"
      : tensor<?x68xui8, #kiln.dims<n, 68>> -> tensor<?x64xf32, #kiln.dims<n, 64>>
  %1 = kiln.dequantize %y as "Q8_0"
      : tensor<?xui8, #kiln.dims<m>> -> tensor<?xf32, #kiln.dims<(m / 34) * 32>>
  return %0, %1 : tensor<?x64xf32, #kiln.dims<n, 64>>, tensor<?xf32, #kiln.dims<(m / 34) * 32>>
}
