#ifndef KILN_DIALECT_TD
#define KILN_DIALECT_TD

include "mlir/IR/AttrTypeBase.td"
include "mlir/IR/DialectBase.td"
include "mlir/IR/OpBase.td"
include "mlir/IR/TensorEncoding.td"

def Kiln_Dialect : Dialect {
  let name = "kiln";
  let cppNamespace = "::kiln::ir";
  let summary = "Programs on tensors as users write them: what they mean, not how they run.";
  let description = [{
    Values are ranked tensors. Where a dim is symbolic, the type's encoding carries the whole shape:
    `tensor<?x2xf32, #kiln.dims<batch, 2>>`; static tensors have no encoding. So equal types are
    pointer-equal, and equal expressions are equal sizes. Operations, their constraints (C1, C2, …)
    and their meaning: docs/spec.md.
  }];
  let useDefaultAttributePrinterParser = 1;
  let hasConstantMaterializer = 1;
  let hasCanonicalizer = 1;
  let hasOperationAttrVerify = 1;
  let hasRegionArgAttrVerify = 1;
  let extraClassDeclaration = "void registerAttributes();";
}

/// A shape, one canonical `Dim` for each axis.
def Kiln_DimsAttr
    : AttrDef<Kiln_Dialect, "Dims", [DeclareAttrInterfaceMethods<VerifiableTensorEncoding>]> {
  let mnemonic = "dims";
  let summary = "a list of dims, each a number, a name or an expression: <batch, 2, batch * 4 + 1>";
  let description = [{
    As the encoding of a tensor type it is there exactly where a dim is symbolic, and agrees with the
    type's shape. Also the form of every attribute that is a shape or a list of dims.
  }];
  let parameters = (ins "::llvm::ArrayRef<::kiln::Dim>":$dims);
  let genStorageClass = 0; // it owns its Dims: Dialect.cpp
  let hasCustomAssemblyFormat = 1;
  let extraClassDeclaration = [{
    /// The encoding of a tensor type with these dims: none where all are static.
    static ::mlir::Attribute encodingFor(::mlir::MLIRContext *context,
                                         ::llvm::ArrayRef<::kiln::Dim> dims);
    /// Whether every dim is a number.
    bool isStatic() const;
  }];
}

//===----------------------------------------------------------------------===//
// Traits
//===----------------------------------------------------------------------===//

/// The result type and all constraints come from ShapeRules (Traits.h).
def Kiln_Typed : NativeOpTrait<"Typed"> { let cppNamespace = "::kiln::ir"; }

/// Each element of the result depends on the element of each operand at the same place, after
/// broadcasting: ir/Elementwise.def, select and cast.
def Kiln_Elementwise : NativeOpTrait<"KilnElementwise"> { let cppNamespace = "::kiln::ir"; }

/// Folds to a constant where all operands are constants and the result is exact (Folds.cpp).
def Kiln_FoldsConstants : NativeOpTrait<"FoldsConstants"> { let cppNamespace = "::kiln::ir"; }

/// Each element of the result is an element of the one operand: the place is moved or repeated.
def Kiln_View : NativeOpTrait<"KilnView"> { let cppNamespace = "::kiln::ir"; }

/// Has an `axis` attribute over which the elements of x are combined into one.
def Kiln_Reduction : NativeOpTrait<"KilnReduction"> { let cppNamespace = "::kiln::ir"; }

#endif // KILN_DIALECT_TD
