#pragma once

#include "ir/HostTensor.h"
#include "ir/ShapeRules.h"

#include <optional>
#include <random>

/// Random graphs of two kinds: exact ones on special values, and encoders.
namespace kiln::test {

/// A graph under construction; types come from the rules.
struct RuleBuilder {
  ir::Graph graph;

  ir::ValueId input(TensorType type, ir::Input::Role role = ir::Input::Role::argument);
  /// None if the rules refuse.
  std::optional<ir::ValueId> tryOp(std::string op, std::vector<ir::ValueId> operands,
                                   ir::Attributes attributes = {});
  ir::ValueId op(std::string name, std::vector<ir::ValueId> operands,
                 ir::Attributes attributes = {});
  ir::ValueId constant(ir::HostTensor value);
};

/// Numbers that are the same everywhere, other than those of std's distributions.
struct Draw {
  explicit Draw(unsigned seed) : generator(seed) {}
  std::size_t below(std::size_t bound) { return generator() % bound; }
  template <class T> const T &oneOf(const std::vector<T> &choices) {
    return choices[below(choices.size())];
  }
  /// In [-1, 1), in steps of 1/64.
  float number() { return static_cast<float>(below(128)) / 64 - 1; }
  std::mt19937 generator;
};

/// Operations that are exact on every machine, in all dtypes, on values that break careless ones:
/// signed zeros, infinities, NaN, the ends of integers. Results are to be equal to the bit.
ir::Graph drawExactGraph(unsigned seed);
/// Its arguments for dim n.
std::vector<ir::HostTensor> exactArguments(int64_t n);

/// What encoders are made of, on float32 rows [b, s, 8]: linears, norms, activations, residuals,
/// softmax, attention, means. Results stay near 1, so that an absolute tolerance means something.
ir::Graph drawEncoderGraph(unsigned seed);
/// Its arguments for dims b and s.
std::vector<ir::HostTensor> encoderArguments(const ir::Graph &graph, int64_t b, int64_t s);

/// Equal types and bits, all NaNs taken as one.
void expectSame(const ir::HostTensor &actual, const ir::HostTensor &expected);
/// Float32 values that differ by `tolerance` at most.
void expectNear(const ir::HostTensor &actual, const ir::HostTensor &expected, float tolerance);

} // namespace kiln::test
