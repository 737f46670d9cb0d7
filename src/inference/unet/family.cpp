#include "inference/unet/family.h"

#include <vector>

namespace ssd1b {
namespace {

using Depths = std::vector<std::vector<std::int64_t>>;

/// Depths level by level; an empty list where a level has no transformers.
Depths depths_of(const std::vector<UNetBlockConfig>& blocks) {
  Depths depths;
  for (const UNetBlockConfig& block : blocks) {
    depths.push_back(block.has_transformers ? block.depths : std::vector<std::int64_t>());
  }
  return depths;
}

struct Family {
  const char* name;
  Depths down, mid, up;
};

}  // namespace

std::string family_of(const UNetConfig& config) {
  static const Family kFamilies[] = {
      {"ssd-1b", {{}, {2, 2}, {4, 4}}, {{}}, {{4, 4, 10}, {2, 1, 1}, {}}},
      {"vega", {{}, {1, 1}, {2, 2}}, {{}}, {{2, 2, 2}, {1, 1, 1}, {}}},
      {"sdxl", {{}, {2, 2}, {10, 10}}, {{10}}, {{10, 10, 10}, {2, 2, 2}, {}}},
  };
  const Depths mid =
      config.mid_block ? depths_of({*config.mid_block}) : std::vector<std::vector<std::int64_t>>();
  for (const Family& family : kFamilies) {
    if (depths_of(config.down_blocks) == family.down && mid == family.mid &&
        depths_of(config.up_blocks) == family.up) {
      return family.name;
    }
  }
  return "sdxl-like";
}

}  // namespace ssd1b
