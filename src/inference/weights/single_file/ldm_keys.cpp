#include "inference/weights/single_file/ldm_keys.h"

#include <algorithm>

#include "inference/weights/name_matching.h"
#include "ssd1b/error.h"

namespace ssd1b {
namespace {

// Of SDXL, SSD-1B and Vega alike.
constexpr std::int64_t kHeadWidth = 64;
constexpr std::int64_t kNormGroups = 32;

std::int64_t halved_until_it_divides(std::int64_t divisor,
                                     const std::vector<std::int64_t>& widths) {
  const auto fits = [&](std::int64_t width) { return width % divisor == 0; };
  while (!std::all_of(widths.begin(), widths.end(), fits)) divisor /= 2;  // 1 fits
  return divisor;
}

}  // namespace

LdmKeys::LdmKeys(SafetensorsFile file, const std::string& prefix)
    : file_(std::move(file)), prefix_(prefix) {
  for (const TensorInfo& tensor : file_.tensors()) {
    if (!starts_with(tensor.name, prefix)) continue;
    const std::string name = tensor.name.substr(prefix.size());
    if (!is_known_leftover(tensor.name) && !is_known_leftover(name)) tensors_[name] = &tensor;
  }
}

bool LdmKeys::has_module(const std::string& module) const {
  const std::string start = module + ".";
  const auto found = tensors_.lower_bound(start);
  return found != tensors_.end() && starts_with(found->first, start);
}

std::int64_t LdmKeys::count(const std::string& list) const {
  std::int64_t n = 0;
  while (has_module(module_at(list, n))) ++n;
  return n;
}

std::int64_t LdmKeys::size(const std::string& tensor, std::size_t dimension) const {
  const auto found = tensors_.find(tensor);
  if (found == tensors_.end() || found->second->shape.size() <= dimension) {
    throw Error(ErrorCode::BadModel,
                file_.path().string() + ": tensor " + shown(prefix_ + tensor) +
                    " must be there with at least " + std::to_string(dimension + 1) +
                    " dimensions, got " +
                    (found == tensors_.end() ? "none" : text_of(found->second->shape)));
  }
  return found->second->shape[dimension];
}

std::string module_at(const std::string& list, std::int64_t index) {
  return list + "." + std::to_string(index);
}

std::string renamed(const ModuleNames& modules, const std::string& name) {
  for (std::size_t end = name.size(); end != std::string::npos && end > 0;
       end = name.rfind('.', end - 1)) {
    const auto found = modules.find(name.substr(0, end));
    if (found != modules.end()) return found->second + name.substr(end);
  }
  return name;
}

void add_source(ComponentWeights& weights, const std::string& name, TensorSource source) {
  const auto [at, is_new] = weights.tensors.emplace(name, std::move(source));
  if (!is_new) {
    throw Error(ErrorCode::BadModel, weights.path.string() + ": the parameter " + shown(name) +
                                         " must come once, got it twice, as " +
                                         shown(at->second.file_name));
  }
}

std::vector<std::int64_t> heads_of(const std::vector<std::int64_t>& widths,
                                   const std::vector<std::int64_t>& family_heads) {
  bool family_fits = widths.size() == family_heads.size();
  for (std::size_t i = 0; family_fits && i < widths.size(); ++i) {
    family_fits = family_heads[i] > 0 && widths[i] % family_heads[i] == 0;
  }
  if (family_fits) return family_heads;
  const std::int64_t head_width = halved_until_it_divides(kHeadWidth, widths);
  std::vector<std::int64_t> heads;
  for (const std::int64_t width : widths) heads.push_back(width / head_width);
  return heads;
}

std::int64_t norm_groups_of(const std::vector<std::int64_t>& widths) {
  return halved_until_it_divides(kNormGroups, widths);
}

}  // namespace ssd1b
