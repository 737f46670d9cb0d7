#pragma once

#include "inference/weights/config_document.h"

namespace ssd1b {

/// Throws Error(BadModel) for what diffusers' class can do and no relative of SDXL does. Not here,
/// because the blocks that this program has do not read them: cross_attention_norm, dropout,
/// mid_block_only_cross_attention, resnet_out_scale_factor, resnet_skip_time_act, upcast_attention
/// (its effect ended with fused attention).
void refuse_what_is_not_built(const ConfigDocument& document);

}  // namespace ssd1b
