#include "KernelModule.h"
#include "MappedImage.h"

using namespace kiln;
using namespace kiln::test;
using codegen::Target;

namespace {

// Everything that code may refer to: a vector from the constant pool, a jump table, a constant
// global, internal functions by address and by name.
constexpr const char *manyReferences = R"mlir(
  llvm.mlir.global internal constant @primes(dense<[2, 3, 5, 7, 11, 13]> : tensor<6xi32>)
      : !llvm.array<6 x i32>

  llvm.func @triple(%x: i64) -> i64 attributes {noinline} {
    %three = llvm.mlir.constant(3 : i64) : i64
    %y = llvm.mul %x, %three : i64
    llvm.return %y : i64
  }
  llvm.func @negate(%x: i64) -> i64 attributes {noinline} {
    %zero = llvm.mlir.constant(0 : i64) : i64
    %y = llvm.sub %zero, %x : i64
    llvm.return %y : i64
  }

  // out[0..8] = in[0..8] * {1.5, 2.5, ...}; returns f(switch(which)) with f chosen by which's parity.
  llvm.func @kiln_entry(%in: !llvm.ptr, %out: !llvm.ptr, %which: i32) -> i64 {
    %factors = llvm.mlir.constant(dense<[1.5, 2.5, 3.5, 4.5, 5.5, 6.5, 7.5, 8.5]> : vector<8xf32>) : vector<8xf32>
    %v = llvm.load %in {alignment = 4 : i64} : !llvm.ptr -> vector<8xf32>
    %p = llvm.fmul %v, %factors : vector<8xf32>
    llvm.store %p, %out {alignment = 4 : i64} : vector<8xf32>, !llvm.ptr
    %wide = llvm.sext %which : i32 to i64
    %one = llvm.mlir.constant(1 : i64) : i64
    %minus = llvm.mlir.constant(-1 : i64) : i64
    %seven = llvm.mlir.constant(7 : i64) : i64
    %odd64 = llvm.and %wide, %one : i64
    %odd = llvm.trunc %odd64 : i64 to i1
    %tripleAddress = llvm.mlir.addressof @triple : !llvm.ptr
    %negateAddress = llvm.mlir.addressof @negate : !llvm.ptr
    %f = llvm.select %odd, %tripleAddress, %negateAddress : i1, !llvm.ptr
    %table = llvm.mlir.addressof @primes : !llvm.ptr
    %slot = llvm.getelementptr %table[%wide] : (!llvm.ptr, i64) -> !llvm.ptr, i32
    llvm.switch %which : i32, ^other(%minus : i64) [
      0: ^zero, 1: ^first, 2: ^second, 3: ^third, 4: ^fourth, 5: ^fifth
    ]
  ^zero:
    %a = llvm.load %slot : !llvm.ptr -> i32
    %a64 = llvm.sext %a : i32 to i64
    llvm.br ^other(%a64 : i64)
  ^first:
    %b = llvm.ptrtoint %in : !llvm.ptr to i64
    %b64 = llvm.mul %b, %b : i64
    llvm.br ^other(%b64 : i64)
  ^second:
    %c = llvm.call @negate(%wide) : (i64) -> i64
    llvm.br ^other(%c : i64)
  ^third:
    %d = llvm.load %slot : !llvm.ptr -> i32
    %d64 = llvm.sext %d : i32 to i64
    %e64 = llvm.mul %d64, %seven : i64
    llvm.br ^other(%e64 : i64)
  ^fourth:
    %g = llvm.call @triple(%wide) : (i64) -> i64
    llvm.br ^other(%g : i64)
  ^fifth:
    %h = llvm.udiv %wide, %one : i64
    %i = llvm.shl %h, %seven : i64
    llvm.br ^other(%i : i64)
  ^other(%result: i64):
    %r = llvm.call %f(%result) : !llvm.ptr, (i64) -> i64
    llvm.return %r : i64
  }
)mlir";

int64_t expectedResult(int which, const float *in) {
  auto address = reinterpret_cast<uint64_t>(in); // the code's arithmetic wraps
  uint64_t values[] = {2, address * address, uint64_t(-2), 49, 12, 5 << 7};
  uint64_t value = which >= 0 && which < 6 ? values[which] : uint64_t(-1);
  return static_cast<int64_t>(which & 1 ? 3 * value : -value);
}

std::string failureOf(llvm::StringRef text, const Target &target) {
  KernelContext kernel;
  auto module = kernel.parse(text);
  if (!module)
    return "does not parse";
  auto image = compileImage(*module, target);
  return image ? "no error" : llvm::toString(image.takeError());
}

} // namespace

