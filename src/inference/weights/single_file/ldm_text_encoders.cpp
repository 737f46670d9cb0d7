#include "inference/weights/single_file/ldm_text_encoders.h"

#include <array>

#include "ssd1b/error.h"

namespace ssd1b {
namespace {

std::string layer_name(std::int64_t index) { return module_at("text_model.encoder.layers", index); }

ModuleNames open_clip_names(std::int64_t layers) {
  ModuleNames modules = {
      {"token_embedding", "text_model.embeddings.token_embedding"},
      {"positional_embedding", "text_model.embeddings.position_embedding.weight"},
      {"ln_final", "text_model.final_layer_norm"},
      {"text_projection", "text_projection"},
  };
  for (std::int64_t i = 0; i < layers; ++i) {
    const std::string ldm = module_at("transformer.resblocks", i);
    modules[ldm + ".ln_1"] = layer_name(i) + ".layer_norm1";
    modules[ldm + ".ln_2"] = layer_name(i) + ".layer_norm2";
    modules[ldm + ".attn.in_proj_weight"] = layer_name(i) + ".self_attn.*.weight";
    modules[ldm + ".attn.in_proj_bias"] = layer_name(i) + ".self_attn.*.bias";
    modules[ldm + ".attn.out_proj"] = layer_name(i) + ".self_attn.out_proj";
    modules[ldm + ".mlp.c_fc"] = layer_name(i) + ".mlp.fc1";
    modules[ldm + ".mlp.c_proj"] = layer_name(i) + ".mlp.fc2";
  }
  return modules;
}

/// Rows [q; k; v] of one tensor as three; `name` has a star where their names go.
void add_thirds(ComponentWeights& weights, const std::string& name, const TensorSource& whole) {
  constexpr std::array<const char*, 3> kParts = {"q_proj", "k_proj", "v_proj"};
  if (whole.shape.empty() || whole.shape[0] % 3 != 0) {
    throw Error(ErrorCode::BadModel, weights.path.string() + ": tensor " + shown(whole.file_name) +
                                         " must have rows of q, k and v, got shape " +
                                         text_of(whole.shape));
  }
  TensorSource part = whole;
  part.shape[0] /= 3;
  part.bytes /= 3;
  for (const char* part_name : kParts) {
    std::string full = name;
    add_source(weights, full.replace(full.find('*'), 1, part_name), part);
    part.offset += part.bytes;
  }
}

/// What shapes say about a text encoder, under transformers' names.
ConfigChanges config_of(const ComponentWeights& weights, const ConfigDocument& family) {
  const auto shape = [&](const std::string& name) -> const std::vector<std::int64_t>& {
    const auto found = weights.tensors.find(name);
    if (found == weights.tensors.end() || found->second.shape.size() != 2) {
      throw Error(ErrorCode::BadModel, weights.path.string() + ": " + weights.component +
                                           " must have a matrix for " + shown(name));
    }
    return found->second.shape;
  };
  std::int64_t layers = 0;
  while (weights.tensors.count(layer_name(layers) + ".mlp.fc1.weight") > 0) ++layers;
  const auto& tokens = shape("text_model.embeddings.token_embedding.weight");
  ConfigChanges config = {
      {"hidden_size", std::to_string(tokens[1])},
      {"vocab_size", std::to_string(tokens[0])},
      {"max_position_embeddings",
       std::to_string(shape("text_model.embeddings.position_embedding.weight")[0])},
      {"num_hidden_layers", std::to_string(layers)},
      {"intermediate_size", std::to_string(shape(layer_name(0) + ".mlp.fc1.weight")[0])},
      {"num_attention_heads",
       std::to_string(heads_of({tokens[1]}, {family.integer("num_attention_heads")})[0])},
  };
  if (weights.component == "text_encoder_2") {  // the one whose pooled prompt is projected
    config.emplace_back("projection_dim", std::to_string(shape("text_projection.weight")[0]));
  }
  return config;
}

}  // namespace

LdmComponent read_ldm_text_encoder(const LdmKeys& keys, const ConfigDocument& family) {
  LdmComponent encoder;
  encoder.weights.component = "text_encoder";
  encoder.weights.path = keys.file().path();
  for (const auto& [name, tensor] : keys.tensors()) {
    add_source(encoder.weights, todays_name("text_encoder", name), source_of(keys.file(), *tensor));
  }
  encoder.config = config_of(encoder.weights, family);
  return encoder;
}

LdmComponent read_ldm_text_encoder_2(const LdmKeys& keys, const ConfigDocument& family) {
  LdmComponent encoder;
  encoder.weights.component = "text_encoder_2";
  encoder.weights.path = keys.file().path();
  const ModuleNames modules = open_clip_names(keys.count("transformer.resblocks"));
  for (const auto& [name, tensor] : keys.tensors()) {
    TensorSource source = source_of(keys.file(), *tensor);
    std::string ours = renamed(modules, name);
    if (name == "text_projection" && source.shape.size() == 2) {
      ours = "text_projection.weight";
      std::swap(source.shape[0], source.shape[1]);
      source.transposed = true;
    }
    if (ours.find('*') != std::string::npos) {
      add_thirds(encoder.weights, ours, source);
    } else {
      add_source(encoder.weights, ours, std::move(source));
    }
  }
  encoder.config = config_of(encoder.weights, family);
  return encoder;
}

}  // namespace ssd1b
