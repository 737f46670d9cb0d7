#include "inference/layers/diffusers_activation.h"

#include <algorithm>
#include <cctype>

namespace ssd1b {

std::optional<Activation> diffusers_activation(const ConfigDocument& document,
                                               const std::string& key) {
  std::optional<std::string> name = document.optional_text(key);
  if (!name) return std::nullopt;
  std::transform(name->begin(), name->end(), name->begin(),
                 [](unsigned char letter) { return static_cast<char>(std::tolower(letter)); });
  for (const char* known : {"silu", "swish", "mish", "gelu", "relu"}) {
    if (*name == known) return activation_named(*name);
  }
  document.fail(key, "silu, swish, mish, gelu or relu");
}

}  // namespace ssd1b
