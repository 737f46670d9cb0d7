// Rows that get their device's form while they are read.
#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <limits>
#include <map>
#include <string>

#include "inference/weights/bind.h"
#include "weights/probe_files.h"

namespace ssd1b {
namespace {

/// Of each two rows the second one comes first.
class PairPacker : public Arranger {
 public:
  std::optional<RowPacking> packing_of(const Parameter& parameter, at::ScalarType dtype,
                                       const c10::Device&) override {
    const std::size_t bytes =
        static_cast<std::size_t>(parameter.shape.at(1)) * c10::elementSize(dtype);
    return RowPacking{2, [bytes](const void* plain, void* packed) {
                        const auto* from = static_cast<const char*>(plain);
                        std::copy_n(from + bytes, bytes, static_cast<char*>(packed));
                        std::copy_n(from, bytes, static_cast<char*>(packed) + bytes);
                      }};
  }
  void arrange(Parameter&, bool is_packed) override {
    ++(is_packed ? packed_blocks : plain_blocks);
  }

  int packed_blocks = 0;
  int plain_blocks = 0;
};

class RowPackingTest : public ::testing::Test {
 protected:
  /// Fills a stack of two matrices from a file.
  void fill(const std::map<std::string, TensorData>& tensors, at::ScalarType dtype,
            bool is_turned = false) {
    write_safetensors(folder_ / "a.safetensors", tensors);
    auto weights = collect_weights("unet", {SafetensorsFile::open(folder_ / "a.safetensors")});
    if (is_turned) weights.tensors.at("first").transposed = true;
    const auto walk = [&](ParameterVisitor& visitor) {
      const Scope scope(visitor, "");
      scope.stack(all_, {&first_, &second_});
      scope.parameter("first", first_);
      scope.parameter("second", second_);
    };
    LoadOptions options;
    options.dtype = dtype;
    options.arranger = &packer_;
    fill_parameters(plan_parameters(weights, walk, options), options);
  }

  TemporaryFolder folder_;
  PairPacker packer_;
  Parameter first_{{4, 4}}, second_{{2, 4}}, all_;
};

at::Tensor counting(std::int64_t rows, float first) {
  return (at::arange(rows * 4, at::kFloat) * 0.5 + first).view({rows, 4});
}

const at::Tensor& pairs() {
  static const at::Tensor order = at::tensor({1, 0, 3, 2, 5, 4});
  return order;
}

TEST_F(RowPackingTest, RowsOfPartsArePackedWhetherTheyAreConvertedOrNot) {
  const at::Tensor wanted = at::cat({counting(4, 0), counting(2, 20)}).index_select(0, pairs());
  for (const at::ScalarType dtype : {at::kFloat, at::kBFloat16}) {
    fill({{"first", float_data({4, 4}, 0)}, {"second", float_data({2, 4}, 20)}}, dtype);

    EXPECT_TRUE(at::equal(all_.value, wanted.to(dtype)));
  }
  EXPECT_EQ(packer_.packed_blocks, 2);
  EXPECT_EQ(packer_.plain_blocks, 0);
}

TEST_F(RowPackingTest, APartThatIsTurnedOnItsWayLeavesTheWholePlain) {
  fill({{"first", float_data({4, 4}, 0)}, {"second", float_data({2, 4}, 20)}}, at::kFloat,
       /*is_turned=*/true);

  EXPECT_TRUE(at::equal(all_.value, at::cat({counting(4, 0).t(), counting(2, 20)})));
  EXPECT_EQ(packer_.packed_blocks, 0);
  EXPECT_EQ(packer_.plain_blocks, 1);
}

TEST_F(RowPackingTest, ANumberThatIsNotFiniteIsNamedByItsPlaceInTheFile) {
  TensorData second = float_data({2, 4}, 20);
  const float infinity = std::numeric_limits<float>::infinity();
  std::copy_n(reinterpret_cast<const std::uint8_t*>(&infinity), sizeof infinity,
              second.bytes.begin() + 6 * static_cast<std::ptrdiff_t>(sizeof infinity));
  for (const at::ScalarType dtype : {at::kFloat, at::kBFloat16}) {
    const std::string refusal = refusal_of([&] {
      fill({{"first", float_data({4, 4}, 0)}, {"second", second}}, dtype);
    });

    EXPECT_NE(refusal.find("index 6"), std::string::npos) << refusal;
  }
}

}  // namespace
}  // namespace ssd1b
