// MAX's tests of parameters that lie on several devices:
// max/tests/integration/tensor/distributed/module/test_vocab_parallel_embedding_simulated_cpu.py,
// the cases of test_module.py with weights that are split, and of test_subgraph.py with a block
// that is. Its meshes of simulated CPUs are lists of virtual CPU devices here.

#include "ModuleTesting.h"

using namespace kiln;
using namespace kiln::conformance;
using nn::embedding::VocabParallelEmbedding;
using testing::ElementsAreArray;
using testing::FloatNear;
using testing::Pointwise;

namespace {

std::vector<Device> mesh(int count) {
  std::vector<Device> devices;
  for (int i = 0; i < count; ++i)
    devices.push_back(CPU(i));
  return devices;
}

/// The ids vocab - 1, …, 0 looked up in a table over `count` devices, and in the whole.
void expectWholeLookUp(int64_t vocab, int count) {
  random::seed(0);
  Tensor table = random::normal({vocab, 3});
  VocabParallelEmbedding embedding(
      {.vocabSize = vocab, .hiddenDim = 3, .dtype = DType::float32, .devices = mesh(count)});
  embedding.loadStateDict({{"weight", table}});
  std::vector<int64_t> backwards;
  for (int64_t id = vocab; id-- > 0;)
    backwards.push_back(id);
  Tensor ids = Tensor::fromData(backwards, {vocab});
  std::vector<float> expected = nn::embedding::Embedding(table)(ids).toVector<float>();
  auto model = embedding.compile(TensorType(DType::int64, {"n"}));
  for (const std::vector<Tensor> &results : {embedding(ids), model(ids)}) {
    ASSERT_EQ(results.size(), static_cast<std::size_t>(count));
    for (const Tensor &result : results)
      EXPECT_THAT(result.toVector<float>(), ElementsAreArray(expected)); // MAX: within 1e-6
  }
}

struct ParallelBlock : nn::Module<ParallelBlock> {
  nn::Linear up, down;
  KILN_FIELDS(up, down)
  explicit ParallelBlock(int count = 1) : up(8, 16), down(16, 8) {
    up.weight = shard(up.weight, 0, mesh(count));
    down.weight = shard(down.weight, 1, mesh(count));
  }
  Tensor operator()(const Tensor &x) const { return x + down(relu(up(x))); }
};

struct ParallelStack : nn::Module<ParallelStack> {
  std::vector<ParallelBlock> blocks;
  KILN_FIELDS(blocks)
  Tensor operator()(const Tensor &x) const {
    Tensor y = x;
    for (const ParallelBlock &block : blocks)
      y = subgraph(block, y);
    return y;
  }
};

} // namespace

TEST(MaxVocabParallelEmbedding, test_vocab_parallel_embedding_8_2) { expectWholeLookUp(8, 2); }

TEST(MaxVocabParallelEmbedding, test_vocab_parallel_embedding_10_4) { expectWholeLookUp(10, 4); }

TEST(MaxVocabParallelEmbedding, an_id_outside_the_vocabulary_is_an_error_not_a_row_of_zeros) {
  VocabParallelEmbedding embedding(
      {.vocabSize = 10, .hiddenDim = 3, .dtype = DType::float32, .devices = mesh(4)});
  auto model = embedding.compile(TensorType(DType::int64, {"n"}));
  for (int64_t id :
       {int64_t{10}, int64_t{11}, int64_t{-1}}) { // 10 and 11: padding of the last part
    Tensor ids = Tensor::fromData(std::vector<int64_t>{3, id}, {2});
    for (const Tensor &result : embedding(ids))
      EXPECT_THROW(result.realize(), IndexError);
    EXPECT_THROW(model(ids), IndexError);
  }
}

TEST(MaxModule, test_load_state_dict_single_device_weight_keeps_distribution) {
  nn::Linear linear(4, 6, false);
  linear.weight = shard(linear.weight, 0, mesh(2));
  Tensor single = random::normal({6, 4});
  int64_t before = runtimeStats().heldBytes(CPU(1));
  linear.loadStateDict({{"weight", single}});
  EXPECT_EQ(runtimeStats().heldBytes(CPU(1)) - before, 3 * 4 * 4) << "half of it lies there";
  Tensor x = random::uniform({2, 4});
  EXPECT_EQ(linear(x).toVector<float>(), matmul(x, single.T()).toVector<float>());
}

TEST(MaxModule, test_compile_shards_single_device_weight_in_graph) {
  nn::Linear linear(4, 6, false);
  linear.weight = shard(linear.weight, 0, mesh(2));
  Tensor single = random::normal({6, 4}), x = random::uniform({2, 4});
  int64_t before = runtimeStats().heldBytes(CPU(1));
  auto model =
      linear.compile({.weights = {{"weight", single}}}, TensorType(DType::float32, {"n", 4}));
  EXPECT_GE(runtimeStats().heldBytes(CPU(1)) - before, 3 * 4 * 4);
  EXPECT_EQ(model(x).toVector<float>(), matmul(x, single.T()).toVector<float>());
}

TEST(MaxSubgraph, test_tensor_parallel_block_shares_one_subgraph) {
  ParallelStack stack;
  for (int i = 0; i < 3; ++i)
    stack.blocks.emplace_back(2);
  auto model = stack.compile(TensorType(DType::float32, {"batch", 8}));
  EXPECT_EQ(model.stats().subgraphs, 1);
  EXPECT_EQ(model.stats().subgraphCalls, 3);
  Tensor x = random::uniform({5, 8}, -1, 1), expected = x;
  for (const ParallelBlock &block : stack.blocks) {
    Tensor up = relu(matmul(expected, block.up.weight.T()) + *block.up.bias);
    expected = expected + matmul(up, block.down.weight.T()) + *block.down.bias;
  }
  EXPECT_THAT(model(x).toVector<float>(), Pointwise(FloatNear(1e-5f), expected.toVector<float>()));
  EXPECT_THAT(stack(x).toVector<float>(), Pointwise(FloatNear(1e-5f), expected.toVector<float>()));
}
