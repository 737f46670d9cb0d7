#pragma once

namespace ssd1b {

/// Whether the CPU multiplies bfloat16 numbers itself (AVX512-BF16, AMX-BF16 or Arm's BF16).
bool has_native_bfloat16();

}  // namespace ssd1b
