#include "inference/pipeline/row_order.h"

#include <ATen/ATen.h>
#include <gtest/gtest.h>

namespace ssd1b {
namespace {

/// Rows of one number each.
at::Tensor rows(std::vector<double> values) { return at::tensor(values).unsqueeze(1); }

TEST(RowOrder, RowsWithoutAPromptComeFirstAndGoBackToTheirPictures) {
  const RowOrder order({{1, 1}, {0, 2}, {0, 1}, {1, 1}});
  const std::vector<at::Tensor> parts{rows({1, 2}), rows({3, 4}), rows({5}), rows({6, 7})};

  const at::Tensor joined = order.join(parts);

  EXPECT_TRUE(at::equal(joined, rows({1, 6, 2, 3, 4, 5, 7})));
  const std::vector<at::Tensor> back = order.split(joined);
  ASSERT_EQ(back.size(), parts.size());
  for (std::size_t i = 0; i < parts.size(); ++i) EXPECT_TRUE(at::equal(back[i], parts[i])) << i;
}

}  // namespace
}  // namespace ssd1b
