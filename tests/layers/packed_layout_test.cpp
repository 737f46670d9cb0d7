#include "inference/layers/packed_layout.h"

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include <ostream>
#include <utility>
#include <vector>

#include "inference/layers/arrange_weights.h"
#include "inference/layers/onednn.h"

namespace ssd1b {
namespace {

struct Case {
  ParameterUse use;
  std::vector<std::int64_t> shape;
  at::ScalarType dtype;
};

std::ostream& operator<<(std::ostream& out, const Case& each) {
  return out << at::IntArrayRef(each.shape) << ' ' << each.dtype;
}

std::vector<Case> cases() {
  const std::pair<ParameterUse, std::vector<std::int64_t>> kinds[] = {
      {ParameterUse::Matrix, {128, 96}},
      {ParameterUse::Matrix, {640, 320}},
      {ParameterUse::Gated, {256, 64}},
      {ParameterUse::Convolution, {128, 64, 1, 1}}};
  std::vector<Case> all;
  for (const at::ScalarType dtype : {at::kFloat, at::kBFloat16}) {
    for (const auto& [use, shape] : kinds) all.push_back({use, shape, dtype});
  }
  return all;
}

class PackedLayoutOf : public ::testing::TestWithParam<Case> {};

Parameter random_parameter(const Case& of) {
  Parameter parameter(of.shape, of.use);
  parameter.value = at::randn(of.shape).to(of.dtype);
  return parameter;
}

TEST_P(PackedLayoutOf, TheSecondWeightOfAShapeIsWhatOneDnnMakesOfIt) {
  if (!has_onednn(GetParam().dtype)) GTEST_SKIP() << "oneDNN does not multiply it here";
  WeightArranger arranger, another;
  Parameter first = random_parameter(GetParam());
  first.value.zero_();  // says nothing of the layout
  EXPECT_FALSE(arranger.packing_of(first, GetParam().dtype, at::kCPU).has_value());
  arranger.arrange(first, /*is_packed=*/false);
  Parameter second = random_parameter(GetParam());
  Parameter wanted = second;
  another.arrange(wanted, /*is_packed=*/false);
  const auto packing = arranger.packing_of(second, GetParam().dtype, at::kCPU);
  if (!packing) GTEST_SKIP() << "oneDNN has it in another layout here";

  const at::Tensor plain = second.value;
  second.value = at::empty_like(plain);
  for (std::int64_t row = 0; row < plain.size(0); row += packing->rows) {
    packing->pack(plain[row].data_ptr(), second.value[row].data_ptr());
  }
  arranger.arrange(second, /*is_packed=*/true);

  ASSERT_EQ(second.arranged.size(), wanted.arranged.size());
  for (std::size_t i = 0; i < wanted.arranged.size(); ++i) {
    EXPECT_TRUE(has_same_bytes(second.arranged[i], wanted.arranged[i]));
    EXPECT_EQ(second.arranged[i].sizes(), wanted.arranged[i].sizes());
    EXPECT_TRUE(at::equal(second.arranged[i].to_dense(), wanted.arranged[i].to_dense()));
  }
  EXPECT_FALSE(second.value.defined());
}

INSTANTIATE_TEST_SUITE_P(Weights, PackedLayoutOf, ::testing::ValuesIn(cases()));

TEST(PackedLayout, IsNotSeenWhereTheBytesAreOthers) {
  if (!has_onednn(at::kFloat)) GTEST_SKIP() << "this libtorch has no oneDNN";
  const at::Tensor weight = at::randn({128, 96});
  at::Tensor other = weight.clone();
  other[127][95] += 1;

  EXPECT_FALSE(PackedLayout::of(weight, weight).has_value());
  EXPECT_FALSE(PackedLayout::of(weight, onednn_matrix(other, 1024)).has_value());
  EXPECT_FALSE(PackedLayout::of(weight.t(), onednn_matrix(weight.t(), 1024)).has_value());
}

TEST(PackedLayout, IsOnlyOfProductsOnTheCpu) {
  WeightArranger arranger;
  Parameter matrix({64, 64}, ParameterUse::Matrix);
  matrix.value = at::randn(matrix.shape);
  arranger.arrange(matrix, /*is_packed=*/false);

  EXPECT_FALSE(arranger.packing_of(matrix, at::kFloat, c10::Device(c10::kCUDA, 0)));
  EXPECT_FALSE(arranger.packing_of(matrix, at::kHalf, at::kCPU));
  EXPECT_FALSE(arranger.packing_of(Parameter({64, 64}), at::kFloat, at::kCPU));
}

}  // namespace
}  // namespace ssd1b
