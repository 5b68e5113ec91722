#ifndef KILN_OPS_TD
#define KILN_OPS_TD

include "ir/KilnDialect.td"
include "mlir/IR/BuiltinAttributes.td"
include "mlir/IR/SymbolInterfaces.td"
include "mlir/Interfaces/InferTypeOpInterface.td"
include "mlir/Interfaces/SideEffectInterfaces.td"

// What each operation means, its constraints and its errors: docs/spec.md. Result types and
// constraints are checked by ir/ShapeRules through the trait Typed.

/// A ranked tensor of a kiln dtype whose dims are all known: numbers, or dims in the encoding.
def Kiln_Tensor : Type<CPred<"::kiln::ir::isKilnTensor($_self)">,
                       "a tensor of a kiln dtype with known dims", "::mlir::RankedTensorType">;

/// int64 for integers, else double: how iota begins and steps.
def Kiln_NumberAttr : AnyAttrOf<[I64Attr, F64Attr], "a 64-bit integer or float">;

class Kiln_Op<string mnemonic, list<Trait> traits = []> : Op<Kiln_Dialect, mnemonic, traits>;

/// An operation with one result whose type follows from its operands and attributes.
class Kiln_TypedOp<string mnemonic, list<Trait> traits = []>
    : Kiln_Op<mnemonic, [Kiln_Typed, Pure, InferTypeOpInterface] # traits> {
  let results = (outs Kiln_Tensor:$result);
  code moreDeclarations = "";
  // Typed has compared the types already, with a better message.
  let extraClassDeclaration = [{
    static ::llvm::LogicalResult
    refineReturnTypes(::mlir::MLIRContext *, ::std::optional<::mlir::Location>, ::mlir::ValueRange,
                      ::mlir::DictionaryAttr, ::mlir::OpaqueProperties, ::mlir::RegionRange,
                      ::llvm::SmallVectorImpl<::mlir::Type> &) {
      return ::mlir::success();
    }
  }] # moreDeclarations;
}

//===----------------------------------------------------------------------===//
// Elementwise: the operations of ir/Elementwise.def
//===----------------------------------------------------------------------===//

class Kiln_Unary<string mnemonic> : Kiln_TypedOp<mnemonic, [Kiln_Elementwise, Kiln_FoldsConstants]> {
  let summary = mnemonic # " of each element";
  let arguments = (ins Kiln_Tensor:$x);
  let assemblyFormat = "$x attr-dict `:` custom<ElementTypes>(type($x), type($result))";
}

class Kiln_Binary<string mnemonic, list<Trait> traits = [], bit folds = 0>
    : Kiln_TypedOp<mnemonic, [Kiln_Elementwise, Kiln_FoldsConstants] # traits> {
  let hasFolder = folds;
  let summary = mnemonic # " of two tensors, element by element, broadcast against each other";
  let arguments = (ins Kiln_Tensor:$x, Kiln_Tensor:$y);
  let assemblyFormat =
      "$x `,` $y attr-dict `:` custom<ElementTypes>(type($x), type($y), type($result))";
}

def Kiln_NegOp : Kiln_Unary<"neg">;
def Kiln_AbsOp : Kiln_Unary<"abs">;
def Kiln_ExpOp : Kiln_Unary<"exp">;
def Kiln_LogOp : Kiln_Unary<"log">;
def Kiln_Log1pOp : Kiln_Unary<"log1p">;
def Kiln_SqrtOp : Kiln_Unary<"sqrt">;
def Kiln_RsqrtOp : Kiln_Unary<"rsqrt">;
def Kiln_SinOp : Kiln_Unary<"sin">;
def Kiln_CosOp : Kiln_Unary<"cos">;
def Kiln_TanhOp : Kiln_Unary<"tanh">;
def Kiln_ErfOp : Kiln_Unary<"erf">;
def Kiln_FloorOp : Kiln_Unary<"floor">;
def Kiln_CeilOp : Kiln_Unary<"ceil">;
def Kiln_RoundOp : Kiln_Unary<"round">;
def Kiln_TruncOp : Kiln_Unary<"trunc">;
def Kiln_ReluOp : Kiln_Unary<"relu">;
def Kiln_GeluOp : Kiln_Unary<"gelu">;
def Kiln_GeluTanhOp : Kiln_Unary<"gelu_tanh">;
def Kiln_GeluQuickOp : Kiln_Unary<"gelu_quick">;
def Kiln_SiluOp : Kiln_Unary<"silu">;
def Kiln_SigmoidOp : Kiln_Unary<"sigmoid">;
def Kiln_IsNanOp : Kiln_Unary<"is_nan">;
def Kiln_IsInfOp : Kiln_Unary<"is_inf">;
def Kiln_NotOp : Kiln_Unary<"not">;

