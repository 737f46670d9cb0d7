#include "inference/weights/lora/module_spellings.h"

#include <algorithm>
#include <array>
#include <regex>
#include <utility>

#include "inference/weights/name_matching.h"
#include "inference/weights/single_file/ldm_unet.h"

namespace ssd1b {
namespace {

/// `name` with its ending exchanged; empty where it has another ending.
std::string with_ending(const std::string& name, const std::string& from, const std::string& to) {
  if (!ends_with(name, from)) return "";
  return name.substr(0, name.size() - from.size()) + to;
}

// Far above any name of a module; longer ones are none of ours.
constexpr std::size_t kMaxName = 256;

/// A matrix or a convolution; embeddings are looked up, not multiplied.
bool is_product(const std::string& name, const TensorSource& source) {
  return name.size() <= kMaxName && ends_with(name, ".weight") && source.shape.size() >= 2 &&
         !ends_with(name, "token_embedding.weight") &&
         !ends_with(name, "position_embedding.weight");
}

/// How many resnets each block of `side` (down_blocks, up_blocks) has.
std::vector<int> resnet_counts(const std::vector<std::string>& modules, const std::string& side) {
  const std::regex pattern(side + R"(\.(\d{1,3})\.resnets\.(\d{1,3})\..*)");
  std::vector<int> counts;
  for (const std::string& module : modules) {
    std::smatch found;
    if (!std::regex_match(module, found, pattern)) continue;
    const std::size_t block = std::stoul(found.str(1));
    if (counts.size() <= block) counts.resize(block + 1);
    counts[block] = std::max(counts[block], std::stoi(found.str(2)) + 1);
  }
  return counts;
}

/// What the ldm layout calls one of these by diffusers' name; nullptr where it is none of them.
template <std::size_t Count>
const char* ldm_name_of(const std::string& name,
                        const std::array<std::pair<const char*, const char*>, Count>& names) {
  for (const auto& [theirs, ours] : names) {
    if (name == ours) return theirs;
  }
  return nullptr;
}

/// What stands behind a resnet's or a transformer's name.
std::string ldm_tail(const std::string& tail) {
  const char* part = ldm_name_of(tail, kLdmResnetParts);
  return part != nullptr ? part : tail;
}

/// Counts the ldm layout's blocks off the resnets of diffusers'.
class LdmPlaces {
 public:
  explicit LdmPlaces(const std::vector<std::string>& modules)
      : down_(resnet_counts(modules, "down_blocks")), up_(resnet_counts(modules, "up_blocks")) {
    for (const std::string& module : modules) {
      if (starts_with(module, "up_blocks.") && module.find(".attentions.") != std::string::npos) {
        with_attention_.push_back(module.substr(0, module.find(".attentions.")));
      }
    }
  }

  /// Empty for a module outside the blocks.
  std::string name_of(const std::string& module) const {
    static const std::regex in_block(
        R"((down|up)_blocks\.(\d{1,3})\.(resnets|attentions|downsamplers|upsamplers)\.(\d{1,3})\.(.*))");
    static const std::regex in_middle(R"(mid_block\.(resnets|attentions)\.(\d)\.(.*))");
    std::smatch found;
    if (std::regex_match(module, found, in_middle)) {
      const bool is_resnet = found.str(1) == "resnets";
      const int place = is_resnet ? 2 * std::stoi(found.str(2)) : 1;
      return "middle_block." + std::to_string(place) + "." + ldm_tail(found.str(3));
    }
    if (!std::regex_match(module, found, in_block)) return "";
    const bool is_down = found.str(1) == "down";
    const std::size_t block = std::stoul(found.str(2));
    const std::string kind = found.str(3);
    const int layer = std::stoi(found.str(4));
    if (kind == "downsamplers") return place(is_down, block, down_[block]) + ".0.op";
    if (kind == "upsamplers") {
      const bool attends = std::count(with_attention_.begin(), with_attention_.end(),
                                      "up_blocks." + found.str(2)) > 0;
      return place(is_down, block, up_[block] - 1) + (attends ? ".2.conv" : ".1.conv");
    }
    return place(is_down, block, layer) + (kind == "resnets" ? ".0." : ".1.") +
           ldm_tail(found.str(5));
  }

 private:
  std::string place(bool is_down, std::size_t block, int layer) const {
    int index = layer + (is_down ? 1 : 0);  // input_blocks.0 is conv_in
    const std::vector<int>& counts = is_down ? down_ : up_;
    for (std::size_t i = 0; i < block; ++i) index += counts[i] + (is_down ? 1 : 0);
    return (is_down ? "input_blocks." : "output_blocks.") + std::to_string(index);
  }

  std::vector<int> down_, up_;
  std::vector<std::string> with_attention_;
};

}  // namespace

std::string underscored(std::string name) {
  std::replace(name.begin(), name.end(), '.', '_');
  return name;
}

std::map<std::string, std::string> ldm_names(const std::vector<std::string>& modules) {
  const LdmPlaces places(modules);
  std::map<std::string, std::string> names;
  for (const std::string& module : modules) {
    const char* outer = ldm_name_of(module, kLdmOuterModules);
    const std::string name = outer != nullptr ? outer : places.name_of(module);
    if (!name.empty()) names[module] = name;
  }
  return names;
}

ModuleSpellings::ModuleSpellings(const ComponentWeights& weights) {
  std::vector<std::string> modules;
  for (const auto& [name, source] : weights.tensors) {
    if (is_product(name, source)) modules.push_back(with_ending(name, ".weight", ""));
  }
  constexpr std::array<std::pair<const char*, const char*>, 5> kEndings = {{
      {"to_out.0", "to_out"},
      {"self_attn.q_proj", "self_attn.to_q"},
      {"self_attn.k_proj", "self_attn.to_k"},
      {"self_attn.v_proj", "self_attn.to_v"},
      {"self_attn.out_proj", "self_attn.to_out"},
  }};
  for (const std::string& module : modules) {
    add(module, module);
    for (const auto& [from, to] : kEndings) add(with_ending(module, from, to), module);
  }
  if (weights.component == "unet") {
    for (const auto& [module, name] : ldm_names(modules)) add(name, module);
  }
}

void ModuleSpellings::add(const std::string& spelling, const std::string& module) {
  if (spelling.empty()) return;
  modules_.emplace(underscored(spelling), module);
  // transformers 5.6 and newer leave this out.
  const std::string prefix = "text_model.";
  if (starts_with(spelling, prefix)) add(spelling.substr(prefix.size()), module);
}

std::optional<std::string> ModuleSpellings::find(const std::string& spelling) const {
  std::string plain = spelling;
  const std::string processor = ".processor";  // of old attention classes
  const std::size_t at = plain.find(processor + ".");
  if (at != std::string::npos) plain.erase(at, processor.size());
  const auto found = modules_.find(underscored(plain));
  if (found == modules_.end()) return std::nullopt;
  return found->second;
}

bool ModuleSpellings::has_start(const std::string& start) const {
  const std::string plain = underscored(start);
  const auto found = modules_.lower_bound(plain);
  return found != modules_.end() && starts_with(found->first, plain);
}

}  // namespace ssd1b
