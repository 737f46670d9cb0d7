#pragma once

namespace ssd1b {

/// What a norm does to its result before it writes it down.
enum class Activation { None, Silu };

}  // namespace ssd1b
