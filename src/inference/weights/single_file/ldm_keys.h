#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "inference/weights/component_weights.h"

namespace ssd1b {

/// The tensors of one component of a single-file checkpoint (ldm layout), without their prefix.
class LdmKeys {
 public:
  LdmKeys(SafetensorsFile file, const std::string& prefix);

  const SafetensorsFile& file() const { return file_; }
  const std::map<std::string, const TensorInfo*>& tensors() const { return tensors_; }

  bool has(const std::string& tensor) const { return tensors_.count(tensor) > 0; }
  /// Whether a tensor's name begins with `module` and a dot.
  bool has_module(const std::string& module) const;
  /// How many of `list`.0, `list`.1, ... there are.
  std::int64_t count(const std::string& list) const;
  /// A dimension of a tensor. Throws Error(BadModel) where the tensor or its dimension is missing.
  std::int64_t size(const std::string& tensor, std::size_t dimension) const;

 private:
  SafetensorsFile file_;
  std::string prefix_;
  std::map<std::string, const TensorInfo*> tensors_;
};

/// The name of one module of a list.
std::string module_at(const std::string& list, std::int64_t index);

/// Modules of the ldm layout and what diffusers calls them.
using ModuleNames = std::map<std::string, std::string>;

/// The name with its longest module that is listed replaced; a name without one stays, so that
/// binding reports it as it is in the file.
std::string renamed(const ModuleNames& modules, const std::string& name);

/// Keys of a config and their values as JSON, read off a checkpoint's keys and shapes.
using ConfigChanges = std::vector<std::pair<std::string, std::string>>;

/// One component of a single-file checkpoint.
struct LdmComponent {
  ComponentWeights weights;
  ConfigChanges config;
};

/// Puts a tensor under its diffusers name. Throws Error(BadModel) where that name is taken.
void add_source(ComponentWeights& weights, const std::string& name, TensorSource source);

/// Attention heads of layers of these widths, which no shape tells: as many as the family has where
/// they divide the widths, else 64 wide each as in every model of the family, or half of it as
/// often as widths ask for. Same order as `widths`.
std::vector<std::int64_t> heads_of(const std::vector<std::int64_t>& widths,
                                   const std::vector<std::int64_t>& family_heads);

/// Groups of the norms of layers of these widths, which no shape tells: 32 as in every model of the
/// family, or half of it as often as widths ask for.
std::int64_t norm_groups_of(const std::vector<std::int64_t>& widths);

}  // namespace ssd1b
