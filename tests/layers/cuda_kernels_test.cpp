// What can be said of our CUDA kernels without a GPU: the division of the work, that the library
// opens and answers, and that nothing of it is used on the CPU. That they compute what ATen does is
// proven on the device itself at every start (prove_cuda_kernels).
#include "inference/layers/cuda_kernels.h"

#include <ATen/ATen.h>
#include <dlfcn.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <vector>

#include "inference/layers/norms.h"
#include "inference/layers/prove_cuda_kernels.h"
#include "inference/layers/unbiased.h"
#include "kernels.h"
#include "norm_plan.h"

namespace ssd1b {
namespace {

struct NormShape {
  std::int64_t rows, channels, groups;
};

/// Of the UNet and the VAE at many sizes, then odd ones.
const NormShape kNormShapes[] = {
    {64, 2560, 32},     {1024, 1280, 32},   {1024, 1920, 32},   {1024, 2560, 32},
    {4096, 640, 32},    {4096, 960, 32},    {4225, 640, 32},    {16384, 320, 32},
    {16384, 960, 32},   {16384, 512, 32},   {262144, 256, 32},  {262144, 512, 32},
    {1048576, 128, 32}, {1048576, 256, 32}, {4194304, 128, 32}, {1, 64, 32},
    {99, 48, 12},       {77, 512, 1},       {33, 2048, 4},      {50, 20, 10},
    {35, 24, 12},       {300, 4, 1},        {7, 4, 2},          {65, 62, 31},
    {129, 496, 31},     {40, 2040, 4},      {30, 1240, 31},     {200, 512, 256},
    {128, 1280, 640},   {1, 2, 1},          {100'003, 256, 32}, {99'991, 62, 31}};

/// How often the threads of the kernel, with vectors of `width` channels, come to each row and
/// channel of a picture.
struct Visits {
  Visits(const NormPlan& plan, std::int64_t width) : rows(plan.rows), channels(plan.channels) {
    const std::int64_t vectors = plan.tile_channels / width;
    const std::int64_t side_by_side = kNormThreads / vectors;
    for (std::int64_t chunk = 0; chunk < plan.chunks; ++chunk) {
      for (std::int64_t first = 0; first < side_by_side; ++first) {
        for (std::int64_t row = first; row < plan.chunk_rows; row += side_by_side) {
          const std::int64_t at = chunk * plan.chunk_rows + row;
          if (at < plan.rows) ++rows[at];
        }
      }
    }
    for (std::int64_t channel = 0; channel < plan.tiles * plan.tile_channels; channel += width) {
      for (std::int64_t i = 0; channel < plan.channels && i < width; ++i)
        ++channels.at(channel + i);
    }
  }