def Kiln_AddOp : Kiln_Binary<"add", [Commutative], /*folds=*/1>;
def Kiln_SubOp : Kiln_Binary<"sub", [], /*folds=*/1>;
def Kiln_MulOp : Kiln_Binary<"mul", [Commutative], /*folds=*/1>;
def Kiln_DivOp : Kiln_Binary<"div", [], /*folds=*/1>;
def Kiln_FloorDivOp : Kiln_Binary<"floor_div">;
def Kiln_ModOp : Kiln_Binary<"mod">;
def Kiln_PowOp : Kiln_Binary<"pow">;
def Kiln_MaximumOp : Kiln_Binary<"maximum">; // not commutative: of 0.0 and -0.0 the second counts
def Kiln_MinimumOp : Kiln_Binary<"minimum">;
def Kiln_EqOp : Kiln_Binary<"eq", [Commutative]>;
def Kiln_NeOp : Kiln_Binary<"ne", [Commutative]>;
def Kiln_LtOp : Kiln_Binary<"lt">;
def Kiln_LeOp : Kiln_Binary<"le">;
def Kiln_GtOp : Kiln_Binary<"gt">;
def Kiln_GeOp : Kiln_Binary<"ge">;
def Kiln_AndOp : Kiln_Binary<"and", [Commutative]>;
def Kiln_OrOp : Kiln_Binary<"or", [Commutative]>;
def Kiln_XorOp : Kiln_Binary<"xor", [Commutative]>;

def Kiln_SelectOp : Kiln_TypedOp<"select", [Kiln_Elementwise, Kiln_FoldsConstants]> {
  let summary = "x where the condition holds, else y; broadcast against each other";
  let arguments = (ins Kiln_Tensor:$condition, Kiln_Tensor:$x, Kiln_Tensor:$y);
  let assemblyFormat =
      "$condition `,` $x `,` $y attr-dict `:` functional-type(operands, $result)";
  let hasFolder = 1;
}

def Kiln_CastOp : Kiln_TypedOp<"cast", [Kiln_Elementwise, Kiln_FoldsConstants]> {
  let summary = "each element as another dtype";
  let arguments = (ins Kiln_Tensor:$x, TypeAttr:$dtype);
  let assemblyFormat = "$x `to` $dtype attr-dict `:` type($x) `->` type($result)";
  let hasFolder = 1;
  let hasCanonicalizer = 1;
}

//===----------------------------------------------------------------------===//
// Values from nothing
//===----------------------------------------------------------------------===//

def Kiln_ConstantOp : Kiln_TypedOp<"constant", [ConstantLike]> {
  let summary = "a small tensor known at compile time";
  let arguments = (ins ElementsAttr:$value);
  let assemblyFormat = "$value attr-dict";
  let hasFolder = 1;
}

def Kiln_IotaOp : Kiln_TypedOp<"iota"> {
  let summary = "start + i * step";
  let arguments = (ins Kiln_DimsAttr:$shape, TypeAttr:$dtype, Kiln_NumberAttr:$start,
                       Kiln_NumberAttr:$step);
  let assemblyFormat = "$shape `from` $start `step` $step `of` $dtype attr-dict `:` type($result)";
}

def Kiln_SizeOp : Kiln_TypedOp<"size", [Kiln_FoldsConstants]> {
  let summary = "the value of a dim, as an i64 scalar";
  let arguments = (ins Kiln_DimsAttr:$dim);
  let assemblyFormat = "$dim attr-dict `:` type($result)";
}

//===----------------------------------------------------------------------===//
// Movement
//===----------------------------------------------------------------------===//

class Kiln_ViewOp<string mnemonic>
    : Kiln_TypedOp<mnemonic, [Kiln_View, Kiln_FoldsConstants]> {
  let hasFolder = 1;
}

def Kiln_BroadcastToOp : Kiln_ViewOp<"broadcast_to"> {
  let hasCanonicalizer = 1;
  let summary = "x repeated along new axes and axes of size 1";
  let arguments = (ins Kiln_Tensor:$x, Kiln_DimsAttr:$shape);
  let assemblyFormat = "$x `to` $shape attr-dict `:` type($x) `->` type($result)";
}

