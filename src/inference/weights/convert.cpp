#include "inference/weights/convert.h"

#include <c10/util/Float8_e4m3fn.h>
#include <c10/util/Float8_e5m2.h>
#include <c10/util/Half.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <cstring>

#include "inference/weights/bfloats_of_halves.h"
#include "inference/weights/vector_code.h"
#include "ssd1b/error.h"

namespace ssd1b {
namespace {

// Elements go through a float buffer that stays in the first-level cache. The loops below have no
// branch and no call in them, so that the compiler makes vectors of them.
constexpr std::size_t kBlock = 2048;
using FloatBlock = std::array<float, kBlock>;

[[gnu::always_inline]] inline std::uint32_t bits_of_float(float value) {
  std::uint32_t bits = 0;
  std::memcpy(&bits, &value, sizeof bits);
  return bits;
}

[[gnu::always_inline]] inline float float_of_bits(std::uint32_t bits) {
  float value = 0;
  std::memcpy(&value, &bits, sizeof value);
  return value;
}

/// Exact for finite values, subnormal ones too; others are found by the check of raw bits. No
/// subnormal float on the way: processors are slow with those.
[[gnu::always_inline]] inline float float_of_half(std::uint16_t half) {
  const std::uint32_t magnitude = static_cast<std::uint32_t>(half & 0x7fff) << 13;
  const std::uint32_t normal = magnitude + (112U << 23);
  const std::uint32_t subnormal = bits_of_float(float_of_bits(normal + (1U << 23)) - 0x1p-14f);
  const std::uint32_t sign = static_cast<std::uint32_t>(half & 0x8000) << 16;
  return float_of_bits((magnitude < (1U << 23) ? subnormal : normal) | sign);
}

/// Round to nearest even; finite values only.
[[gnu::always_inline]] inline std::uint16_t bfloat16_of_float(float value) {
  const std::uint32_t bits = bits_of_float(value);
  return static_cast<std::uint16_t>((bits + 0x7fff + ((bits >> 16) & 1)) >> 16);
}

template <typename Make>
std::array<float, 256> table_of(Make make) {
  std::array<float, 256> table{};
  for (unsigned i = 0; i < table.size(); ++i) table[i] = make(static_cast<std::uint8_t>(i));
  return table;
}

template <typename Word>
[[gnu::always_inline]] inline bool any_of(Word mask, const Word* elements, std::size_t count) {
  Word found = 0;
  for (std::size_t i = 0; i < count; ++i) {
    found |= static_cast<Word>((elements[i] & mask) == mask ? 1 : 0);
  }
  return found != 0;
}

/// Whether any of the elements has all bits of `mask` set: the exponent of infinity and NaN.
SSD1B_VECTOR_CODE bool any_has(std::uint8_t mask, const std::uint8_t* elements, std::size_t count) {
  return any_of(mask, elements, count);
}
SSD1B_VECTOR_CODE bool any_has(std::uint16_t mask, const std::uint16_t* elements,
                               std::size_t count) {
  return any_of(mask, elements, count);
}
SSD1B_VECTOR_CODE bool any_has(std::uint32_t mask, const std::uint32_t* elements,
                               std::size_t count) {
  return any_of(mask, elements, count);
}
SSD1B_VECTOR_CODE bool any_has(std::uint64_t mask, const std::uint64_t* elements,
                               std::size_t count) {
  return any_of(mask, elements, count);
}

template <typename Word>
std::optional<std::size_t> first_with(Word mask, const void* elements, std::size_t count) {
  const auto* words = static_cast<const Word*>(elements);
  for (std::size_t start = 0; start < count; start += kBlock) {
    const std::size_t n = std::min(kBlock, count - start);
    if (!any_has(mask, words + start, n)) continue;
    for (std::size_t i = start;; ++i) {
      if ((words[i] & mask) == mask) return i;
    }
  }
  return std::nullopt;
}

template <typename Word, typename Function>
void map_elements(const void* source, FloatBlock& out, std::size_t count, Function function) {
  const auto* words = static_cast<const Word*>(source);
  for (std::size_t i = 0; i < count; ++i) out[i] = function(words[i]);
}

SSD1B_VECTOR_CODE void floats_of_halves(const std::uint16_t* halves, float* out,
                                        std::size_t count) {
  for (std::size_t i = 0; i < count; ++i) out[i] = float_of_half(halves[i]);
}

SSD1B_VECTOR_CODE void floats_of_bfloats(const std::uint16_t* bfloats, float* out,
                                         std::size_t count) {
  for (std::size_t i = 0; i < count; ++i) {
    out[i] = float_of_bits(static_cast<std::uint32_t>(bfloats[i]) << 16);
  }
}

SSD1B_VECTOR_CODE void bfloats_of_floats(const float* values, std::uint16_t* out,
                                         std::size_t count) {
  for (std::size_t i = 0; i < count; ++i) out[i] = bfloat16_of_float(values[i]);
}

void to_floats(Dtype from, const void* source, FloatBlock& out, std::size_t count) {
  static const std::array<float, 256> e4m3 = table_of(c10::detail::fp8e4m3fn_to_fp32_value);
  static const std::array<float, 256> e5m2 = table_of(c10::detail::fp8e5m2_to_fp32_value);
  switch (from) {
    case Dtype::F16:
      return floats_of_halves(static_cast<const std::uint16_t*>(source), out.data(), count);
    case Dtype::BF16:
      return floats_of_bfloats(static_cast<const std::uint16_t*>(source), out.data(), count);
    case Dtype::F32:
      return map_elements<float>(source, out, count, [](float value) { return value; });
    case Dtype::F64:
      return map_elements<double>(source, out, count,
                                  [](double value) { return static_cast<float>(value); });
    case Dtype::F8E4M3:
      return map_elements<std::uint8_t>(source, out, count,
                                        [&](std::uint8_t bits) { return e4m3[bits]; });
    case Dtype::F8E5M2:
      return map_elements<std::uint8_t>(source, out, count,
                                        [&](std::uint8_t bits) { return e5m2[bits]; });
    default:
      throw Error(ErrorCode::InternalError, std::string("weights of type ") + name_of(from) +
                                                " are converted: this is a bug");
  }
}

/// Stores a block and returns the index of the first value that became infinite.
std::optional<std::size_t> from_floats(const FloatBlock& values, c10::ScalarType to,
                                       void* destination, std::size_t start, std::size_t count) {
  if (to == c10::ScalarType::Float) {
    auto* out = static_cast<float*>(destination) + start;
    std::copy_n(values.begin(), count, out);
    return first_with<std::uint32_t>(0x7f800000, out, count);
  }
  auto* out = static_cast<std::uint16_t*>(destination) + start;
  if (to == c10::ScalarType::BFloat16) {
    bfloats_of_floats(values.data(), out, count);
    return first_with<std::uint16_t>(0x7f80, out, count);
  }
  for (std::size_t i = 0; i < count; ++i) {
    out[i] = c10::detail::fp16_ieee_from_fp32_value(values[i]);
  }
  return first_with<std::uint16_t>(0x7c00, out, count);
}

}  // namespace

bool is_weight_dtype(Dtype dtype) {
  switch (dtype) {
    case Dtype::F16:
    case Dtype::BF16:
    case Dtype::F32:
    case Dtype::F64:
    case Dtype::F8E4M3:
    case Dtype::F8E5M2:
      return true;
    default:
      return false;
  }
}

std::optional<c10::ScalarType> torch_type_of(Dtype dtype) {
  if (dtype == Dtype::F16) return c10::ScalarType::Half;
  if (dtype == Dtype::BF16) return c10::ScalarType::BFloat16;
  if (dtype == Dtype::F32) return c10::ScalarType::Float;
  return std::nullopt;
}

std::optional<std::size_t> convert_elements(Dtype from, const void* source, c10::ScalarType to,
                                            void* destination, std::size_t count) {
  std::size_t start = 0;
  if (from == Dtype::F16 && to == c10::ScalarType::BFloat16) {
    start = bfloats_of_halves(static_cast<const std::uint16_t*>(source),
                              static_cast<std::uint16_t*>(destination), count);
  }
  const auto* bytes = static_cast<const std::uint8_t*>(source);
  const std::size_t width = static_cast<std::size_t>(bits_of(from)) / 8;
  if (const auto bad = find_non_finite(from, bytes + start * width, count - start)) {
    return start + *bad;
  }
  FloatBlock values;
  for (; start < count; start += kBlock) {
    const std::size_t n = std::min(kBlock, count - start);
    to_floats(from, bytes + start * width, values, n);
    if (const auto bad = from_floats(values, to, destination, start, n)) return start + *bad;
  }
  return std::nullopt;
}

std::optional<std::size_t> find_non_finite(Dtype dtype, const void* elements, std::size_t count) {
  switch (dtype) {
    case Dtype::F16:
      return first_with<std::uint16_t>(0x7c00, elements, count);
    case Dtype::BF16:
      return first_with<std::uint16_t>(0x7f80, elements, count);
    case Dtype::F32:
      return first_with<std::uint32_t>(0x7f800000, elements, count);
    case Dtype::F64:
      return first_with<std::uint64_t>(0x7ff0000000000000, elements, count);
    case Dtype::F8E4M3:  // no infinity; its top exponent holds numbers too
      return first_with<std::uint8_t>(0x7f, elements, count);
    case Dtype::F8E5M2:
      return first_with<std::uint8_t>(0x7c, elements, count);
    default:
      return std::nullopt;
  }
}

double element_value(Dtype dtype, const void* elements, std::size_t index) {
  if (dtype == Dtype::F64) return static_cast<const double*>(elements)[index];
  if (dtype == Dtype::F16) {
    return c10::detail::fp16_ieee_to_fp32_value(static_cast<const std::uint16_t*>(elements)[index]);
  }
  const std::size_t width = static_cast<std::size_t>(bits_of(dtype)) / 8;
  FloatBlock value;
  to_floats(dtype, static_cast<const std::uint8_t*>(elements) + index * width, value, 1);
  return value[0];
}

std::string dtype_name(c10::ScalarType dtype) {
  switch (dtype) {
    case c10::ScalarType::Float:
      return "float32";
    case c10::ScalarType::Half:
      return "float16";
    case c10::ScalarType::BFloat16:
      return "bfloat16";
    default:
      throw Error(ErrorCode::InternalError, "a dtype without a name: this is a bug");
  }
}

}  // namespace ssd1b