  std::vector<int> rows, channels;
};

TEST(NormPlan, VisitsEveryRowAndChannelOnce) {
  for (const NormShape& shape : kNormShapes) {
    ASSERT_TRUE(can_plan_norm(shape.channels, shape.groups)) << shape.channels;
    const NormPlan plan = plan_norm(shape.rows, shape.channels, shape.groups);

    for (const std::int64_t width : {plan.vector_channels, std::int64_t{2}}) {
      const Visits visits(plan, width);

      EXPECT_EQ(visits.rows, std::vector<int>(shape.rows, 1)) << shape.rows;
      EXPECT_EQ(visits.channels, std::vector<int>(shape.channels, 1)) << shape.channels;
    }
  }
}

TEST(NormPlan, FitsTheThreadsOfABlock) {
  for (const NormShape& shape : kNormShapes) {
    SCOPED_TRACE(testing::Message() << shape.rows << " x " << shape.channels);
    const NormPlan plan = plan_norm(shape.rows, shape.channels, shape.groups);

    EXPECT_EQ(plan.tile_channels, plan.tile_groups * plan.group_channels);  // whole groups
    EXPECT_EQ(plan.tile_channels % plan.vector_channels, 0);
    EXPECT_EQ(plan.channels % plan.vector_channels, 0);
    EXPECT_LE(plan.tile_channels, 2 * kNormThreads);
    EXPECT_LE(plan.tile_groups * plan.team, kNormThreads);
    EXPECT_TRUE(plan.team <= 32 && (plan.team & (plan.team - 1)) == 0);  // within one warp
    EXPECT_LT((plan.tiles - 1) * plan.tile_channels, shape.channels);    // no block without work
    EXPECT_LT((plan.chunks - 1) * plan.chunk_rows, shape.rows);
    EXPECT_LE(plan.chunks, plan.adds_apart ? 2048 : 128);
    EXPECT_EQ(plan.partial_floats(3), 3 * 2 * plan.groups * (plan.chunks + 1));
  }
}

TEST(NormPlan, FillsTheDeviceWithOneLargePicture) {
  for (const NormShape& shape : kNormShapes) {
    if (shape.rows * shape.channels < (1 << 23)) continue;
    const NormPlan plan = plan_norm(shape.rows, shape.channels, shape.groups);

    EXPECT_GE(plan.chunks * plan.tiles, 512) << shape.rows << " x " << shape.channels;
  }
}

TEST(NormPlan, RefusesShapesThatPairsOfChannelsDoNotFit) {
  EXPECT_FALSE(can_plan_norm(36, 12));   // three channels a group
  EXPECT_FALSE(can_plan_norm(100, 32));  // no whole groups
  EXPECT_FALSE(can_plan_norm(1028, 1));  // a group wider than a tile
  EXPECT_FALSE(can_plan_norm(64, 0));
}

TEST(CudaKernels, AreLeftOutOnTheCpu) {
  const at::Tensor input = at::randn({1, 64, 4, 4}).contiguous(at::MemoryFormat::ChannelsLast);
  const at::Tensor ones = at::ones({64});

  EXPECT_TRUE(prove_cuda_kernels(c10::Device(c10::kCPU), at::kFloat).empty());
  EXPECT_FALSE(cuda_group_norm({input, {}}, {}, GroupNorm(32, 64, 1e-5), Activation::Silu));
  EXPECT_FALSE(cuda_layer_norm(at::randn({1, 4, 64}), {}, LayerNorm(64, 1e-5), 0));
  EXPECT_FALSE(can_cuda_softmax(input, 8));
  EXPECT_FALSE(cuda_softmax(at::randn({4, 8}), 1.0, 1.0, at::kHalf));
  EXPECT_FALSE(can_cuda_add(input, 64));
  EXPECT_FALSE(cuda_add(input, input, {ones, {}}));
  EXPECT_FALSE(can_cuda_interleave(c10::Device(c10::kCPU), at::kFloat, 16));
  EXPECT_FALSE(cuda_interleave(input, at::ones({16})));
  EXPECT_FALSE(cuda_geglu(at::randn({1, 4, 16})));
  EXPECT_FALSE(cuda_to_bytes(at::randn({1, 3, 4, 4})));
}

// cudaErrorInvalidValue: without a GPU a call that is not refused gives another error.
constexpr int kInvalidValue = 1;

/// What libssd1b_kernels.so exports under a name.
template <typename Function>
Function* exported(void* library, const char* name) {
  return reinterpret_cast<Function*>(dlsym(library, name));
}

TEST(CudaKernels, TheLibraryOpensAndRefusesWhatItCannotDo) {
  const std::filesystem::path path = std::filesystem::path(SSD1B_BIN_DIR) / "libssd1b_kernels.so";
  if (!std::filesystem::exists(path)) GTEST_SKIP() << "built without nvcc";
  void* library = dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL);
  ASSERT_NE(library, nullptr) << dlerror();
  auto* version = exported<decltype(ssd1b_kernels_version)>(library, "ssd1b_kernels_version");
  auto* group_norm = exported<decltype(ssd1b_group_norm)>(library, "ssd1b_group_norm");
  auto* layer_norm = exported<decltype(ssd1b_layer_norm)>(library, "ssd1b_layer_norm");
  auto* softmax = exported<decltype(ssd1b_softmax)>(library, "ssd1b_softmax");
  auto* add = exported<decltype(ssd1b_add)>(library, "ssd1b_add");
  auto* interleave = exported<decltype(ssd1b_interleave)>(library, "ssd1b_interleave");
  auto* geglu = exported<decltype(ssd1b_geglu)>(library, "ssd1b_geglu");
  ASSERT_TRUE(version && group_norm && layer_norm && softmax && add && interleave && geglu);

  EXPECT_EQ(version(), kSsd1bKernelsVersion);
  EXPECT_EQ(geglu(nullptr, nullptr, 1, 12, 0, nullptr), kInvalidValue);  // no whole vectors
  EXPECT_EQ(geglu(nullptr, nullptr, 1, 8, 9, nullptr), kInvalidValue);   // an unknown dtype
  Ssd1bGroupNorm groups{};
  groups.channels = 36;
  groups.groups = 12;
  EXPECT_EQ(group_norm(&groups, nullptr), kInvalidValue);
  Ssd1bLayerNorm row{};
  row.rows = 1;
  for (const std::int64_t width : {12, 2056}) {
    row.width = width;
    EXPECT_EQ(layer_norm(&row, nullptr), kInvalidValue) << width;
  }
  row.width = 8;
  row.added = &row;
  row.first_added = 1;  // and nothing for the row before it
  EXPECT_EQ(layer_norm(&row, nullptr), kInvalidValue);
  Ssd1bSoftmax scores{};
  scores.rows = 1;
  scores.columns = 12;
  scores.scale = 1.0;
  EXPECT_EQ(softmax(&scores, nullptr), kInvalidValue);
  scores.columns = 8;
  scores.scale = 0.0;  // the largest score would not be the largest product
  EXPECT_EQ(softmax(&scores, nullptr), kInvalidValue);
  Ssd1bAdd sum{};
  sum.rows = 1;
  sum.channels = 12;
  EXPECT_EQ(add(&sum, nullptr), kInvalidValue);
  Ssd1bInterleave parts{};
  parts.channels = 12;
  EXPECT_EQ(interleave(&parts, nullptr), kInvalidValue);
}

}  // namespace
}  // namespace ssd1b
