#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "ssd1b/engine.h"

namespace ssd1b {

/// A LoRA file merged into the weights at start.
struct LoraOption {
  std::filesystem::path file;
  double scale = 1.0;
};

/// What open_model needs to know. Names and defaults are those of the flags in the README.
struct ModelOptions {
  std::filesystem::path model;  // a diffusers-layout folder or a single-file checkpoint
  std::string variant;          // prefer *.VARIANT.safetensors; empty: plain files, then fp16
  std::string device = "cpu";   // cpu or cuda:N
  std::string dtype = "auto";   // auto, float32, float16, bfloat16
  std::string vae_dtype = "auto";
  int threads = 0;    // 0: physical cores within affinity and the cgroup's limit
  int max_batch = 0;  // 0: 4 on the CPU, 8 on CUDA
  bool batch_invariant = false;
  std::vector<LoraOption> loras;
  std::optional<std::int64_t> device_memory_limit_bytes;
  std::filesystem::path shipped_models;  // the project's models/: family configs, CLIP's vocabulary
  bool keep_latents = false;             // GeneratedImage::latents is filled
  bool cuda_graphs = true;               // false, to compare: kernels are launched one by one
  std::function<void()> tick;  // called after every block of every network, and while loading
};

/// Loads a model. Blocks for as long as that takes. Throws Error: BadModel with file, tensor,
/// expected and got; NoDevice; Usage.
std::unique_ptr<Engine> open_model(const ModelOptions& options);

/// One device as this machine has it.
struct DeviceInfo {
  std::string name;  // cpu, cuda:0
  std::string description;
  std::int64_t memory_bytes = 0;
  bool usable = false;
  std::string why_not;  // one line where it is not usable
};

/// The devices that libtorch sees: the CPU always, then GPUs (or one entry that says why there is
/// none). Opens libtorch_cuda.so where it is installed.
std::vector<DeviceInfo> list_devices();

}  // namespace ssd1b
