#pragma once

#include "kiln/Dim.h"

#include <cstdint>
#include <span>
#include <string>
#include <vector>

namespace kiln::runtime {

/// A Dim as a small stack program over the values of an artifact's symbols: no names, maps or
/// memory when evaluated.
class DimProgram {
public:
  DimProgram() = default; // 0
  /// Errors: KeyError for a name that is none of `symbols`; ValueError for an expression of more
  /// than 64 open operands.
  DimProgram(const Dim &dim, std::span<const std::string> symbols);

  /// `values`: one for each symbol. Errors: ValueError on overflow of int64 and division by zero.
  int64_t evaluate(const int64_t *values) const {
    if (kind == Kind::number)
      return operand;
    if (kind == Kind::symbol)
      return values[operand];
    return run(values);
  }
  /// As numbers, for code that evaluates it elsewhere: pairs of an operation (in the order of Op
  /// below) and its operand.
  std::vector<int64_t> words() const;
  bool isNumber() const { return kind == Kind::number; }
  /// The symbol's position if this is a plain name, else -1.
  int64_t symbol() const { return kind == Kind::symbol ? operand : -1; }

private:
  friend class DimParser;
  enum class Kind : uint8_t { number, symbol, program };
  enum class Op : uint8_t { number, symbol, add, subtract, multiply, divide, negate };
  struct Instruction {
    Op op;
    int64_t operand = 0;
  };
  static constexpr int maxDepth = 64;

  int64_t run(const int64_t *values) const;

  Kind kind = Kind::number;
  int64_t operand = 0;
  std::vector<Instruction> code;
};

} // namespace kiln::runtime
