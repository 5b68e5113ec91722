#include "KernelHarness.h"

#include "ir/KilnDialect.h"
#include "ir/TypeConversion.h"
#include "passes/cpu/KernelForms.h"
#include "passes/cpu/Kernels.h"

#include <algorithm>
#include <atomic>
#include <cmath>
#include <condition_variable>
#include <cstring>
#include <mutex>
#include <numeric>
#include <thread>
#include <time.h>

using namespace mlir;

namespace kiln::test {

Data::Data(DType dtype, std::vector<int64_t> shape) : dtype(dtype), shape(std::move(shape)) {
  bytes.resize(size() * sizeBytes(dtype));
}

int64_t Data::size() const {
  return std::accumulate(shape.begin(), shape.end(), int64_t(1), std::multiplies<>());
}

template <class Visit> static auto withType(DType dtype, Visit visit) {
  switch (dtype) {
  case DType::boolean:
  case DType::uint8:
    return visit(uint8_t());
  case DType::int8:
    return visit(int8_t());
  case DType::int16:
    return visit(int16_t());
  case DType::int32:
    return visit(int32_t());
  case DType::int64:
    return visit(int64_t());
  case DType::uint16:
    return visit(uint16_t());
  case DType::uint32:
    return visit(uint32_t());
  case DType::uint64:
    return visit(uint64_t());
  case DType::float16:
    return visit(_Float16());
  case DType::bfloat16:
    return visit(BFloat16());
  case DType::float32:
    return visit(float());
  case DType::float64:
    break;
  }
  return visit(double());
}

double Data::operator[](int64_t index) const {
  return withType(dtype, [&](auto value) {
    std::memcpy(&value, bytes.data() + index * sizeof value, sizeof value);
    return static_cast<double>(value);
  });
}

void Data::set(int64_t index, double x) {
  withType(dtype, [&](auto type) {
    auto value = static_cast<decltype(type)>(x);
    std::memcpy(bytes.data() + index * sizeof value, &value, sizeof value);
    return 0;
  });
}

Data Data::random(DType dtype, std::vector<int64_t> shape, uint32_t seed, double low, double high) {
  Data data(dtype, std::move(shape));
  std::mt19937 engine(seed);
  std::uniform_real_distribution<double> values(low, high);
  for (int64_t i = 0; i < data.size(); ++i)
    data.set(i, values(engine));
  return data;
}

Data Data::randomIntegers(DType dtype, std::vector<int64_t> shape, uint32_t seed, int64_t low,
                          int64_t high) {
  Data data(dtype, std::move(shape));
  std::mt19937 engine(seed);
  std::uniform_int_distribution<int64_t> values(low, high - 1);
  for (int64_t i = 0; i < data.size(); ++i)
    data.set(i, double(values(engine)));
  return data;
}

Data Data::packed(const std::string &packing) const {
  if (packing.empty())
    return *this;
  if (packing.find("pairs:") != std::string::npos || packing.find("parts:") != std::string::npos)
    return packedPairs(packing);
  const bool rows = packing.starts_with("rows:");
  const int64_t width = std::stoll(packing.substr(packing.find(':') + 1));
  const int64_t n = rows ? shape[0] : shape[1], k = rows ? shape[1] : shape[0];
  const int64_t panels = (n + width - 1) / width;
  Data result(dtype, {panels, k, width});
  const size_t element = sizeBytes(dtype);
  for (int64_t j = 0; j < n; ++j)
    for (int64_t p = 0; p < k; ++p)
      std::memcpy(result.bytes.data() + ((j / width * k + p) * width + j % width) * element,
                  bytes.data() + (rows ? j * k + p : p * n + j) * element, element);
  return result;
}

Data Data::packedPairs(const std::string &packing) const {
  const bool rows = packing.starts_with("row-");
  const int64_t width = std::stoll(packing.substr(packing.find(':') + 1));
  const int64_t n = rows ? shape[0] : shape[1], k = rows ? shape[1] : shape[0];
  const int64_t parts = packing.find("parts:") != std::string::npos ? 2 : 1;
  Data result(DType::bfloat16, {(n + width - 1) / width, parts, (k + 1) / 2, width, 2});
  for (int64_t j = 0; j < n; ++j)
    for (int64_t p = 0; p < k; ++p) {
      double left = (*this)[rows ? j * k + p : p * n + j];
      for (int64_t part = 0; part < parts; ++part) {
        const int64_t pair = (j / width * parts + part) * ((k + 1) / 2) + p / 2;
        const int64_t place = (pair * width + j % width) * 2 + p % 2;
        result.set(place, left);
        left -= result[place];
      }
    }
  return result;
}

namespace {

/// `i32 @kiln_entry(rt, dims, args, scratch, stride)`: the launcher, visible.
void addEntry(ModuleOp module, StringRef launcher) {
  ImplicitLocOpBuilder b(module.getLoc(), module.getContext());
  b.setInsertionPointToEnd(module.getBody());
  auto callee = module.lookupSymbol<LLVM::LLVMFuncOp>(launcher);
  auto entry = LLVM::LLVMFuncOp::create(b, "kiln_entry", callee.getFunctionType());
  b.setInsertionPointToStart(entry.addEntryBlock(b));
  auto call = LLVM::CallOp::create(b, callee, entry.getArguments());
  LLVM::ReturnOp::create(b, call.getResult());
}

void collectNames(Type type, std::set<std::string> &names) {
  for (const Dim &dim : ir::shapeOf(type))
    names.merge(dim.names());
}

} // namespace

CompiledKernel::CompiledKernel(const std::string &text, const codegen::Target &target,
                               Precision precision) {
  KernelContext context;
  context.context.appendDialectRegistry([] {
    DialectRegistry registry;
    registry.insert<ir::KilnDialect>();
    return registry;
  }());
  context.context.loadAllAvailableDialects();
  auto source = context.parse(text);
  if (!source) {
    ADD_FAILURE() << "the kernel does not parse";
    return;
  }
  auto function = source->lookupSymbol<func::FuncOp>("k");
  passes::Kernel kernel{function, "k", nullptr};
  std::set<std::string> names;
  for (Operation &op : kernel.body()) {
    if (!kernel.anchor && passes::findKernelEmitter(&op))
      kernel.anchor = &op; // a layer_norm may follow a linear
  }
  for (Type type : function.getArgumentTypes())
    collectNames(type, names);
  symbols.assign(names.begin(), names.end());

  auto ownTimeMs = [] { // what other programs take does not count
    timespec time;
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
    return time.tv_sec * 1e3 + time.tv_nsec * 1e-6;
  };
  double start = ownTimeMs();
  OwningOpRef<ModuleOp> module = ModuleOp::create(function.getLoc());
  passes::ModuleLowering lowering;
  lowering.module = *module;
  lowering.target = target.forPasses();
  lowering.symbols = symbols;
  lowering.precision = precision;
  ScopedDiagnosticHandler handler(&context.context, [&](Diagnostic &diagnostic) {
    refusal += diagnostic.str();
    return success();
  });
  if (failed(passes::findKernelEmitter(kernel.anchor)(lowering, kernel)))
    return;
  scratchPerThread = lowering.scratchPerThread;
  for (unsigned i = 0; i < function.getNumArguments(); ++i) {
    auto packing = function.getArgAttrOfType<StringAttr>(i, passes::packingAttrName);
    packings.push_back(packing ? packing.str() : "");
  }
  addEntry(*module, "k");
  if (failed(context.lower(*module))) {
    ADD_FAILURE() << "the kernel does not lower";
    return;
  }
  if (const char *wanted = std::getenv("KILN_TEST_ASSEMBLY"))
    if (*wanted)
      assembly = llvm::cantFail(codegen::emitAssembly(*module, target));
  auto compiled = compileImage(*module, target);
  if (!compiled) {
    ADD_FAILURE() << llvm::toString(compiled.takeError());
    return;
  }
  compileMs = ownTimeMs() - start;
  image = std::make_unique<MappedImage>(*compiled);
}

int64_t CompiledKernel::scratchBytes(const std::vector<int64_t> &dims) const {
  DimBindings bindings;
  for (size_t i = 0; i < symbols.size(); ++i)
    bindings[symbols[i]] = dims.at(i);
  return (scratchPerThread.evaluate(bindings) + 63) / 64 * 64;
}

std::vector<Data> CompiledKernel::pack(const std::vector<Data> &inputs) const {
  std::vector<Data> result;
  for (size_t i = 0; i < inputs.size(); ++i)
    result.push_back(inputs[i].packed(packings.at(i)));
  return result;
}

int CompiledKernel::call(const KilnRuntime &runtime, void *const *buffers, const int64_t *dims,
                         std::span<std::byte> scratch) {
  using Launcher = int32_t(const KilnRuntime *, const int64_t *, void *const *, void *, int64_t);
  auto address = reinterpret_cast<uintptr_t>(scratch.data());
  int64_t stride = int64_t(scratch.size() - 64) / runtime.threads / 64 * 64;
  return image->entry<Launcher>()(&runtime, dims, buffers,
                                  reinterpret_cast<void *>((address + 63) / 64 * 64), stride);
}

int CompiledKernel::run(const std::vector<Data> &inputs, std::vector<Data> &outputs,
                        const std::vector<int64_t> &dims, int threads) {
  if (!image) {
    ADD_FAILURE() << "refused: " << refusal;
    return -1;
  }
  badIndices.clear();
  std::vector<Data> packed = pack(inputs);
  constexpr size_t guardBytes = 256;
  constexpr std::byte guard{0xA5};
  std::vector<void *> buffers;
  for (Data &data : packed)
    buffers.push_back(data.bytes.data());
  std::vector<std::vector<std::byte>> stores;
  for (Data &data : outputs) {
    stores.emplace_back(data.bytes.size() + guardBytes, guard);
    buffers.push_back(stores.back().data());
  }
  // Scratch memory starts as quiet NaNs: nobody may rely on zeros.
  std::vector<std::byte> scratch(scratchBytes(dims) * threads + 64, std::byte{0xFF});
  TestRuntime runtime(threads, this);
  int status = call(runtime, buffers.data(), dims.data(), scratch);
  for (size_t i = 0; i < outputs.size(); ++i) {
    size_t size = outputs[i].bytes.size();
    std::copy_n(stores[i].begin(), size, outputs[i].bytes.begin());
    EXPECT_TRUE(std::all_of(stores[i].begin() + size, stores[i].end(),
                            [](std::byte byte) { return byte == guard; }))
        << "wrote beyond output " << i;
  }
  return status;
}

std::vector<codegen::Target> productTargets() {
  std::vector<codegen::Target> targets = codegen::Target::allOnHost();
  codegen::Target pairs = llvm::cantFail(codegen::Target::byName("avx512+avx512bf16"));
  if (llvm::Error error = pairs.checkRunsOn())
    llvm::consumeError(std::move(error));
  else
    targets.push_back(pairs);
  // AMX itself where it is, else its instructions by ordinary code.
  codegen::Target tiles =
      llvm::cantFail(codegen::Target::byName("avx512+avx512bf16+amx-tile+amx-bf16"));
  if (llvm::Error error = tiles.checkRunsOn()) {
    llvm::consumeError(std::move(error));
  } else {
    targets.push_back(tiles);
  }
  if (targets.back().has(runtime::CpuFeature::avx512bf16)) {
    pairs.name += "+amx-emulated";
    pairs.tilesEmulated = true;
    targets.push_back(pairs);
  }
  return targets;
}

std::string targetTestName(const codegen::Target &target) {
  std::string name = target.name;
  std::replace_if(name.begin(), name.end(), [](unsigned char c) { return !std::isalnum(c); }, '_');
  return name;
}

/// Threads that wait for work; each takes tasks one by one.
struct TestRuntime::Pool {
  std::vector<std::thread> threads;
  std::mutex mutex;
  std::condition_variable wake, done;
  int64_t generation = 0, running = 0;
  bool leaving = false;
  KilnBody body = nullptr;
  void *context = nullptr;
  int64_t tasks = 0;
  std::atomic<int64_t> next{0};

