// RUN: kiln-opt %s --split-input-file --verify-diagnostics

func.func @isolated(%x: tensor<2xf32>) {
  // expected-note@+1 {{required by region isolation constraints}}
  %0 = kiln.fusion () -> tensor<2xf32> {
    // expected-error@+1 {{using value defined outside the region}}
    %1 = kiln.neg %x : tensor<2xf32>
    kiln.yield %1 : tensor<2xf32>
  }
  return
}

// -----

func.func @results(%x: tensor<2xf32>) {
  // expected-error@+1 {{'kiln.fusion' op yields other types than those of its results}}
  %0 = kiln.fusion (%a = %x : tensor<2xf32>) -> tensor<3xf32> {
    kiln.yield %a : tensor<2xf32>
  }
  return
}

// -----

func.func @arguments(%x: tensor<2xf32>) {
  // expected-error@+1 {{'kiln.fusion' op has inputs of other types than its region's arguments}}
  %0 = "kiln.fusion"(%x) ({
  ^bb0(%a: tensor<3xf32>):
    kiln.yield %a : tensor<3xf32>
  }) : (tensor<2xf32>) -> tensor<3xf32>
  return
}

// -----

func.func @noYield(%x: tensor<2xf32>) {
  // expected-error@+1 {{'kiln.fusion' op expects a region that ends with kiln.yield}}
  %0 = "kiln.fusion"(%x) ({
  ^bb0(%a: tensor<2xf32>):
    "cf.br"() [^bb0] : () -> ()
  }) : (tensor<2xf32>) -> tensor<2xf32>
  return
}

// -----

func.func @otherDialect(%x: tensor<2xf32>) {
  %0 = kiln.fusion (%a = %x : tensor<2xf32>) -> tensor<2xf32> {
    // expected-error@+1 {{'math.absf' op may not stand in a kiln.fusion}}
    %1 = math.absf %a : tensor<2xf32>
    kiln.yield %1 : tensor<2xf32>
  }
  return
}

// -----

func.func @nested(%x: tensor<2xf32>) {
  %0 = kiln.fusion (%a = %x : tensor<2xf32>) -> tensor<2xf32> {
    // expected-error@+1 {{'kiln.fusion' op may not stand in a kiln.fusion}}
    %1 = kiln.fusion (%b = %a : tensor<2xf32>) -> tensor<2xf32> {
      kiln.yield %b : tensor<2xf32>
    }
    kiln.yield %1 : tensor<2xf32>
  }
  return
}

// -----

func.func @yieldElsewhere(%x: tensor<2xf32>) {
  // expected-error@+1 {{'kiln.yield' op expects parent op 'kiln.fusion'}}
  kiln.yield %x : tensor<2xf32>
}
