#pragma once

#include <filesystem>
#include <string>
#include <vector>

#include "inference/weights/safetensors_file.h"

namespace ssd1b {

/// Which of a component's files to take.
struct WeightFileQuery {
  std::string stem;     // diffusion_pytorch_model or model
  std::string variant;  // empty: plain files, then fp16
  bool prefers_shards;  // over one whole file, where a folder has both: diffusers does,
                        // transformers not
};

/// The weight files of one component's folder, opened.
struct WeightFiles {
  std::vector<SafetensorsFile> files;  // one, or every shard
  bool is_variant = false;             // they are of the variant that was asked for
};

/// Finds and opens a component's weights: STEM.VARIANT.safetensors, STEM.safetensors.index.json
/// with its shards, and so on. A component without the variant falls back to its plain files, as
/// diffusers does. Throws Error(BadModel) where there are none (pickles are named), where a shard
/// is missing, or where a tensor is not in the shard that the index says.
WeightFiles find_weight_files(const std::filesystem::path& folder, const WeightFileQuery& query);

/// What a folder holds instead of STEM.safetensors, for messages: pickles or another variant.
std::string weights_instead(const std::filesystem::path& folder, const std::string& stem);

}  // namespace ssd1b