  void work(int64_t worker) {
    for (int64_t task; (task = next.fetch_add(1)) < tasks;)
      body(context, task, task + 1, worker);
  }
  explicit Pool(int count) {
    for (int worker = 1; worker < count; ++worker)
      threads.emplace_back([this, worker] {
        int64_t seen = 0;
        for (;;) {
          std::unique_lock lock(mutex);
          wake.wait(lock, [&] { return leaving || generation != seen; });
          if (leaving)
            return;
          seen = generation;
          lock.unlock();
          work(worker);
          lock.lock();
          if (--running == 0)
            done.notify_one();
        }
      });
  }
  ~Pool() {
    {
      std::lock_guard lock(mutex);
      leaving = true;
    }
    wake.notify_all();
    for (std::thread &thread : threads)
      thread.join();
  }
  void run(int64_t count, KilnBody newBody, void *newContext) {
    {
      std::lock_guard lock(mutex);
      body = newBody;
      context = newContext;
      tasks = count;
      next = 0;
      running = int64_t(threads.size());
      ++generation;
    }
    wake.notify_all();
    work(0);
    std::unique_lock lock(mutex);
    done.wait(lock, [&] { return running == 0; });
  }
};

TestRuntime::TestRuntime(int threads, CompiledKernel *kernel)
    : KilnRuntime{}, kernel(kernel), pool(std::make_unique<Pool>(threads)) {
  abiVersion = KILN_ABI_VERSION;
  this->threads = threads;
  parallelFor = [](const KilnRuntime *runtime, int64_t tasks, KilnBody body, void *context) {
    static_cast<const TestRuntime *>(runtime)->pool->run(tasks, body, context);
  };
  indexError = [](const KilnRuntime *runtime, int64_t site, int64_t index, int64_t position,
                  int64_t) {
    if (CompiledKernel *kernel = static_cast<const TestRuntime *>(runtime)->kernel)
      kernel->badIndices.push_back({site, index, position});
  };
}

TestRuntime::~TestRuntime() = default;

void expectNearRelative(const Data &actual, const std::vector<double> &expected, double tolerance) {
  ASSERT_EQ(actual.size(), int64_t(expected.size()));
  double largest = 1e-30;
  for (double value : expected)
    largest = std::max(largest, std::abs(value));
  for (int64_t i = 0; i < actual.size(); ++i)
    ASSERT_NEAR(actual[i], expected[i], tolerance * largest) << "element " << i;
}

} // namespace kiln::test