def Kiln_ReshapeOp : Kiln_ViewOp<"reshape"> {
  let hasCanonicalizer = 1;
  let summary = "the elements of x in order, in another shape of the same size";
  let arguments = (ins Kiln_Tensor:$x, Kiln_DimsAttr:$shape);
  let assemblyFormat = "$x `to` $shape attr-dict `:` type($x) `->` type($result)";
}

def Kiln_PermuteOp : Kiln_ViewOp<"permute"> {
  let hasCanonicalizer = 1;
  let summary = "axis i of the result is axis axes[i] of x";
  let arguments = (ins Kiln_Tensor:$x, DenseI64ArrayAttr:$axes);
  let assemblyFormat = "$x $axes attr-dict `:` type($x) `->` type($result)";
}

def Kiln_SliceOp : Kiln_ViewOp<"slice"> {
  let summary = "every steps-th element from starts to before stops, along each axis";
  let arguments = (ins Kiln_Tensor:$x, Kiln_DimsAttr:$starts, Kiln_DimsAttr:$stops,
                       DenseI64ArrayAttr:$steps);
  let assemblyFormat = [{
    $x `from` $starts `to` $stops `step` $steps attr-dict `:` type($x) `->` type($result)
  }];
}

def Kiln_WindowsOp : Kiln_ViewOp<"windows"> {
  let hasFolder = 0; // its result has another rank
  let summary = "each window of elements along an axis: the axis becomes their count and their size";
  let arguments = (ins Kiln_Tensor:$x, I64Attr:$axis, I64Attr:$size, I64Attr:$stride,
                       I64Attr:$dilation);
  let assemblyFormat = [{
    $x `axis` $axis `size` $size `stride` $stride `dilation` $dilation attr-dict
    `:` type($x) `->` type($result)
  }];
}

def Kiln_RebindOp : Kiln_ViewOp<"rebind"> {
  let summary = "x seen with other dims of the same sizes";
  let arguments = (ins Kiln_Tensor:$x, Kiln_DimsAttr:$shape);
  let assemblyFormat = "$x `to` $shape attr-dict `:` type($x) `->` type($result)";
}

def Kiln_ConcatOp : Kiln_TypedOp<"concat"> {
  let summary = "the operands one behind the other along an axis";
  let arguments = (ins Variadic<Kiln_Tensor>:$inputs, I64Attr:$axis);
  let assemblyFormat = "$inputs `axis` $axis attr-dict `:` functional-type(operands, $result)";
  let hasFolder = 1;
}

def Kiln_GatherOp : Kiln_TypedOp<"gather"> {
  let summary = "table rows (along an axis) by index; an index outside is an IndexError";
  let arguments = (ins Kiln_Tensor:$table, Kiln_Tensor:$indices, I64Attr:$axis,
                       OptionalAttr<I64Attr>:$total);
  let assemblyFormat = [{
    $table `[` $indices `]` `axis` $axis (`total` $total^)? attr-dict
    `:` functional-type(operands, $result)
  }];
  let moreDeclarations = [{
    /// What the table is a part of: its type with `total` for the axis.
    ::kiln::TensorType wholeTableType();
  }];
}

def Kiln_ScatterOp : Kiln_TypedOp<"scatter"> {
  let summary = "x with rows, by index, replaced by others or combined with them";
  let arguments = (ins Kiln_Tensor:$x, Kiln_Tensor:$indices, Kiln_Tensor:$updates,
                       StrAttr:$reduction);
  let assemblyFormat = [{
    $x `[` $indices `]` $reduction $updates attr-dict `:` functional-type(operands, $result)
  }];
}

def Kiln_GatherElementsOp : Kiln_TypedOp<"gather_elements"> {
  let summary = "elements along an axis, each by an index of its own";
  let arguments = (ins Kiln_Tensor:$x, Kiln_Tensor:$indices, I64Attr:$axis);
  let assemblyFormat = [{
    $x `[` $indices `]` `axis` $axis attr-dict `:` functional-type(operands, $result)
  }];
}

def Kiln_ScatterElementsOp : Kiln_TypedOp<"scatter_elements"> {
  let summary = "x with elements along an axis replaced or combined, each by an index of its own";
  let arguments = (ins Kiln_Tensor:$x, Kiln_Tensor:$indices, Kiln_Tensor:$updates, I64Attr:$axis,
                       StrAttr:$reduction);
  let assemblyFormat = [{
    $x `[` $indices `]` `axis` $axis $reduction $updates attr-dict
    `:` functional-type(operands, $result)
  }];
}

