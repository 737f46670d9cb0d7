#pragma once

#include <c10/core/ScalarType.h>

#include <cstddef>
#include <optional>
#include <string>

#include "inference/weights/safetensors_file.h"

namespace ssd1b {

/// Whether weights may be stored in this type.
bool is_weight_dtype(Dtype dtype);

/// The torch type of the same bits, where convert_elements would only copy.
std::optional<c10::ScalarType> torch_type_of(Dtype dtype);

/// float32, float16 or bfloat16, as the option --dtype has it.
std::string dtype_name(c10::ScalarType dtype);

/// Converts `count` elements to kFloat, kHalf or kBFloat16, rounding to nearest even as torch does.
/// Both sides must be aligned to their elements. Returns the index of the first element that is not
/// finite, or is not finite any more in `to`; what was written is then of no use.
std::optional<std::size_t> convert_elements(Dtype from, const void* source, c10::ScalarType to,
                                            void* destination, std::size_t count);

/// The index of the first element that is NaN or infinite. Aligned as above.
std::optional<std::size_t> find_non_finite(Dtype dtype, const void* elements, std::size_t count);

/// One element as a number, for messages.
double element_value(Dtype dtype, const void* elements, std::size_t index);

}  // namespace ssd1b