TEST(ObjectEmitter, RunsWhereverItIsMapped) {
  for (const Target &target : Target::allOnHost()) {
    SCOPED_TRACE(target.name);
    KernelContext kernel;
    auto module = kernel.parse(manyReferences);
    ASSERT_TRUE(module);
    auto image = compileImage(*module, target);
    ASSERT_TRUE(bool(image)) << llvm::toString(image.takeError());
    MappedImage first(*image), second(*image);
    ASSERT_NE(first.address(), second.address());
    for (const MappedImage *mapped : {&first, &second}) {
      auto *entry = mapped->entry<int64_t(const float *, float *, int)>();
      for (int which = -2; which < 8; ++which) {
        float in[9], out[9] = {};
        for (int i = 0; i < 9; ++i)
          in[i] = static_cast<float>(i + 1);
        // Unaligned on purpose.
        EXPECT_EQ(entry(in + 1, out + 1, which), expectedResult(which, in + 1)) << which;
        for (int i = 0; i < 8; ++i)
          EXPECT_EQ(out[i + 1], in[i + 1] * (static_cast<float>(i) + 1.5f));
      }
    }
  }
}

/// Functions of a hundred operations each, which use others and a constant; the entry adds up what
/// they make of x.
std::string manyFunctions(int count) {
  std::string text = R"mlir(
    llvm.mlir.global internal constant @table(dense<[3, 5]> : tensor<2xi64>) : !llvm.array<2 x i64>
    llvm.func private @last(%x: i64) -> i64 {
      %one = llvm.mlir.constant(1 : i64) : i64
      %r = llvm.add %x, %one : i64
      llvm.return %r : i64
    })mlir";
  std::string entry;
  for (int i = 0; i < count; ++i) {
    std::string number = std::to_string(i);
    text += "llvm.func private @f" + number + R"mlir((%x: i64) -> i64 {
      %table = llvm.mlir.addressof @table : !llvm.ptr
      %next = llvm.mlir.addressof @last : !llvm.ptr
      %c = llvm.load %table : !llvm.ptr -> i64
      %v0 = llvm.xor %x, %c : i64
)mlir";
    for (int k = 1; k <= 100; ++k)
      text += "%v" + std::to_string(k) + (k % 3 ? " = llvm.mul %v" : " = llvm.add %v") +
              std::to_string(k - 1) + ", %x : i64\n";
    text += "%r = llvm.call %next(%v100) : !llvm.ptr, (i64) -> i64\nllvm.return %r : i64\n}\n";
    entry += "%y" + number + " = llvm.call @f" + number + "(%s" + number + ") : (i64) -> i64\n" +
             "%s" + std::to_string(i + 1) + " = llvm.add %s" + number + ", %y" + number +
             " : i64\n";
  }
  return text + "llvm.func @kiln_entry(%s0: i64) -> i64 {\n" + entry + "llvm.return %s" +
         std::to_string(count) + " : i64\n}\n";
}

uint64_t expectedOfMany(uint64_t sum, int count) {
  for (int i = 0; i < count; ++i) {
    uint64_t value = sum ^ 3;
    for (int k = 1; k <= 100; ++k)
      value = k % 3 ? value * sum : value + sum;
    sum += value + 1;
  }
  return sum;
}

TEST(ObjectEmitter, PartsGiveTheSameBytesOnAnyThreads) {
  Target target = llvm::cantFail(Target::byName("baseline"));
  codegen::EmitOptions options;
  options.verify = true;
  for (auto [functions, parts] : {std::pair(3, 1u), std::pair(12, 2u), std::pair(40, 4u)}) {
    std::vector<std::vector<uint8_t>> images;
    for (unsigned threads : {1u, 2u, 7u}) {
      KernelContext kernel;
      auto module = kernel.parse(manyFunctions(functions));
      ASSERT_TRUE(module);
      auto objects = codegen::emitObjects(*module, target, options, threads);
      ASSERT_TRUE(bool(objects)) << llvm::toString(objects.takeError());
      EXPECT_EQ(objects->size(), parts);
      auto image = codegen::makeFlatImage(*objects, "kiln_entry");
      ASSERT_TRUE(bool(image)) << llvm::toString(image.takeError());
      EXPECT_EQ(image->symbols.size(), static_cast<size_t>(functions) + 2);
      MappedImage mapped(*image);
      auto *entry = mapped.entry<int64_t(int64_t)>();
      for (int64_t x : {0, 1, -7, 1000})
        EXPECT_EQ(uint64_t(entry(x)), expectedOfMany(uint64_t(x), functions)) << x;
      images.push_back(image->bytes);
    }
    EXPECT_EQ(images[0], images[1]);
    EXPECT_EQ(images[0], images[2]);
  }
}

