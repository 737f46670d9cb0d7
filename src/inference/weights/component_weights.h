#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <string>
#include <vector>

#include "inference/weights/safetensors_file.h"

namespace ssd1b {

/// Where the value of one parameter lies: a run of bytes of a file, seen under a name and a shape
/// that may differ from the file's (a third of a fused matrix, a 1x1 convolution seen as a matrix).
struct TensorSource {
  SafetensorsFile file;
  std::string file_name;  // the tensor's own name in the file, for messages
  Dtype dtype = Dtype::F32;
  std::vector<std::int64_t> shape;  // as it is seen, after `transposed`
  std::uint64_t offset = 0;
  std::uint64_t bytes = 0;
  bool transposed =
      false;  // the file holds the matrix the other way round: shape [r, c], data [c, r]
};

/// The whole tensor as it is in the file.
TensorSource source_of(const SafetensorsFile& file, const TensorInfo& tensor);

/// A low-rank change of a matrix or a convolution, added when its value is filled: the weight [M,
/// ...] becomes weight + factor * up down, where `down` is [R, ...] and `up` is [M, R].
struct LowRankUpdate {
  TensorSource down, up;
  double factor = 1.0;
};

/// The tensors of one component (unet, vae, text_encoder, text_encoder_2) under diffusers' names,
/// wherever they come from. Nothing has been read but headers.
struct ComponentWeights {
  std::string component;
  std::filesystem::path path;  // the file, or the folder of its shards: for messages
  std::map<std::string, TensorSource> tensors;                // by diffusers' name
  std::map<std::string, std::vector<LowRankUpdate>> updates;  // of some tensors, by the same names
};

/// The tensors of a component's files (one, or all shards) under today's names: old names of VAE
/// attention renamed and squeezed, `text_model.` put before a text encoder's names where it is
/// missing, leftovers of known tools dropped. Throws Error(BadModel) where two tensors come out
/// under one name.
ComponentWeights collect_weights(const std::string& component,
                                 const std::vector<SafetensorsFile>& files);

/// The name that a component's tensor has in today's diffusers and transformers.
std::string todays_name(const std::string& component, const std::string& name);

/// Gives a VAE attention's weight that is saved as a 1x1 convolution, [C, C, 1, 1], the shape of a
/// matrix, [C, C]; other tensors stay. `name`: diffusers'.
void squeeze_attention(const std::string& name, TensorSource& source);

/// Whether a tensor of this name is one that known tools leave behind in checkpoints.
bool is_known_leftover(const std::string& name);

}  // namespace ssd1b
