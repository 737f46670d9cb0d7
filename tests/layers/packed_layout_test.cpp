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

TEST_P(PackedLayoutOf, PackedRowsAreWhatOneDnnMakesOfThem) {
  if (!has_onednn(GetParam().dtype)) GTEST_SKIP() << "oneDNN does not multiply it here";
  WeightArranger arranger;
  Parameter packed = random_parameter(GetParam());
  Parameter wanted = packed;
  arranger.arrange(wanted, /*is_packed=*/false);
  const auto packing = arranger.packing_of(packed, GetParam().dtype, at::kCPU);
  if (!packing) GTEST_SKIP() << "oneDNN has it in another layout here";

  const at::Tensor plain = packed.value;
  packed.value = at::empty_like(plain);
  for (std::int64_t row = 0; row < plain.size(0); row += packing->rows) {
    packing->pack(plain[row].data_ptr(), packed.value[row].data_ptr());
  }
  arranger.arrange(packed, /*is_packed=*/true);

  ASSERT_EQ(packed.arranged.size(), wanted.arranged.size());
  for (std::size_t i = 0; i < wanted.arranged.size(); ++i) {
    EXPECT_TRUE(has_same_bytes(packed.arranged[i], wanted.arranged[i]));
    EXPECT_EQ(packed.arranged[i].sizes(), wanted.arranged[i].sizes());
    EXPECT_TRUE(at::equal(packed.arranged[i].to_dense(), wanted.arranged[i].to_dense()));
  }
  EXPECT_FALSE(packed.value.defined());
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

TEST(PackedLayout, IsOnlyOfMatricesOnTheCpu) {
  WeightArranger arranger;
  const Parameter matrix({64, 64}, ParameterUse::Matrix);

  EXPECT_FALSE(arranger.packing_of(matrix, at::kFloat, c10::Device(c10::kCUDA, 0)));
  EXPECT_FALSE(arranger.packing_of(matrix, at::kHalf, at::kCPU));
  EXPECT_FALSE(arranger.packing_of(Parameter({64, 64}), at::kFloat, at::kCPU));
  const Parameter kernel({64, 64, 3, 3}, ParameterUse::Convolution);
  EXPECT_FALSE(arranger.packing_of(kernel, at::kFloat, at::kCPU));
}

}  // namespace
}  // namespace ssd1b
