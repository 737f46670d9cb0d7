#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "inference/weights/config_document.h"
#include "inference/weights/single_file/ldm_keys.h"

namespace ssd1b {

/// One level of a UNet as its keys show it.
struct LdmLevel {
  std::int64_t channels = 0;
  std::vector<std::int64_t> depths;  // transformer blocks behind each resnet; 0: no transformer
  bool has_transformers() const;
};

/// A UNet's shape as its keys show it.
struct LdmLayout {
  std::vector<LdmLevel> down, up;         // in the order of execution
  std::optional<std::int64_t> mid_depth;  // absent: one resnet and no transformer
  ModuleNames modules;
};

/// Reads the shape off the keys below `model.diffusion_model.`. Throws Error(BadModel) where they
/// are no UNet of this kind.
LdmLayout read_ldm_layout(const LdmKeys& keys);

/// The UNet's tensors and what shapes say about its config. `family`: what they do not say;
/// `pooled_width`: of the second text encoder's projection.
LdmComponent read_ldm_unet(const LdmKeys& keys, const LdmLayout& layout,
                           const ConfigDocument& family, std::int64_t pooled_width);

}  // namespace ssd1b
