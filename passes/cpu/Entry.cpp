#include "passes/cpu/Entry.h"

#include "ir/KilnDialect.h"
#include "ir/TypeConversion.h"
#include "runtime/Abi.h"

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "llvm/ADT/MapVector.h"
#include "llvm/ADT/StringMap.h"

using namespace mlir;

namespace kiln::passes {
namespace {

constexpr StringLiteral launchingName = "kiln_launching";

/// Tells who wants to know what the entry does next: KilnRuntime::launching. A function of its own,
/// so that a call costs the entry two instructions.
void emitLaunching(ModuleLowering &lowering, Location loc) {
  MLIRContext *context = lowering.module.getContext();
  Type pointer = LLVM::LLVMPointerType::get(context);
  FunctionEmitter f = FunctionEmitter::helper(lowering, loc, launchingName,
                                              {pointer, IntegerType::get(context, 64)});
  Block *block = &f.function.getBody().front();
  Value runtime = block->getArgument(0);
  Value listener =
      f.load(f.ptr(), f.offsetBytes(runtime, f.constant(offsetof(KilnRuntime, launching))));
  Value none = LLVM::ZeroOp::create(f.b, f.ptr());
  Value listens = LLVM::ICmpOp::create(f.b, LLVM::ICmpPredicate::ne, listener, none);
  f.ifThen(listens, [&] {
    auto type = LLVM::LLVMFunctionType::get(LLVM::LLVMVoidType::get(context), {f.ptr(), f.i64()});
    LLVM::CallOp::create(f.b, type, ValueRange{listener, runtime, block->getArgument(1)});
  });
  f.finish();
}

using CopyEmitter = void (*)(FunctionEmitter &, Value, Value, Value);

class EntryEmitter {
public:
  EntryEmitter(ModuleLowering &lowering, Location loc, const EntryPlan &plan, CopyEmitter emitCopy)
      : lowering(lowering), plan(plan), emitCopy(emitCopy),
        f(FunctionEmitter::helper(lowering, loc, "kiln_entry",
                                  SmallVector<Type>(3, pointerType(lowering)))) {}

  void run() {
    f.function.setLinkage(LLVM::Linkage::External);
    Block *block = &f.function.getBody().front();
    f.runtime = block->getArgument(0);
    buffers = block->getArgument(1);
    f.dims = block->getArgument(2);
    emitPlaces();
    if (!plan.steps.empty())
      emitSteps();
    if (!plan.copies.empty())
      announce(f.constant(-1));
    for (const EntryPlan::Copy &copy : plan.copies)
      emitCopy(f, place(f.constant(copy.from)), place(f.constant(copy.to)), f.dimValue(copy.bytes));
    Block *leave = leaveBlock();
    LLVM::BrOp::create(f.b, leave);
    f.b.setInsertionPointToEnd(leave);
    announce(f.constant(launches));
    LLVM::ReturnOp::create(f.b, ValueRange{});
  }

private:
  static Type pointerType(ModuleLowering &lowering) {
    return LLVM::LLVMPointerType::get(lowering.module.getContext());
  }

  /// The addresses of all places, in an array of the frame.
  void emitPlaces() {
    Value workspace = f.load(f.ptr(), f.offset(buffers, f.constant(plan.buffers), 8));
    scratch = f.offsetBytes(workspace, f.dimValue(plan.workspaceBytes));
    stride = f.dimValue(lowering.scratchPerThread);
    places = f.stackArray(f.ptr(), std::max<size_t>(1, plan.buffers + plan.spots.size()));
    f.loop(f.constant(0), f.constant(plan.buffers), f.constant(1), [&](Value i) {
      f.store(f.load(f.ptr(), f.offset(buffers, i, 8)), f.offset(places, i, 8));
    });
    for (auto [i, offset] : llvm::enumerate(plan.spots))
      f.store(f.offsetBytes(workspace, f.dimValue(offset)),
              f.offset(places, f.constant(plan.buffers + i), 8));
  }
  Value place(Value number) { return f.load(f.ptr(), f.offset(places, number, 8)); }

  /// A constant array of 32-bit numbers; its address.
  Value table(StringRef name, ArrayRef<int32_t> numbers) {
    auto type = LLVM::LLVMArrayType::get(f.b.getI32Type(), numbers.size());
    {
      OpBuilder::InsertionGuard guard(f.b);
      f.b.setInsertionPointToStart(lowering.module.getBody());
      LLVM::GlobalOp::create(f.b, type, /*isConstant=*/true, LLVM::Linkage::Internal, name,
                             f.b.getI32TensorAttr(numbers), /*alignment=*/4);
    }
    return LLVM::AddressOfOp::create(f.b, f.ptr(), name);
  }
  Value entryOf(Value table, Value index) {
    Value number = f.load(f.b.getI32Type(), f.offset(table, index, 4));
    return arith::ExtSIOp::create(f.b, f.i64(), number);
  }

  void announce(Value launch) {
    LLVM::CallOp::create(f.b, TypeRange{}, launchingName, ValueRange{f.runtime, launch});
  }

