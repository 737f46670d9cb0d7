#pragma once

#include "inference/weights/config_document.h"
#include "inference/weights/single_file/ldm_keys.h"

namespace ssd1b {

/// CLIP-L, below `conditioner.embedders.0.transformer.`: transformers' own names.
LdmComponent read_ldm_text_encoder(const LdmKeys& keys, const ConfigDocument& family);

/// OpenCLIP bigG, below `conditioner.embedders.1.model.`: fused rows of q, k and v are taken apart;
/// `text_projection` is the matrix the other way round, `text_projection.weight` is not (SSD-1B's
/// own file).
LdmComponent read_ldm_text_encoder_2(const LdmKeys& keys, const ConfigDocument& family);

}  // namespace ssd1b