//===----------------------------------------------------------------------===//
// Packed weights
//===----------------------------------------------------------------------===//

def Kiln_DequantizeOp : Kiln_TypedOp<"dequantize", [Kiln_FoldsConstants]> {
  let summary = "rows of packed blocks (kiln/Quantization.h) as f32";
  let arguments = (ins Kiln_Tensor:$x, StrAttr:$encoding);
  let assemblyFormat = "$x `as` $encoding attr-dict `:` type($x) `->` type($result)";
  let hasCanonicalizer = 1;
}

//===----------------------------------------------------------------------===//
// Contractions and rows
//===----------------------------------------------------------------------===//

def Kiln_MatmulOp : Kiln_TypedOp<"matmul"> {
  let summary = "matrix product over the last two axes, batch axes broadcast";
  let arguments = (ins Kiln_Tensor:$x, Kiln_Tensor:$y);
  let assemblyFormat = "$x `,` $y attr-dict `:` functional-type(operands, $result)";
}

class Kiln_AxisOp<string mnemonic, list<Trait> traits = []> : Kiln_TypedOp<mnemonic, traits> {
  let arguments = (ins Kiln_Tensor:$x, I64Attr:$axis);
  let assemblyFormat = "$x `axis` $axis attr-dict `:` custom<ElementTypes>(type($x), type($result))";
}

class Kiln_ReductionOp<string mnemonic> : Kiln_AxisOp<mnemonic, [Kiln_Reduction]> {
  let summary = mnemonic # " along an axis, which stays with size 1";
}

def Kiln_SumOp : Kiln_ReductionOp<"sum">;
def Kiln_MeanOp : Kiln_ReductionOp<"mean">;
def Kiln_MaxOp : Kiln_ReductionOp<"max">;
def Kiln_MinOp : Kiln_ReductionOp<"min">;
def Kiln_ProdOp : Kiln_ReductionOp<"prod">;
def Kiln_ArgmaxOp : Kiln_ReductionOp<"argmax">;
def Kiln_ArgminOp : Kiln_ReductionOp<"argmin">;

def Kiln_SoftmaxOp : Kiln_AxisOp<"softmax"> {
  let summary = "exp(x - max) / sum(exp(x - max)) along an axis";
}

def Kiln_CumsumOp : Kiln_TypedOp<"cumsum"> {
  let summary = "the sum of the elements up to each one, along an axis";
  let arguments = (ins Kiln_Tensor:$x, I64Attr:$axis,
                       DefaultValuedAttr<BoolAttr, "false">:$exclusive,
                       DefaultValuedAttr<BoolAttr, "false">:$reverse);
  let assemblyFormat = [{
    $x `axis` $axis (`exclusive` $exclusive^)? (`reverse` $reverse^)? attr-dict
    `:` custom<ElementTypes>(type($x), type($result))
  }];
}

def Kiln_ArgsortOp : Kiln_TypedOp<"argsort"> {
  let summary = "the places of the elements in order of their values, along an axis";
  let arguments = (ins Kiln_Tensor:$x, I64Attr:$axis,
                       DefaultValuedAttr<BoolAttr, "false">:$descending, Kiln_DimsAttr:$count);
  let assemblyFormat = [{
    $x `axis` $axis `count` $count (`descending` $descending^)? attr-dict
    `:` type($x) `->` type($result)
  }];
}

def Kiln_LayerNormOp : Kiln_TypedOp<"layer_norm"> {
  let summary = "each row shifted and scaled to mean 0 and variance 1, then by weight and bias";
  let arguments = (ins Kiln_Tensor:$x, Variadic<Kiln_Tensor>:$affine, F64Attr:$epsilon);
  let assemblyFormat = [{
    $x (`,` $affine^)? `epsilon` $epsilon attr-dict `:` functional-type(operands, $result)
  }];
  let moreDeclarations = [{
    /// Null where there is none; weight and bias are there both or not at all.
    ::mlir::Value getWeight() { return getAffine().empty() ? ::mlir::Value() : getAffine()[0]; }
    ::mlir::Value getBias() { return getAffine().empty() ? ::mlir::Value() : getAffine()[1]; }
  }];
}

