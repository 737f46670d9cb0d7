#pragma once

namespace ssd1b {

/// How many threads one worker should compute with: the physical cores that this process may run on
/// (its affinity), but no more than its control group's CPU limit, and at least 1. Reads Linux's
/// /sys and /proc; what cannot be read does not limit.
int usable_cores();

/// Whether the CPU multiplies bfloat16 numbers itself (AVX512-BF16, AMX-BF16 or Arm's BF16).
bool has_native_bfloat16();

}  // namespace ssd1b
