#pragma once

#include <string>

#include "service/dialects/field_reader.h"
#include "ssd1b/engine.h"

namespace ssd1b {

/// A scheduler of ours in Automatic1111's words: how to step, and how the noise levels are spaced.
struct SamplerLabel {
  std::string sampler;    // DPM++ 2M
  std::string scheduler;  // Karras
};

/// Our scheduler for the fields `sampler_name` (before it `sampler_index`, its old name, where that
/// is all there is) and `scheduler`, whose ids these are: by Automatic1111's names in any case, old
/// ones as "DPM++ 2M Karras" too, or by ours. The model's where there is none. Throws
/// Error(InvalidValue) with what is possible.
std::string read_sampler(const FieldReader& fields, const ModelInfo& model);

/// Of a name of ours.
SamplerLabel label_of(const std::string& scheduler);

/// The model's samplers: [{"name", "aliases", "options"}].
Json samplers_document(const ModelInfo& model);

/// How their noise levels may be spaced: [{"name", "label", "aliases", ...}].
Json schedulers_document(const ModelInfo& model);

}  // namespace ssd1b