TEST(ObjectEmitter, ReportsWhatAPartLacks) {
  KernelContext kernel;
  auto module = kernel.parse(manyFunctions(40) + R"mlir(
    llvm.func @elsewhere(i64) -> i64
    llvm.func private @lost(%x: i64) -> i64 {
      %r = llvm.call @elsewhere(%x) : (i64) -> i64
      llvm.return %r : i64
    })mlir");
  ASSERT_TRUE(module);
  Target target = llvm::cantFail(Target::byName("baseline"));
  auto objects = codegen::emitObjects(*module, target, {}, 2);
  ASSERT_TRUE(bool(objects)) << llvm::toString(objects.takeError());
  auto image = codegen::makeFlatImage(*objects, "kiln_entry");
  ASSERT_FALSE(bool(image));
  EXPECT_NE(llvm::toString(image.takeError()).find("'elsewhere'"), std::string::npos);
}

TEST(ObjectEmitter, ReportsSymbolsAndTimes) {
  KernelContext kernel;
  auto module = kernel.parse(manyReferences);
  ASSERT_TRUE(module);
  std::vector<PhaseTime> times;
  codegen::EmitOptions options;
  options.times = &times;
  Target target = llvm::cantFail(Target::byName("baseline"));
  auto object = codegen::emitObject(*module, target, options);
  ASSERT_TRUE(bool(object)) << llvm::toString(object.takeError());
  ASSERT_EQ(times.size(), 3u);
  for (const PhaseTime &phase : times)
    EXPECT_GT(phase.seconds, 0) << phase.name;
  auto image = llvm::cantFail(codegen::makeFlatImage({*object}, "kiln_entry"));
  std::vector<std::string> names;
  for (const auto &symbol : image.symbols) {
    names.push_back(symbol.name);
    EXPECT_GT(symbol.sizeBytes, 0u);
    EXPECT_LE(symbol.offset + symbol.sizeBytes, image.bytes.size());
    if (symbol.name == "kiln_entry")
      EXPECT_EQ(symbol.offset, image.entryOffset);
  }
  EXPECT_EQ(names, (std::vector<std::string>{"triple", "negate", "kiln_entry"}));
}

TEST(ObjectEmitter, PrintsAssemblyForAnyTarget) {
  // A target that this machine need not be able to run.
  Target target = llvm::cantFail(Target::byName("avx512"));
  KernelContext kernel;
  auto module = kernel.parse(R"mlir(
    llvm.func @kiln_entry(%a: !llvm.ptr) {
      %v = llvm.load %a {alignment = 4 : i64} : !llvm.ptr -> vector<16xf32>
      %w = llvm.intr.fma(%v, %v, %v) : (vector<16xf32>, vector<16xf32>, vector<16xf32>) -> vector<16xf32>
      llvm.store %w, %a {alignment = 4 : i64} : vector<16xf32>, !llvm.ptr
      llvm.return
    })mlir");
  ASSERT_TRUE(module);
  std::string text = llvm::cantFail(codegen::emitAssembly(*module, target));
  EXPECT_NE(text.find("vfmadd"), std::string::npos) << text;
  EXPECT_NE(text.find("%zmm0"), std::string::npos) << text;
  EXPECT_EQ(text.find("@GOTPCREL"), std::string::npos) << text;
  std::string ir = llvm::cantFail(codegen::emitLLVMIR(*module, target));
  EXPECT_NE(ir.find("@llvm.fma.v16f32"), std::string::npos) << ir;
}

TEST(ObjectEmitter, RefusesLibraryCalls) {
  Target target = llvm::cantFail(Target::byName("baseline"));
  // A call that LLVM makes of an operation the CPU lacks.
  EXPECT_NE(failureOf(R"mlir(
    llvm.func @kiln_entry(%a: f32, %b: f32) -> f32 {
      %r = llvm.frem %a, %b : f32
      llvm.return %r : f32
    })mlir",
                      target)
                .find("'fmodf'"),
            std::string::npos);
  // A call of a declared function.
  EXPECT_NE(failureOf(R"mlir(
    llvm.func @outside(f32) -> f32
    llvm.func @kiln_entry(%a: f32) -> f32 {
      %r = llvm.call @outside(%a) : (f32) -> f32
      llvm.return %r : f32
    })mlir",
                      target)
                .find("'outside'"),
            std::string::npos);
}