def Kiln_AttentionOp : Kiln_TypedOp<"attention"> {
  let summary = "softmax(q @ kᵀ * scale + mask) @ v, for each head";
  let arguments = (ins Kiln_Tensor:$q, Kiln_Tensor:$k, Kiln_Tensor:$v,
                       Optional<Kiln_Tensor>:$mask, F64Attr:$scale,
                       DefaultValuedStrAttr<StrAttr, "bhsd">:$layout);
  let assemblyFormat = [{
    $q `,` $k `,` $v (`mask` $mask^)? `scale` $scale (`layout` $layout^)? attr-dict
    `:` functional-type(operands, $result)
  }];
}

//===----------------------------------------------------------------------===//
// Ranks: a program that several devices run at the same time, made by kiln-partition
//===----------------------------------------------------------------------===//

def Kiln_AllReduceOp : Kiln_TypedOp<"all_reduce"> {
  let summary = "the values that x has on all ranks, combined";
  let arguments = (ins Kiln_Tensor:$x, StrAttr:$reduction);
  let assemblyFormat = "$x $reduction attr-dict `:` custom<ElementTypes>(type($x), type($result))";
}

class Kiln_RanksOp<string mnemonic, list<Trait> traits = []> : Kiln_TypedOp<mnemonic, traits> {
  let arguments = (ins Kiln_Tensor:$x, I64Attr:$axis, I64Attr:$ranks);
  let assemblyFormat = [{
    $x `axis` $axis `ranks` $ranks attr-dict `:` type($x) `->` type($result)
  }];
}

def Kiln_AllGatherOp : Kiln_RanksOp<"all_gather"> {
  let summary = "the values that x has on all ranks, one behind the other along an axis";
}

// A view, but one whose place depends on the rank: no fold knows it.
def Kiln_LocalSliceOp : Kiln_RanksOp<"local_slice", [Kiln_View]> {
  let summary = "this rank's one of the equal parts of x along an axis";
}

//===----------------------------------------------------------------------===//
// Made by passes only
//===----------------------------------------------------------------------===//

def Kiln_LinearOp : Kiln_Op<"linear", [Pure, AttrSizedOperandSegments]> {
  let summary = "x @ Wᵀ + b for each weight: products that share their left operand";
  let arguments = (ins Kiln_Tensor:$x, Variadic<Kiln_Tensor>:$weights,
                       Variadic<Kiln_Tensor>:$biases,
                       DefaultValuedAttr<BoolAttr, "true">:$transposed);
  let results = (outs Variadic<Kiln_Tensor>:$results);
  let assemblyFormat = [{
    $x `,` `weights` `(` $weights `)` (`biases` `(` $biases^ `)`)? attr-dict
    `:` functional-type(operands, results)
  }];
  // Result types follow from the operands: one for each weight.
  let builders = [OpBuilder<(ins "::mlir::Value":$x, "::mlir::ValueRange":$weights,
                                 "::mlir::ValueRange":$biases, CArg<"bool", "true">:$transposed)>];
  let hasVerifier = 1;
}

def Kiln_FusionOp : Kiln_Op<"fusion", [IsolatedFromAbove, RecursiveMemoryEffects,
                                       RecursivelySpeculatable, SingleBlock]> {
  let summary = "operations that become one kernel";
  let arguments = (ins Variadic<Kiln_Tensor>:$inputs);
  let results = (outs Variadic<Kiln_Tensor>:$results);
  let regions = (region SizedRegion<1>:$body);
  let hasCustomAssemblyFormat = 1;
  let hasVerifier = 1;
  let extraClassDeclaration = [{
    ::mlir::Operation *getYield() { return getBody().front().getTerminator(); }
  }];
}

def Kiln_YieldOp : Kiln_Op<"yield", [Pure, Terminator, HasParent<"FusionOp">]> {
  let summary = "the results of a fusion";
  let arguments = (ins Variadic<Kiln_Tensor>:$values);
  let assemblyFormat = "$values attr-dict `:` type($values)";
}

def Kiln_LaunchOp : Kiln_Op<"launch", [Pure, DeclareOpInterfaceMethods<SymbolUserOpInterface>]> {
  let summary = "calls a kernel: a private function with the attribute kiln.kernel";
  let arguments = (ins FlatSymbolRefAttr:$kernel, Variadic<Kiln_Tensor>:$inputs);
  let results = (outs Variadic<Kiln_Tensor>:$results);
  let assemblyFormat = [{
    $kernel `(` $inputs `)` attr-dict `:` functional-type($inputs, $results)
  }];
}

#endif // KILN_OPS_TD
