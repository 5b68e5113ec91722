#include "KernelModule.h"
#include "MappedImage.h"

#include <cmath>
#include <functional>
#include <numeric>

using namespace kiln;
using namespace kiln::test;
using codegen::Target;

namespace {

/// Lowers and compiles `text` for every target of this machine and hands the mapped code to
/// `check`.
void onEveryTarget(llvm::StringRef text, const std::function<void(const MappedImage &)> &check) {
  for (const Target &target : Target::allOnHost()) {
    SCOPED_TRACE(target.name);
    KernelContext kernel;
    auto module = kernel.parse(text);
    ASSERT_TRUE(module);
    ASSERT_TRUE(mlir::succeeded(kernel.lower(*module)));
    auto image = compileImage(*module, target);
    ASSERT_TRUE(bool(image)) << llvm::toString(image.takeError());
    check(MappedImage(*image));
  }
}

} // namespace

TEST(LowerToLLVM, LoopsAndVectors) {
  // out[i] = sum of a[i, :] * b[:] for n rows of k, k a multiple of 8; then out += 1 while out <
  // 10, for even rows only.
  onEveryTarget(R"mlir(
    func.func private @dot(%a: !llvm.ptr, %b: !llvm.ptr, %k: index) -> f32 {
      %c0 = arith.constant 0 : index
      %c8 = arith.constant 8 : index
      %zero = arith.constant dense<0.0> : vector<8xf32>
      %acc = scf.for %j = %c0 to %k step %c8 iter_args(%s = %zero) -> (vector<8xf32>) {
        %j64 = arith.index_cast %j : index to i64
        %pa = llvm.getelementptr %a[%j64] : (!llvm.ptr, i64) -> !llvm.ptr, f32
        %pb = llvm.getelementptr %b[%j64] : (!llvm.ptr, i64) -> !llvm.ptr, f32
        %va = llvm.load %pa {alignment = 4 : i64} : !llvm.ptr -> vector<8xf32>
        %vb = llvm.load %pb {alignment = 4 : i64} : !llvm.ptr -> vector<8xf32>
        %m = arith.mulf %va, %vb : vector<8xf32>
        %n = arith.addf %s, %m : vector<8xf32>
        scf.yield %n : vector<8xf32>
      }
      %r = vector.reduction <add>, %acc : vector<8xf32> into f32
      return %r : f32
    }
    func.func @kiln_entry(%a: !llvm.ptr, %b: !llvm.ptr, %out: !llvm.ptr, %n: index, %k: index) {
      %c0 = arith.constant 0 : index
      %c1 = arith.constant 1 : index
      %c2 = arith.constant 2 : index
      %one = arith.constant 1.0 : f32
      %ten = arith.constant 10.0 : f32
      scf.for %i = %c0 to %n step %c1 {
        %row = index.mul %i, %k
        %row64 = arith.index_cast %row : index to i64
        %pa = llvm.getelementptr %a[%row64] : (!llvm.ptr, i64) -> !llvm.ptr, f32
        %d = func.call @dot(%pa, %b, %k) : (!llvm.ptr, !llvm.ptr, index) -> f32
        %rest = arith.remui %i, %c2 : index
        %even = arith.cmpi eq, %rest, %c0 : index
        %v = scf.if %even -> f32 {
          %w = scf.while (%x = %d) : (f32) -> f32 {
            %less = arith.cmpf olt, %x, %ten : f32
            scf.condition(%less) %x : f32
          } do {
          ^bb0(%x: f32):
            %y = arith.addf %x, %one : f32
            scf.yield %y : f32
          }
          scf.yield %w : f32
        } else {
          scf.yield %d : f32
        }
        %i64 = arith.index_cast %i : index to i64
        %po = llvm.getelementptr %out[%i64] : (!llvm.ptr, i64) -> !llvm.ptr, f32
        llvm.store %v, %po : f32, !llvm.ptr
      }
      return
    })mlir",
                [](const MappedImage &code) {
                  constexpr int n = 5, k = 24;
                  std::vector<float> a(n * k), b(k), out(n);
                  std::iota(a.begin(), a.end(), -50.0f);
                  for (int i = 0; i < k; ++i)
                    b[i] = static_cast<float>(i % 3 - 1);
                  code.entry<void(float *, float *, float *, int64_t, int64_t)>()(
                      a.data(), b.data(), out.data(), n, k);
                  for (int i = 0; i < n; ++i) {
                    float want = std::inner_product(b.begin(), b.end(), a.begin() + i * k, 0.0f);
                    while (i % 2 == 0 && want < 10)
                      want += 1;
                    EXPECT_EQ(out[i], want) << i;
                  }
                });
}

