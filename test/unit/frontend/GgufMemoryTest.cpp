// What a large packed file costs: its pages, while they are read, and nothing else.
#include "GgufTesting.h"

#include <cstring>

using namespace kiln;
using namespace kiln::test;

namespace {

/// Of this process, from /proc/self/status.
int64_t statusKiB(const std::string &key) {
  std::ifstream status("/proc/self/status");
  for (std::string line; std::getline(status, line);)
    if (line.starts_with(key + ":"))
      return std::stoll(line.substr(key.size() + 1));
  throw IoError("no " + key + " in /proc/self/status");
}

class GgufMemory : public GgufFolder {
protected:
  /// A table of `rows` rows of 4096 elements in Q4_K (2304 bytes), all zero and not on the disk.
  std::string sparseTable(uint64_t rows) const {
    std::string header = GgufBytes().header(1, 0).tensor("table", {4096, rows}, typeQ4_K, 0).data;
    header.resize((header.size() + 31) / 32 * 32);
    std::filesystem::resize_file(write(header), header.size() + rows * 2304);
    return path("x");
  }
};

TEST_F(GgufMemory, OpeningMapsAndReadingRowsReadsThese) {
  constexpr int64_t rows = 120000; // 264 MiB packed, 1.8 GiB decoded
  std::string name = sparseTable(rows);
  {
    // Row 70,000: scale 2, and the first sub-block's step 3 with q = 5.
    std::fstream file(name, std::ios::in | std::ios::out | std::ios::binary);
    file.seekp(
        static_cast<std::streamoff>(std::filesystem::file_size(name) - (rows - 70000) * 2304));
    char block[17] = {0x00, 0x40, 0, 0, 3};
    block[16] = 5;
    file.write(block, sizeof(block));
  }
  auto warm = io::openGguf(ggufData("blocks.gguf")).dequantize("Q4_K.packed"); // starts the threads
  int64_t heldBefore = runtimeStats().heldBytes(), rssBefore = statusKiB("VmRSS");
  auto file = io::openGguf(name);
  EXPECT_EQ(file["table"].shape(), (Shape{rows, 2304}));
  EXPECT_EQ(runtimeStats().heldBytes(), heldBefore);
  auto row = file.dequantizeRows("table", 70000, 70001);
  EXPECT_EQ(row.data<float>()[0], 30);
  EXPECT_EQ(row.data<float>()[1], 0);
  EXPECT_EQ(runtimeStats().heldBytes(), heldBefore + 4096 * 4);
  for (int64_t at : {int64_t{0}, rows / 2, rows - 10})
    EXPECT_EQ(file.dequantizeRows("table", at, at + 10).shape(), (Shape{10, 4096}));
  EXPECT_EQ(runtimeStats().heldBytes(), heldBefore + 4096 * 4);
  // Code that runs for the first time and read-ahead; far less than the file.
  EXPECT_LT(statusKiB("VmRSS") - rssBefore, 16 * 1024);
}

TEST_F(GgufMemory, PackedTensorsAreViewsOfTheFile) {
  int64_t heldBefore = runtimeStats().heldBytes();
  auto file = io::openGguf(ggufData("blocks.gguf"));
  std::vector<Tensor> tensors;
  for (auto &[name, tensor] : file)
    tensors.push_back(tensor);
  for (const Tensor &tensor : tensors)
    EXPECT_GT(tensor.bytes().size(), 0u);
  EXPECT_EQ(runtimeStats().heldBytes(), heldBefore);
}

/// The mean of each row of a packed table.
struct RowMeans : nn::Module<RowMeans> {
  nn::embedding::EmbeddingV2 table;
  KILN_FIELDS(table)
  Tensor operator()(const Tensor &ids) const { return mean(table(ids), -1); }
};

// A table of 1 GiB in Q4_K (7.1 GiB as float32), mapped, with every row looked up.
TEST_F(GgufMemory, ATableInUseCostsItsPages) {
  constexpr int64_t rows = 466034, columns = 4096, chunk = 100000;
  auto file = io::openGguf(sparseTable(rows));
  const int64_t fileKiB = static_cast<int64_t>(std::filesystem::file_size(path("x")) / 1024);
  ASSERT_GE(fileKiB, 1 << 20);
  // The peak counts from here on, without what earlier tests of this process have left.
  std::ofstream("/proc/self/clear_refs") << "5" << std::flush;
  const int64_t beforeKiB = statusKiB("VmRSS");
  RowMeans model{
      .table = nn::embedding::EmbeddingV2({.vocabSize = rows,
                                           .hiddenDim = columns,
                                           .dtype = DType::float32,
                                           .quantizationEncoding = QuantizationEncoding::Q4_K})};
  model.loadState([&](const std::string &) { return file["table"]; });
  auto compiled = model.compile(TensorType(DType::int64, {"n"}));
  for (int64_t first = 0; first < rows; first += chunk) {
    Tensor ids = Tensor::arange(first, std::min(rows, first + chunk), 1);
    EXPECT_EQ(compiled(ids).data<float>()[0], 0);
  }
  // A few rows as they are, eagerly.
  EXPECT_EQ(model.table(Tensor::constant({int64_t{0}, rows - 1})).shape(), (Shape{2, columns}));
  const int64_t peakKiB = statusKiB("VmHWM") - beforeKiB;
  RecordProperty("fileMiB", std::to_string(fileKiB / 1024));
  RecordProperty("peakMiB", std::to_string(peakKiB / 1024));
  EXPECT_LE(peakKiB, fileKiB + 100 * 1000 * 1000 / 1024);
}

} // namespace
