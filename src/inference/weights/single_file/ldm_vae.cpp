#include "inference/weights/single_file/ldm_vae.h"

#include "ssd1b/error.h"

namespace ssd1b {
namespace {

void add_resnets(const LdmKeys& keys, const std::string& ldm, const std::string& block,
                 ModuleNames& modules) {
  for (std::int64_t j = 0; j < keys.count(ldm + ".block"); ++j) {
    modules[module_at(ldm + ".block", j)] = module_at(block + ".resnets", j);
    modules[module_at(ldm + ".block", j) + ".nin_shortcut"] =
        module_at(block + ".resnets", j) + ".conv_shortcut";
  }
}

/// The parts that encoder and decoder have alike.
void add_common(const std::string& part, ModuleNames& modules) {
  const std::string mid = part + ".mid";
  const std::string block = part + ".mid_block";
  modules[mid + ".block_1"] = block + ".resnets.0";
  modules[mid + ".block_2"] = block + ".resnets.1";
  modules[mid + ".attn_1.norm"] = block + ".attentions.0.group_norm";
  modules[mid + ".attn_1.q"] = block + ".attentions.0.to_q";
  modules[mid + ".attn_1.k"] = block + ".attentions.0.to_k";
  modules[mid + ".attn_1.v"] = block + ".attentions.0.to_v";
  modules[mid + ".attn_1.proj_out"] = block + ".attentions.0.to_out.0";
  modules[part + ".norm_out"] = part + ".conv_norm_out";
}

ModuleNames module_names(const LdmKeys& keys, std::int64_t levels) {
  ModuleNames modules;
  add_common("encoder", modules);
  add_common("decoder", modules);
  for (std::int64_t i = 0; i < levels; ++i) {
    const std::string down = module_at("encoder.down", i);
    const std::string down_block = module_at("encoder.down_blocks", i);
    add_resnets(keys, down, down_block, modules);
    modules[down + ".downsample.conv"] = down_block + ".downsamplers.0.conv";
    // The ldm layout counts the decoder's levels from the pixels, diffusers from the latents.
    const std::string up = module_at("decoder.up", i);
    const std::string up_block = module_at("decoder.up_blocks", levels - 1 - i);
    add_resnets(keys, up, up_block, modules);
    modules[up + ".upsample.conv"] = up_block + ".upsamplers.0.conv";
  }
  return modules;
}

std::string repeated(const std::string& name, std::int64_t count) {
  std::string text;
  for (std::int64_t i = 0; i < count; ++i) text += (i == 0 ? "[\"" : ", \"") + name + "\"";
  return text + "]";
}

}  // namespace

LdmComponent read_ldm_vae(const LdmKeys& keys) {
  const std::int64_t levels = keys.count("decoder.up");
  if (levels == 0) {
    throw Error(ErrorCode::BadModel,
                keys.file().path().string() + ": must hold a VAE (first_stage_model.*), got none");
  }
  LdmComponent vae;
  vae.weights.component = "vae";
  vae.weights.path = keys.file().path();
  const ModuleNames modules = module_names(keys, levels);
  for (const auto& [name, tensor] : keys.tensors()) {
    const std::string ours = renamed(modules, name);
    TensorSource source = source_of(keys.file(), *tensor);
    squeeze_attention(ours, source);
    add_source(vae.weights, ours, std::move(source));
  }
  std::vector<std::int64_t> channels;
  for (std::int64_t i = 0; i < levels; ++i) {
    channels.push_back(keys.size(module_at("decoder.up", i) + ".block.0.conv2.weight", 0));
  }
  vae.config = {
      {"block_out_channels", text_of(channels)},
      {"layers_per_block", std::to_string(keys.count("decoder.up.0.block") - 1)},
      {"norm_num_groups", std::to_string(norm_groups_of(channels))},
      {"latent_channels", std::to_string(keys.size("decoder.conv_in.weight", 1))},
      {"down_block_types", repeated("DownEncoderBlock2D", levels)},
      {"up_block_types", repeated("UpDecoderBlock2D", levels)},
  };
  return vae;
}

}  // namespace ssd1b
