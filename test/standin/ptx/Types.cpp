#include "standin/ptx/Ptx.h"

namespace standin::ptx {
namespace {

struct NamedType {
  std::string_view name;
  Type type;
  int bits;
};
constexpr NamedType namedTypes[] = {
    {"pred", Type::pred, 1},  {"b8", Type::b8, 8},        {"b16", Type::b16, 16},
    {"b32", Type::b32, 32},   {"b64", Type::b64, 64},     {"b128", Type::b128, 128},
    {"u8", Type::u8, 8},      {"u16", Type::u16, 16},     {"u32", Type::u32, 32},
    {"u64", Type::u64, 64},   {"s8", Type::s8, 8},        {"s16", Type::s16, 16},
    {"s32", Type::s32, 32},   {"s64", Type::s64, 64},     {"f16", Type::f16, 16},
    {"bf16", Type::bf16, 16}, {"tf32", Type::tf32, 32},   {"f32", Type::f32, 32},
    {"f64", Type::f64, 64},   {"f16x2", Type::f16x2, 32}, {"bf16x2", Type::bf16x2, 32},
};

} // namespace

int bitsOf(Type type) {
  for (const NamedType &named : namedTypes)
    if (named.type == type)
      return named.bits;
  return 0;
}

bool isSigned(Type type) {
  return type == Type::s8 || type == Type::s16 || type == Type::s32 || type == Type::s64;
}

bool isFloating(Type type) {
  return type == Type::f16 || type == Type::bf16 || type == Type::f32 || type == Type::f64 ||
         type == Type::tf32;
}

Type typeNamed(std::string_view name) {
  for (const NamedType &named : namedTypes)
    if (named.name == name)
      return named.type;
  return Type::none;
}

} // namespace standin::ptx
