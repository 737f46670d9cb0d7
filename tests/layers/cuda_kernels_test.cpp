// What can be said of our CUDA kernels without a GPU: the division of the work, that the library
// opens and answers, and that nothing of it is used on the CPU. That they compute what ATen does is
// proven on the device itself at every start (prove_cuda_kernels).
#include "inference/layers/cuda_kernels.h"

#include <ATen/ATen.h>
#include <dlfcn.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <vector>

#include "kernels.h"
#include "norm_plan.h"

namespace ssd1b {
namespace {

constexpr std::int64_t kThreads = 256;  // of a block of the kernel

TEST(NormPlan, CoversEveryRowAndChannelOnce) {
  const struct {
    std::int64_t rows, channels, groups;
  } cases[] = {{1, 64, 32},       {1024, 1280, 32}, {1024, 2560, 32},   {4096, 640, 32},
               {16384, 320, 32},  {16384, 960, 32}, {1048576, 128, 32}, {99, 48, 12},
               {262144, 512, 32}, {77, 512, 1}};
  for (const auto& each : cases) {
    ASSERT_TRUE(can_plan_norm(each.channels, each.groups)) << each.channels;
    const NormPlan plan = plan_norm(each.rows, each.channels, each.groups);

    EXPECT_EQ(plan.tile_channels % plan.group_channels, 0);  // no group is in two tiles
    EXPECT_LE(plan.tile_channels, 2 * kThreads);
    EXPECT_LE(plan.tile_groups, kThreads);
    EXPECT_GE(plan.tiles * plan.tile_channels, each.channels);
    EXPECT_LT((plan.tiles - 1) * plan.tile_channels, each.channels);
    EXPECT_GE(plan.chunks * plan.chunk_rows, each.rows);
    EXPECT_LT((plan.chunks - 1) * plan.chunk_rows, each.rows);
    EXPECT_LE(plan.chunks, 128);
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
  EXPECT_FALSE(cuda_group_norm(input, ones, ones, 32, 1e-5, Activation::Silu));
  EXPECT_FALSE(cuda_geglu(at::randn({1, 4, 8})));
  EXPECT_FALSE(cuda_to_bytes(at::randn({1, 3, 4, 4})));
}

TEST(CudaKernels, TheLibraryOpensAndRefusesWhatItCannotDo) {
  const std::filesystem::path path = std::filesystem::path(SSD1B_BIN_DIR) / "libssd1b_kernels.so";
  if (!std::filesystem::exists(path)) GTEST_SKIP() << "built without nvcc";
  void* library = dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL);
  ASSERT_NE(library, nullptr) << dlerror();
  const auto version =
      reinterpret_cast<decltype(&ssd1b_kernels_version)>(dlsym(library, "ssd1b_kernels_version"));
  const auto geglu = reinterpret_cast<decltype(&ssd1b_geglu)>(dlsym(library, "ssd1b_geglu"));
  const auto norm =
      reinterpret_cast<decltype(&ssd1b_group_norm)>(dlsym(library, "ssd1b_group_norm"));
  ASSERT_TRUE(version != nullptr && geglu != nullptr && norm != nullptr);

  EXPECT_EQ(version(), kSsd1bKernelsVersion);
  EXPECT_NE(geglu(nullptr, nullptr, 1, 3, 0, nullptr), 0);  // an odd width
  EXPECT_NE(geglu(nullptr, nullptr, 1, 2, 9, nullptr), 0);  // an unknown dtype
  Ssd1bGroupNorm call{};
  call.channels = 36;
  call.groups = 12;
  EXPECT_NE(norm(&call, nullptr), 0);
}

}  // namespace
}  // namespace ssd1b
