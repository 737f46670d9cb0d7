// Loading where the process gets no memory: an error of the load, never the end of the process.
#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <new>

#include "inference/weights/bind.h"
#include "weights/probe_files.h"

namespace {

// Of this thread, how many allocations go well before one fails; negative: all do.
thread_local int allocations_left = -1;

}  // namespace

void* operator new(std::size_t size) {
  if (allocations_left >= 0 && allocations_left-- == 0) throw std::bad_alloc();
  void* memory = std::malloc(size > 0 ? size : 1);
  if (memory == nullptr) throw std::bad_alloc();
  return memory;
}

void operator delete(void* memory) noexcept { std::free(memory); }
void operator delete(void* memory, std::size_t) noexcept { std::free(memory); }

namespace ssd1b {
namespace {

struct FourParts {
  std::vector<Parameter> parts = std::vector<Parameter>(4, Parameter{{2, 2}});
};

TEST(FillParameters, EndsAlsoWhereOneAllocationFails) {
  const TemporaryFolder folder;
  std::map<std::string, TensorData> tensors;
  for (int i = 0; i < 4; ++i) tensors.emplace(std::to_string(i), float_data({2, 2}, 1.0f));
  write_safetensors(folder / "unet.safetensors", tensors);
  const auto weights =
      collect_weights("unet", {SafetensorsFile::open(folder / "unet.safetensors")});
  FourParts module;
  LoadOptions options;
  options.threads = 4;
  const auto plan = plan_parameters(
      weights,
      [&](ParameterVisitor& visitor) {
        const Scope scope(visitor, "");
        for (int i = 0; i < 4; ++i) scope.parameter(std::to_string(i), module.parts[i]);
      },
      options);
  int failed = 0;

  for (bool is_whole = false; !is_whole; ++failed) {
    allocations_left = failed;
    try {
      fill_parameters(plan, options);
    } catch (const std::exception&) {
      // Which one does not matter here.
    }
    is_whole = allocations_left >= 0;  // it needs fewer allocations
    allocations_left = -1;
  }

  EXPECT_GT(failed, 10);
  for (const Parameter& part : module.parts) EXPECT_TRUE(part.value.defined());
}

}  // namespace
}  // namespace ssd1b
