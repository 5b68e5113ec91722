#pragma once

#include "test/unit/random/Program.h"

#include <optional>
#include <random>

namespace kiln::test {

/// A program while it grows. Inputs may still be added, so values are numbered anew at the end.
class Drawer {
public:
  explicit Drawer(unsigned seed);
  Program draw();

private:
  using Id = std::size_t;
  struct Value {
    TensorType type;
    bool isInput = false;
    ir::Input::Role role = ir::Input::Role::argument;
    Dim indexBound = 0; // of an input that holds indices: they are below
    // Nodes:
    std::string op;
    std::vector<Id> operands;
    ir::Attributes attributes;
    /// The same in every arithmetic: what jumps (comparisons, casts to integers) takes these first,
    /// since of others nothing could be said where it jumps.
    bool isExact = true;
  };

  /// Written in braces, so that what is drawn in it is drawn in the order in which it stands:
  /// compilers differ in the order of a call's arguments.
  struct Draft {
    std::string op;
    std::vector<Id> operands;
    ir::Attributes attributes = {};
    bool isExact = false;
  };

  // Numbers that are the same everywhere, other than those of std's distributions.
  int64_t number(int64_t low, int64_t high) {
    return low + static_cast<int64_t>(random() % static_cast<uint64_t>(high - low + 1));
  }
  bool chance(int percent) { return number(0, 99) < percent; }
  double real() { return static_cast<double>(random()) / 0x1p31 - 1; } // [-1, 1)
  template <class T> T pick(const std::vector<T> &choices) {
    return choices[static_cast<std::size_t>(number(0, static_cast<int64_t>(choices.size()) - 1))];
  }
  template <class T> void shuffle(std::vector<T> &list) {
    for (std::size_t i = list.size(); i > 1; --i)
      std::swap(list[i - 1],
                list[static_cast<std::size_t>(number(0, static_cast<int64_t>(i) - 1))]);
  }

  // Types and values (Drawer.cpp).
  DType pickDType();
  Dim pickDim();
  Shape drawShape(int64_t rank = -1);
  const TensorType &type(Id id) const { return values[id].type; }
  bool isStatic(Id id) const { return type(id).shape.isStatic(); }
  Id addInput(TensorType type, ir::Input::Role role = ir::Input::Role::argument,
              Dim indexBound = 0);
  /// A weight where the shape is static and chance wants it, else an argument.
  Id addParameter(TensorType type);
  Id any() { return static_cast<Id>(number(0, static_cast<int64_t>(values.size()) - 1)); }
  Id anyExact();
  Id anyFloat(int64_t minRank = 0);
  /// Something that broadcasts with `value`: another value, or an input of its type with some dims
  /// gone or 1.
  Id partner(Id value, bool exact = false);
  /// None if the rules refuse, if what they assume does not hold in every case, if it is too large.
  std::optional<Id> add(Draft draft);
  std::optional<Id> constant(TensorType type);
  std::optional<Id> scalar(DType dtype, double value);
  bool isNeverEmpty(const Dim &dim) const;
  Id addIndices(const Shape &shape, const Dim &bound);
  bool holdsInAllCases(const Constraint &constraint) const;
  int64_t sizeInCase(const Dim &dim, std::size_t which) const;

  // Steps: whether something was added (DrawOps.cpp, DrawMoves.cpp, DrawPatterns.cpp).
  bool step();
  bool unary();
  bool binary();
  bool comparison();
  bool bits();
  bool select();
  bool cast();
  bool source();
  bool reduction();
  bool cumsum();
  bool argsort();
  bool rows();
  bool permute();
  bool slice();
  bool concat();
  bool reshape();
  bool broadcast();
  bool gather();
  bool elements();
  bool scatter();
  bool windows();
  bool rebind();
  bool product();
  bool linear();
  bool siblings();
  bool writtenSoftmax();
  bool attention();
  bool writtenAttention();
  bool embedding();
  bool packedRows();
  bool chain();

  // Contents (DrawContents.cpp).
  ir::DenseData contents(const Value &input, const DimBindings &bindings);
  void fill(ir::DenseData &tensor, int64_t indexBound);
  Program finish();

  std::mt19937 random;
  DType mainDType;
  bool isSpecial; // special values among the contents
  std::vector<DimBindings> bindings;
  std::vector<Value> values;
};

} // namespace kiln::test