TEST(ObjectEmitter, TurnsNoLoopIntoLibraryCalls) {
  // Clearing and copying loops stay loops.
  Target target = llvm::cantFail(Target::byName("baseline"));
  EXPECT_EQ(failureOf(R"mlir(
    llvm.func @kiln_entry(%to: !llvm.ptr {llvm.noalias}, %from: !llvm.ptr {llvm.noalias}, %n: i64) {
      %zero = llvm.mlir.constant(0 : i64) : i64
      %one = llvm.mlir.constant(1 : i64) : i64
      %f0 = llvm.mlir.constant(0.0 : f32) : f32
      llvm.br ^head(%zero : i64)
    ^head(%i: i64):
      %more = llvm.icmp "slt" %i, %n : i64
      llvm.cond_br %more, ^body, ^done
    ^body:
      %p = llvm.getelementptr %to[%i] : (!llvm.ptr, i64) -> !llvm.ptr, f32
      llvm.store %f0, %p : f32, !llvm.ptr
      %q = llvm.getelementptr %from[%i] : (!llvm.ptr, i64) -> !llvm.ptr, f32
      %v = llvm.load %q : !llvm.ptr -> f32
      %next = llvm.add %i, %one : i64
      %r = llvm.getelementptr %to[%next] : (!llvm.ptr, i64) -> !llvm.ptr, f32
      llvm.store %v, %r : f32, !llvm.ptr
      llvm.br ^head(%next : i64)
    ^done:
      llvm.return
    })mlir",
                      target),
            "no error");
}

TEST(ObjectEmitter, RefusesAbsoluteAddresses) {
  Target target = llvm::cantFail(Target::byName("baseline"));
  std::string message = failureOf(R"mlir(
    llvm.func @f() { llvm.return }
    llvm.mlir.global internal constant @table() : !llvm.array<2 x ptr> {
      %f = llvm.mlir.addressof @f : !llvm.ptr
      %a = llvm.mlir.poison : !llvm.array<2 x ptr>
      %b = llvm.insertvalue %f, %a[0] : !llvm.array<2 x ptr>
      %c = llvm.insertvalue %f, %b[1] : !llvm.array<2 x ptr>
      llvm.return %c : !llvm.array<2 x ptr>
    }
    llvm.func @kiln_entry(%i: i64) -> !llvm.ptr {
      %t = llvm.mlir.addressof @table : !llvm.ptr
      %p = llvm.getelementptr %t[%i] : (!llvm.ptr, i64) -> !llvm.ptr, !llvm.ptr
      %r = llvm.load %p : !llvm.ptr -> !llvm.ptr
      llvm.return %r : !llvm.ptr
    })mlir",
                                  target);
  EXPECT_NE(message.find("'table'"), std::string::npos) << message;
}

TEST(ObjectEmitter, RefusesWritableGlobals) {
  Target target = llvm::cantFail(Target::byName("baseline"));
  std::string message = failureOf(R"mlir(
    llvm.mlir.global internal @counter(0 : i64) : i64
    llvm.func @kiln_entry() -> i64 {
      %p = llvm.mlir.addressof @counter : !llvm.ptr
      %v = llvm.load %p : !llvm.ptr -> i64
      %one = llvm.mlir.constant(1 : i64) : i64
      %w = llvm.add %v, %one : i64
      llvm.store %w, %p : i64, !llvm.ptr
      llvm.return %v : i64
    })mlir",
                                  target);
  EXPECT_NE(message.find("'counter'"), std::string::npos) << message;
}

TEST(ObjectEmitter, RefusesAModuleWithoutItsEntry) {
  Target target = llvm::cantFail(Target::byName("baseline"));
  std::string message = failureOf("llvm.func @other() { llvm.return }", target);
  EXPECT_NE(message.find("'kiln_entry'"), std::string::npos) << message;
}

TEST(ObjectEmitter, ReportsWhatCannotBeTranslated) {
  Target target = llvm::cantFail(Target::byName("baseline"));
  std::string message = failureOf(R"mlir(
    llvm.func @kiln_entry() { llvm.return }
    func.func @left() { return }
  )mlir",
                                  target);
  EXPECT_NE(message.find("translation to LLVM IR failed"), std::string::npos) << message;
}

TEST(FlatImage, RefusesWhatIsNoObject) {
  std::vector<char> garbage(100, 'x');
  auto image = codegen::makeFlatImage({garbage}, "kiln_entry");
  ASSERT_FALSE(bool(image));
  EXPECT_FALSE(llvm::toString(image.takeError()).empty());
}
