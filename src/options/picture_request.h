#pragma once

#include "options/options.h"
#include "ssd1b/engine.h"
#include "ssd1b/pipeline.h"

namespace ssd1b {

/// The flags as a request: the model's defaults where they say nothing, a random seed below 2^32
/// where none is given. Checked: throws Error(Usage) that names the flag.
GenerationRequest picture_request(const PictureOptions& picture, const ModelInfo& model);

/// What open_model needs for one device, `cpu` or `cuda:N`.
ModelOptions model_options(const PipelineOptions& pipeline, const std::string& device);

/// The one device that `--device auto`, `cpu`, `cuda` or `cuda:N` means among `devices`: auto is
/// the first usable GPU, else the CPU; cuda the first usable GPU, else the first, which open_model
/// refuses with the reason.
std::string one_device(const std::string& wanted, const std::vector<DeviceInfo>& devices);

}  // namespace ssd1b
