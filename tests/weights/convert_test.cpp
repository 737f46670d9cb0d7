#include "inference/weights/convert.h"

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include <cstring>

namespace ssd1b {
namespace {

at::Tensor every_pattern(at::ScalarType dtype) {
  const std::int64_t count = at::elementSize(dtype) == 1 ? 256 : 65'536;
  at::Tensor patterns = at::arange(count, at::kInt);
  patterns = patterns.to(count == 256 ? at::kByte : at::kUInt16);
  return patterns.view(dtype);
}

struct TypePair {
  Dtype ours;
  at::ScalarType theirs;
};
const std::vector<TypePair> kSources = {{Dtype::F16, at::kHalf},
                                        {Dtype::BF16, at::kBFloat16},
                                        {Dtype::F8E4M3, at::kFloat8_e4m3fn},
                                        {Dtype::F8E5M2, at::kFloat8_e5m2},
                                        {Dtype::F32, at::kFloat},
                                        {Dtype::F64, at::kDouble}};

/// Finite values of the type that stay finite in the other: every bit pattern of the small types.
at::Tensor values_of(const TypePair& from, at::ScalarType to) {
  at::Tensor values;
  if (at::elementSize(from.theirs) <= 2) {
    values = every_pattern(from.theirs);
  } else {
    const at::Tensor normal = at::randn({40'000}, at::TensorOptions().dtype(from.theirs));
    values = at::cat({normal, normal * 1e-5, normal * 1e-8, normal * 1e4, normal * 0.0});
  }
  const at::Tensor wide = values.to(at::kDouble);
  const at::Tensor is_kept =
      at::logical_and(wide.isfinite(), values.to(at::kFloat).to(to).to(at::kDouble).isfinite());
  const at::Tensor kept = at::nonzero(is_kept).flatten();
  const at::ScalarType bits = at::elementSize(from.theirs) == 1   ? at::kByte
                              : at::elementSize(from.theirs) == 2 ? at::kShort
                              : at::elementSize(from.theirs) == 4 ? at::kInt
                                                                  : at::kLong;
  return values.view(bits).index_select(0, kept).contiguous().view(from.theirs);
}

TEST(Convert, EqualsTorchBitForBit) {
  for (const TypePair& from : kSources) {
    for (const at::ScalarType to : {at::kFloat, at::kHalf, at::kBFloat16}) {
      const at::Tensor values = values_of(from, to);
      ASSERT_GT(values.numel(), 200);
      const at::Tensor want = values.to(at::kFloat).to(to);
      at::Tensor got = at::empty_like(want);

      const auto bad = convert_elements(from.ours, values.data_ptr(), to, got.data_ptr(),
                                        static_cast<std::size_t>(values.numel()));

      EXPECT_EQ(bad, std::nullopt) << name_of(from.ours);
      EXPECT_EQ(std::memcmp(got.data_ptr(), want.data_ptr(), want.nbytes()), 0)
          << name_of(from.ours) << " to " << at::toString(to);
    }
  }
}

TEST(Convert, FindsEveryElementThatIsNotFinite) {
  for (const TypePair& from : kSources) {
    if (at::elementSize(from.theirs) > 2) continue;
    const at::Tensor values = every_pattern(from.theirs);
    const at::Tensor is_finite = values.to(at::kFloat).isfinite();
    const auto width = static_cast<std::size_t>(values.element_size());
    for (std::int64_t i = 0; i < values.numel(); ++i) {
      const auto* element =
          static_cast<const char*>(values.data_ptr()) + width * static_cast<std::size_t>(i);
      const bool is_found = find_non_finite(from.ours, element, 1).has_value();
      ASSERT_EQ(is_found, !is_finite.const_data_ptr<bool>()[i]) << name_of(from.ours) << " " << i;
    }
  }
}

TEST(Convert, NamesTheIndexBehindABlock) {
  std::vector<float> values(5000, 1.0F);
  values[4321] = 1e30F;
  std::vector<std::uint16_t> out(values.size());

  EXPECT_EQ(convert_elements(Dtype::F32, values.data(), at::kHalf, out.data(), values.size()),
            4321u);
  std::vector<float> out_floats(values.size());
  values[2100] = std::numeric_limits<float>::quiet_NaN();
  EXPECT_EQ(
      convert_elements(Dtype::F32, values.data(), at::kFloat, out_floats.data(), values.size()),
      2100u);
  EXPECT_EQ(element_value(Dtype::F32, values.data(), 4321), 1e30F);
}

/// In vectors and in the rest behind the last whole one.
TEST(Convert, OfHalvesHasNoOtherEnds) {
  constexpr std::uint16_t kInfinity = 0x7c00;
  const at::Tensor patterns = values_of({Dtype::F16, at::kHalf}, at::kBFloat16);
  for (const std::size_t count : {1, 15, 16, 17, 100}) {
    std::vector<std::uint16_t> halves(count);
    std::memcpy(halves.data(), patterns.data_ptr(), 2 * count);
    const at::Tensor want =
        patterns.narrow(0, 0, static_cast<std::int64_t>(count)).to(at::kBFloat16);
    std::vector<std::uint16_t> out(count + 1, 7);
    const auto convert = [&] {
      return convert_elements(Dtype::F16, halves.data(), at::kBFloat16, out.data(), count);
    };

    EXPECT_EQ(convert(), std::nullopt);
    EXPECT_EQ(std::memcmp(out.data(), want.data_ptr(), want.nbytes()), 0) << count;
    EXPECT_EQ(out.back(), 7);
    for (std::size_t i = count; i-- > 0;) {
      halves[i] = kInfinity;
      EXPECT_EQ(convert(), i);
    }
  }
}

TEST(DtypeName, IsTheOptionsOwn) {
  EXPECT_EQ(dtype_name(at::kFloat), "float32");
  EXPECT_EQ(dtype_name(at::kHalf), "float16");
  EXPECT_EQ(dtype_name(at::kBFloat16), "bfloat16");
}

}  // namespace
}  // namespace ssd1b
