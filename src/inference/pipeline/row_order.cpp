#include "inference/pipeline/row_order.h"

#include <ATen/ATen.h>

namespace ssd1b {

at::Tensor RowOrder::join(const std::vector<at::Tensor>& parts) const {
  std::vector<at::Tensor> without, with;
  for (std::size_t i = 0; i < parts.size(); ++i) {
    const auto& [without_prompt, with_prompt] = pictures_[i];
    without.push_back(parts[i].narrow(/*dim=*/0, 0, without_prompt));
    with.push_back(parts[i].narrow(/*dim=*/0, without_prompt, with_prompt));
  }
  without.insert(without.end(), with.begin(), with.end());
  return at::cat(without);
}

std::vector<at::Tensor> RowOrder::split(const at::Tensor& joined) const {
  std::int64_t without = 0;
  std::int64_t with = 0;
  for (const RowCounts& picture : pictures_) with += picture.without_prompt;
  std::vector<at::Tensor> parts;
  for (const RowCounts& picture : pictures_) {
    parts.push_back(at::cat({joined.narrow(/*dim=*/0, without, picture.without_prompt),
                             joined.narrow(/*dim=*/0, with, picture.with_prompt)}));
    without += picture.without_prompt;
    with += picture.with_prompt;
  }
  return parts;
}

}  // namespace ssd1b
