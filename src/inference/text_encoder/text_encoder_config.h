#pragma once

#include <algorithm>
#include <cstdint>
#include <string>

#include "inference/layers/activation.h"
#include "inference/weights/config_document.h"

namespace ssd1b {

/// text_encoder/config.json. The defaults are those of transformers' CLIPTextConfig.
struct TextEncoderConfig {
  /// `class_name`: of model_index.json, CLIPTextModel or CLIPTextModelWithProjection. Throws
  /// Error(BadModel), naming file and key, for a wrong value and for one that this code has not.
  static TextEncoderConfig from(const ConfigDocument& document, const std::string& class_name);

  std::int64_t vocabulary = 49408;
  std::int64_t width = 512;
  std::int64_t feed_forward_width = 2048;
  std::int64_t layers = 12;
  std::int64_t heads = 8;
  std::int64_t positions = 77;  // most tokens that a text may have
  Activation activation = Activation::QuickGelu;
  double norm_eps = 1e-5;
  /// 2 is the sign of old configs, which name no token: the pooled token is then the one with the
  /// highest id.
  std::int64_t eos_token_id = 49407;
  std::int64_t projection_width = 0;  // of the pooled prompt; 0: a model without projection

  /// The highest clip_skip. The last layer is never used, and one must be left, but where there is
  /// only one.
  std::int64_t max_clip_skip() const { return std::max<std::int64_t>(0, layers - 2); }
};

}  // namespace ssd1b
