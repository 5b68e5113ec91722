#pragma once

#include <cctype>
#include <string>
#include <vector>

namespace kiln::test {

/// A tensor type as text; a dim that is no number makes it symbolic:
/// `tensor<?x2xf32, #kiln.dims<batch, 2>>`.
inline std::string tensorType(const std::string &dtype, const std::vector<std::string> &dims) {
  std::string text = "tensor<", encoding;
  bool symbolic = false;
  for (const std::string &dim : dims) {
    bool number = std::isdigit(static_cast<unsigned char>(dim[0]));
    symbolic |= !number;
    text += (number ? dim : "?") + "x";
    encoding += (encoding.empty() ? "" : ", ") + dim;
  }
  text += dtype;
  return text + (symbolic ? ", #kiln.dims<" + encoding + ">>" : ">");
}

/// An operation in MLIR's generic form: `operation("add", {"%x", "%y"}, {tx, ty}, {tz})`.
inline std::string operation(const std::string &name, const std::vector<std::string> &operands,
                             const std::vector<std::string> &operandTypes,
                             const std::vector<std::string> &resultTypes,
                             const std::string &attributes = "") {
  auto list = [](const std::vector<std::string> &items) {
    std::string text;
    for (const std::string &item : items)
      text += (text.empty() ? "" : ", ") + item;
    return text;
  };
  return "\"kiln." + name + "\"(" + list(operands) + ")" +
         (attributes.empty() ? "" : " <{" + attributes + "}>") + " : (" + list(operandTypes) +
         ") -> (" + list(resultTypes) + ")\n";
}

/// A function of kiln operations, written line by line.
class KernelText {
public:
  explicit KernelText(std::string name = "k") : name(std::move(name)) {}
  std::string argument(const std::string &type) {
    arguments += (arguments.empty() ? "" : ", ") + ("%a" + std::to_string(count)) + ": " + type;
    types.push_back(type);
    values.push_back("%a" + std::to_string(count++));
    return values.back();
  }
  std::string op(const std::string &opName, const std::vector<std::string> &operands,
                 const std::string &resultType, const std::string &attributes = "") {
    std::vector<std::string> operandTypes;
    for (const std::string &operand : operands)
      operandTypes.push_back(typeOf(operand));
    std::string result = "%v" + std::to_string(count++);
    body +=
        "  " + result + " = " + operation(opName, operands, operandTypes, {resultType}, attributes);
    values.push_back(result);
    types.push_back(resultType);
    return result;
  }
  /// Several results: `%v3#0`, `%v3#1`, ...
  std::vector<std::string> linear(const std::string &x, const std::vector<std::string> &weights,
                                  const std::vector<std::string> &biases,
                                  const std::vector<std::string> &resultTypes,
                                  bool transposed = true) {
    std::vector<std::string> operands = {x}, operandTypes, results;
    operands.insert(operands.end(), weights.begin(), weights.end());
    operands.insert(operands.end(), biases.begin(), biases.end());
    for (const std::string &operand : operands)
      operandTypes.push_back(typeOf(operand));
    std::string base = "%v" + std::to_string(count++);
    body += "  " + base + ":" + std::to_string(resultTypes.size()) + " = " +
            operation("linear", operands, operandTypes, resultTypes,
                      "operandSegmentSizes = array<i32: 1, " + std::to_string(weights.size()) +
                          ", " + std::to_string(biases.size()) +
                          ">, transposed = " + (transposed ? "true" : "false"));
    for (size_t i = 0; i < resultTypes.size(); ++i) {
      results.push_back(base + "#" + std::to_string(i));
      values.push_back(results.back());
      types.push_back(resultTypes[i]);
    }
    return results;
  }
  std::string finish(const std::vector<std::string> &results) const {
    std::string names, resultTypes;
    for (const std::string &result : results) {
      names += (names.empty() ? "" : ", ") + result;
      resultTypes += (resultTypes.empty() ? "" : ", ") + typeOf(result);
    }
    return "func.func private @" + name + "(" + arguments + ") -> (" + resultTypes + ") {\n" +
           body + "  return " + names + " : " + resultTypes + "\n}\n";
  }
  std::string typeOf(const std::string &value) const {
    for (size_t i = 0; i < values.size(); ++i)
      if (values[i] == value)
        return types[i];
    return "?";
  }

private:
  std::string name, arguments, body;
  std::vector<std::string> values, types;
  int count = 0;
};

/// A module with the kernel `@k`: x [m, k], w [n, k], b [n] -> x @ W.T + b.
inline std::string plainLinear(const std::string &dtype, int64_t n, int64_t k) {
  std::string columns = std::to_string(k), rows = std::to_string(n);
  KernelText text;
  std::string x = text.argument(tensorType(dtype, {"m", columns}));
  std::string w = text.argument(tensorType(dtype, {rows, columns}));
  std::string b = text.argument(tensorType(dtype, {rows}));
  return text.finish(text.linear(x, {w}, {b}, {tensorType(dtype, {"m", rows})}));
}

} // namespace kiln::test
