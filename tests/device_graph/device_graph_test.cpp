// Without a GPU: that the library opens and there are no graphs. With one: that a graph does what
// it recorded, and that a recording which fails leaves the device and its allocator in order.
#include "inference/device_graph/device_graph.h"

#include <ATen/ATen.h>
#include <ATen/DeviceAccelerator.h>
#include <c10/core/InferenceMode.h>
#include <dlfcn.h>
#include <gtest/gtest.h>

#include <optional>
#include <stdexcept>

#include "inference/pipeline/devices.h"
#include "ssd1b/error.h"

namespace ssd1b {
namespace {

/// The first GPU; opened before any other torch call of this program.
std::optional<c10::Device> gpu() {
  static const std::optional<c10::Device> device = []() -> std::optional<c10::Device> {
    try {
      return open_device("cuda:0");
    } catch (const Error&) {
      return std::nullopt;
    }
  }();
  return device;
}

class DeviceGraphOnGpu : public testing::Test {
 protected:
  void SetUp() override {
    if (!gpu()) GTEST_SKIP() << "no CUDA device";
    make_ = device_graphs(*gpu(), SSD1B_BIN_DIR);
    if (!make_) GTEST_SKIP() << "built without libtorch's CUDA part";
  }

  /// A product, so that CUDA's libraries take part.
  static at::Tensor work(const at::Tensor& input) { return at::matmul(input, input) + 1.0; }

  at::Tensor ones() const { return at::ones({64, 64}, at::device(*gpu())); }

  const c10::InferenceMode no_gradients_;
  MakeDeviceGraph make_;
};

TEST_F(DeviceGraphOnGpu, ReplaysWhatItRecordedOnNewValues) {
  const at::Tensor input = ones();
  work(input);  // what cannot be recorded is done at the first call
  at::Tensor output;
  const auto graph = make_();

  graph->record([&] { output = work(input); });
  graph->replay();
  const at::Tensor first = output.cpu();
  input.fill_(2.0);
  graph->replay();

  EXPECT_TRUE(at::equal(first, at::full({64, 64}, 65.0)));
  EXPECT_TRUE(at::equal(output.cpu(), at::full({64, 64}, 257.0)));
}

TEST_F(DeviceGraphOnGpu, ARecordingThatFailsLeavesTheDeviceAsItWas) {
  const at::Tensor input = ones();
  work(input);
  const auto throwing = [&] {
    work(input);
    throw std::runtime_error("on purpose");
  };
  const auto waiting = [&] { work(input).cpu(); };  // ends the recording: CUDA forbids it

  EXPECT_THROW(make_()->record(throwing), std::runtime_error);
  EXPECT_THROW(make_()->record(waiting), c10::Error);

  EXPECT_TRUE(at::equal(work(input).cpu(), at::full({64, 64}, 65.0)));
  EXPECT_NO_THROW(at::accelerator::emptyCache());
  at::Tensor output;
  const auto graph = make_();
  graph->record([&] { output = work(input); });
  graph->replay();
  EXPECT_TRUE(at::equal(output.cpu(), at::full({64, 64}, 65.0)));
}

TEST(DeviceGraphs, AreNotForTheCpu) { EXPECT_FALSE(device_graphs(c10::Device(c10::kCPU))); }

TEST(DeviceGraphs, TheLibraryHasAllItsSymbols) {
  gpu();  // opens libtorch_cuda as the worker does, where that is possible
  const std::filesystem::path path =
      std::filesystem::path(SSD1B_BIN_DIR) / "libssd1b_cuda_graph.so";
  if (!std::filesystem::exists(path)) GTEST_SKIP() << "built without libtorch's CUDA part";
  void* library = dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL);
  if (library == nullptr && !gpu()) GTEST_SKIP() << "libtorch's CUDA part does not open here";
  ASSERT_NE(library, nullptr) << dlerror();

  const auto version = reinterpret_cast<decltype(&ssd1b_cuda_graph_version)>(
      dlsym(library, "ssd1b_cuda_graph_version"));

  ASSERT_NE(version, nullptr);
  EXPECT_EQ(version(), kDeviceGraphVersion);
  EXPECT_NE(dlsym(library, "ssd1b_new_cuda_graph"), nullptr);
}

}  // namespace
}  // namespace ssd1b
