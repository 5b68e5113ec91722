#include "ir/ShapeRulesFamilies.h"
#include "kiln/Quantization.h"

namespace kiln::ir::rules {

std::vector<TensorType> dequantize(const Use &use) {
  const TensorType &x = use[0];
  if (x.dtype != DType::uint8)
    fail(ErrorKind::type, "C1", "expected uint8: {}", show("packed", x));
  if (x.rank() < 1)
    fail(ErrorKind::value, "C2", "expected a rank of 1 or more: {}", show("packed", x));
  const auto &text = use.attributes.get<std::string>("encoding");
  auto encoding = parseQuantizationEncoding(text);
  if (!encoding || name(*encoding) != text)
    fail(ErrorKind::value, "C3", "no encoding is called \"{}\"", text);
  // Of symbolic rows it is assumed.
  const Dim &length = x.shape[-1];
  int64_t bytes = blockBytes(*encoding);
  std::size_t known = use.assumptions.size();
  auto message = [&] {
    return fmt::format("rows of {} bytes, but the blocks of {} have {}: {}", length.str(), text,
                       bytes, show("packed", x));
  };
  if (!length.isStatic())
    use.assumptions.push_back(length.multipleOf(bytes));
  else if (length.value() % bytes != 0)
    throw Violation{ErrorKind::value, "C4", message()};
  explain(use, known, message);
  Dim elements = length / Dim(bytes) * Dim(blockElements(*encoding));
  return {{DType::float32, concatenate(leading(x.shape, x.rank() - 1), std::span(&elements, 1)),
           x.device}};
}

} // namespace kiln::ir::rules
