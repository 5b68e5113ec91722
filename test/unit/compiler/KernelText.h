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

/// A module with the kernel `@k`: x [m, k], w [n, k], b [n] -> x @ W.T + b.
inline std::string plainLinear(const std::string &dtype, int64_t n, int64_t k) {
  std::string x = tensorType(dtype, {"m", std::to_string(k)});
  std::string w = tensorType(dtype, {std::to_string(n), std::to_string(k)});
  std::string b = tensorType(dtype, {std::to_string(n)});
  std::string y = tensorType(dtype, {"m", std::to_string(n)});
  return "func.func private @k(%x: " + x + ", %w: " + w + ", %b: " + b + ") -> " + y +
         " {\n %y = kiln.linear %x, weights(%w) biases(%b) : (" + x + ", " + w + ", " + b +
         ") -> " + y + "\n return %y : " + y + "\n}";
}

} // namespace kiln::test