TEST(LowerToLLVM, MasksGathersAndShuffles) {
  // out[i] = table[index[i]] of the first n lanes; returns what the shuffles make of lane 0.
  onEveryTarget(R"mlir(
    func.func @kiln_entry(%table: !llvm.ptr, %index: !llvm.ptr, %out: !llvm.ptr, %n: i32) -> f32 {
      %lanes = vector.step : vector<8xindex>
      %lanes32 = arith.index_cast %lanes : vector<8xindex> to vector<8xi32>
      %limit = vector.broadcast %n : i32 to vector<8xi32>
      %mask = arith.cmpi slt, %lanes32, %limit : vector<8xi32>
      %zeroI = arith.constant dense<0> : vector<8xi32>
      %zero = arith.constant dense<0.0> : vector<8xf32>
      %i = llvm.intr.masked.load %index, %mask, %zeroI {alignment = 4 : i32} : (!llvm.ptr, vector<8xi1>, vector<8xi32>) -> vector<8xi32>
      %i64 = arith.extsi %i : vector<8xi32> to vector<8xi64>
      %pointers = llvm.getelementptr %table[%i64] : (!llvm.ptr, vector<8xi64>) -> vector<8x!llvm.ptr>, f32
      %v = llvm.intr.masked.gather %pointers, %mask, %zero {alignment = 4 : i32} : (vector<8x!llvm.ptr>, vector<8xi1>, vector<8xf32>) -> vector<8xf32>
      llvm.intr.masked.store %v, %out, %mask {alignment = 4 : i32} : vector<8xf32>, vector<8xi1> into !llvm.ptr
      %reversed = vector.shuffle %v, %v [7, 6, 5, 4, 3, 2, 1, 0] : vector<8xf32>, vector<8xf32>
      %c3 = arith.constant 3 : index
      %last = vector.extract %reversed[7] : f32 from vector<8xf32>
      %w = vector.insert %last, %zero[%c3] : f32 into vector<8xf32>
      %max = vector.reduction <maximumf>, %w : vector<8xf32> into f32
      %dynamic = vector.extract %w[%c3] : f32 from vector<8xf32>
      %bits = arith.bitcast %dynamic : f32 to i32
      %back = arith.bitcast %bits : i32 to f32
      %lower = vector.extract_strided_slice %w {offsets = [0], sizes = [4], strides = [1]} : vector<8xf32> to vector<4xf32>
      %sum = vector.reduction <add>, %lower, %max : vector<4xf32> into f32
      %all = arith.addf %sum, %back : f32
      return %all : f32
    })mlir",
                [](const MappedImage &code) {
                  auto *entry = code.entry<float(const float *, const int *, float *, int)>();
                  const float table[] = {10, 11, 12, 13};
                  // Lanes from n on must not be read: they would be far outside.
                  const int index[8] = {3, 1, 2, 0, 2, 1 << 30, 1 << 30, 1 << 30};
                  for (int n = 1; n <= 5; ++n) {
                    float out[8] = {-1, -1, -1, -1, -1, -1, -1, -1};
                    EXPECT_EQ(entry(table, index, out, n), 13 + 13 + 13);
                    for (int i = 0; i < 8; ++i)
                      EXPECT_EQ(out[i], i < n ? table[index[i]] : -1) << i << " of " << n;
                  }
                });
}

TEST(LowerToLLVM, FunctionPointersAndScratch) {
  // Calls callback(context, task, i) of a table {context, callback} n times with an internal
  // function as the task, which writes through scratch on the stack.
  onEveryTarget(R"mlir(
    func.func private @task(%data: !llvm.ptr, %i: i64) {
      %one = arith.constant 1 : i64
      %scratch = llvm.alloca %one x vector<4xi64> {alignment = 32 : i64} : (i64) -> !llvm.ptr
      %v = vector.broadcast %i : i64 to vector<4xi64>
      llvm.store %v, %scratch : vector<4xi64>, !llvm.ptr
      %third = llvm.getelementptr %scratch[3] : (!llvm.ptr) -> !llvm.ptr, i64
      %x = llvm.load %third : !llvm.ptr -> i64
      %square = arith.muli %x, %x : i64
      %p = llvm.getelementptr %data[%i] : (!llvm.ptr, i64) -> !llvm.ptr, i64
      llvm.store %square, %p : i64, !llvm.ptr
      return
    }
    func.func @kiln_entry(%table: !llvm.ptr, %data: !llvm.ptr, %n: i64) {
      %context = llvm.load %table : !llvm.ptr -> !llvm.ptr
      %slot = llvm.getelementptr %table[1] : (!llvm.ptr) -> !llvm.ptr, !llvm.ptr
      %callback = llvm.load %slot : !llvm.ptr -> !llvm.ptr
      %f = func.constant @task : (!llvm.ptr, i64) -> ()
      %task = builtin.unrealized_conversion_cast %f : (!llvm.ptr, i64) -> () to !llvm.ptr
      llvm.call %callback(%context, %task, %data, %n) : !llvm.ptr, (!llvm.ptr, !llvm.ptr, !llvm.ptr, i64) -> ()
      return
    })mlir",
                [](const MappedImage &code) {
                  using Task = void(int64_t *, int64_t);
                  using Callback = void(void *, Task *, int64_t *, int64_t);
                  struct {
                    int *calls;
                    Callback *callback;
                  } table;
                  int calls = 0;
                  table.calls = &calls;
                  table.callback = [](void *context, Task *task, int64_t *data, int64_t n) {
                    for (int64_t i = 0; i < n; ++i, ++*static_cast<int *>(context))
                      task(data, i);
                  };
                  int64_t data[7] = {};
                  code.entry<void(void *, int64_t *, int64_t)>()(&table, data, 7);
                  EXPECT_EQ(calls, 7);
                  for (int64_t i = 0; i < 7; ++i)
                    EXPECT_EQ(data[i], i * i);
                });
}

TEST(LowerToLLVM, ReportsWhatItCannotLower) {
  KernelContext kernel;
  std::string messages;
  mlir::ScopedDiagnosticHandler handler(&kernel.context, [&](mlir::Diagnostic &diagnostic) {
    messages += diagnostic.str();
    return mlir::success();
  });
  auto module = kernel.parse(R"mlir(
    func.func @kiln_entry(%f: f32) -> i32 {
      %i = builtin.unrealized_conversion_cast %f : f32 to i32
      return %i : i32
    })mlir");
  ASSERT_TRUE(module);
  EXPECT_TRUE(mlir::failed(kernel.lower(*module)));
  EXPECT_NE(messages.find("types that do not lower to the same"), std::string::npos) << messages;
}
