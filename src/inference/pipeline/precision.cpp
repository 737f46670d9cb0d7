#include "inference/pipeline/precision.h"

#include "ssd1b/error.h"

namespace ssd1b {
namespace {

constexpr int kAmpere = 8;  // major compute capability, the first with bfloat16

at::ScalarType parse_dtype(const std::string& option, const std::string& name) {
  if (name == "float32") return at::kFloat;
  if (name == "float16") return at::kHalf;
  if (name == "bfloat16") return at::kBFloat16;
  throw Error(ErrorCode::Usage,
              option + " must be auto, float32, float16 or bfloat16, got \"" + name + "\"", option);
}

}  // namespace

Precision choose_precision(const std::string& dtype, const std::string& vae_dtype,
                           std::optional<int> capability, bool vae_needs_upcast) {
  Precision precision;
  if (dtype == "auto") {
    precision.networks = capability ? at::kHalf : at::kFloat;
  } else {
    precision.networks = parse_dtype("dtype", dtype);
  }
  if (vae_dtype != "auto") {
    precision.vae = parse_dtype("vae-dtype", vae_dtype);
  } else if (!vae_needs_upcast) {
    precision.vae = precision.networks;
  } else if (capability.value_or(0) < kAmpere || precision.networks == at::kFloat) {
    precision.vae = at::kFloat;
  } else {
    precision.vae = at::kBFloat16;  // float32's range, so nothing overflows
  }
  return precision;
}

}  // namespace ssd1b
