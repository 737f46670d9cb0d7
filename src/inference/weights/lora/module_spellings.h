#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "inference/weights/component_weights.h"

namespace ssd1b {

/// The matrices and convolutions of a component, found under every name that LoRA files have for
/// them: diffusers' and transformers' own, dots or underscores between, the ldm layout's for the
/// UNet, `to_q` for `q_proj` and `to_out` for `to_out.0`. Built from the component's own tensors.
class ModuleSpellings {
 public:
  explicit ModuleSpellings(const ComponentWeights& weights);

  /// The component's name of a module, as `mid_block.resnets.0.conv1`; nullopt where it has none.
  std::optional<std::string> find(const std::string& spelling) const;
  /// Whether any module's spelling begins so.
  bool has_start(const std::string& start) const;

 private:
  void add(const std::string& spelling, const std::string& module);

  std::map<std::string, std::string> modules_;  // by their spellings, underscores for dots
};

/// A module's name as kohya writes it: underscores for dots.
std::string underscored(std::string name);

/// What the ldm layout calls modules of a UNet with diffusers' names, where it has a name for them:
/// `input_blocks.4.1.proj_in` for `down_blocks.1.attentions.0.proj_in`. Depends on how many resnets
/// each block has, so all modules come at once.
std::map<std::string, std::string> ldm_names(const std::vector<std::string>& modules);

}  // namespace ssd1b