  /// Steps of one kernel have one number, each collective has its own.
  void emitSteps() {
    llvm::StringMap<int32_t> numberOf;
    SmallVector<const EntryPlan::Step *> cases;
    SmallVector<int32_t> steps, arguments; // four numbers a step: case, launch, arguments from, to
    size_t most = 1;
    for (const EntryPlan::Step &step : plan.steps) {
      auto next = static_cast<int32_t>(cases.size());
      int32_t number =
          step.collective ? next : numberOf.try_emplace(step.launcher, next).first->second;
      if (number == next)
        cases.push_back(&step);
      auto begin = static_cast<int32_t>(arguments.size());
      arguments.append(step.places.begin(), step.places.end());
      steps.append({number, step.collective ? -1 : launches++, begin,
                    static_cast<int32_t>(arguments.size())});
      most = std::max(most, step.places.size());
    }
    Value stepTable = table("kiln_steps", steps),
          argumentTable = table("kiln_arguments", arguments);
    args = f.stackArray(f.ptr(), static_cast<int64_t>(most));

    Block *head = f.function.addBlock(), *body = f.function.addBlock(),
          *after = f.function.addBlock(), *behind = f.function.addBlock();
    LLVM::BrOp::create(f.b, ValueRange{f.constant(0)}, head);
    Value step = head->addArgument(f.i64(), f.b.getLoc());
    f.b.setInsertionPointToStart(head);
    Value more = f.lessThan(step, f.constant(static_cast<int64_t>(plan.steps.size())));
    LLVM::CondBrOp::create(f.b, more, body, behind);

    f.b.setInsertionPointToStart(body);
    Value at = f.mul(step, 4);
    Value begin = entryOf(stepTable, f.add(at, 2)), end = entryOf(stepTable, f.add(at, 3));
    f.loop(begin, end, f.constant(1), [&](Value i) {
      f.store(place(entryOf(argumentTable, i)), f.offset(args, f.sub(i, begin), 8));
    });
    announce(entryOf(stepTable, f.add(at, 1)));
    Value number = f.load(f.b.getI32Type(), f.offset(stepTable, at, 4));
    emitCases(number, cases, after);

    // A launcher that reported a bad index ends the call.
    f.b.setInsertionPointToStart(after);
    Value status = after->addArgument(f.b.getI32Type(), f.b.getLoc());
    Value zero = arith::ConstantIntOp::create(f.b, 0, 32);
    Value good = arith::CmpIOp::create(f.b, arith::CmpIPredicate::eq, status, zero);
    Block *next = f.function.addBlock();
    LLVM::CondBrOp::create(f.b, good, next, leaveBlock());
    f.b.setInsertionPointToStart(next);
    LLVM::BrOp::create(f.b, ValueRange{f.add(step, 1)}, head);
    f.b.setInsertionPointToStart(behind);
  }

  void emitCases(Value number, ArrayRef<const EntryPlan::Step *> cases, Block *after) {
    SmallVector<Block *> blocks;
    SmallVector<int32_t> values;
    for (size_t i = 0; i < cases.size(); ++i) {
      blocks.push_back(f.function.addBlock());
      values.push_back(static_cast<int32_t>(i));
    }
    // The last case is the default: there are no others.
    SmallVector<ValueRange> none(blocks.size() - 1);
    LLVM::SwitchOp::create(f.b, number, blocks.back(), ValueRange{},
                           ArrayRef<int32_t>(values).drop_back(),
                           BlockRange(ArrayRef<Block *>(blocks).drop_back()), none);
    for (auto [step, block] : llvm::zip(cases, blocks)) {
      f.b.setInsertionPointToStart(block);
      Value status;
      if (step->collective) {
        emitCollective(*step->collective, step->places.size());
        status = arith::ConstantIntOp::create(f.b, 0, 32);
      } else {
        status = LLVM::CallOp::create(f.b, f.b.getI32Type(), step->launcher,
                                      ValueRange{f.runtime, f.dims, args, scratch, stride})
                     .getResult();
      }
      LLVM::BrOp::create(f.b, ValueRange{status}, after);
    }
  }

  /// In its place where it has one only.
  void emitCollective(Operation &op, size_t numPlaces) {
    Value in = f.load(f.ptr(), args);
    Value out = numPlaces > 1 ? f.load(f.ptr(), f.offset(args, f.constant(1), 8)) : in;
    TensorType type = ir::toTensorType(op.getOperand(0).getType());
    auto gather = dyn_cast<ir::AllGatherOp>(op);
    if (!gather)
      return f.allReduce(in, out, f.dimValue(type.shape.numElements()), type.dtype);
    ArrayRef<Dim> dims(type.shape.vec());
    Value elements = emitNumElements(f, dims.drop_front(gather.getAxis()));
    f.allGather(in, out, emitNumElements(f, dims.take_front(gather.getAxis())),
                f.mul(elements, sizeBytes(type.dtype)));
  }

  Block *leaveBlock() {
    if (!leave)
      leave = f.function.addBlock();
    return leave;
  }

  ModuleLowering &lowering;
  const EntryPlan &plan;
  CopyEmitter emitCopy;
  FunctionEmitter f;
  Value buffers, places, args, scratch, stride;
  Block *leave = nullptr;
  int32_t launches = 0;
};

} // namespace

unsigned EntryPlan::spot(const Dim &offset) {
  auto found = llvm::find(spots, offset);
  if (found == spots.end())
    found = spots.insert(spots.end(), offset);
  return buffers + static_cast<unsigned>(found - spots.begin());
}

void emitEntry(ModuleLowering &lowering, Location loc, const EntryPlan &plan,
               CopyEmitter emitCopy) {
  emitLaunching(lowering, loc);
  EntryEmitter(lowering, loc, plan, emitCopy).run();
}

} // namespace kiln::passes
