#include "inference/pipeline/memory_plan.h"

#include <algorithm>
#include <array>
#include <limits>
#include <string>

#include "ssd1b/error.h"

namespace ssd1b {
namespace {

// Largest first. 128 latent pixels are SSD-1B's own size, which is decoded as it was trained.
constexpr std::array<std::int64_t, 5> kTiles = {128, 96, 64, 48, 32};

// In the decoder's last level, of its widest tensor: input, normed copy and output of a resnet's
// first half, and half a tensor for a convolution's workspace.
constexpr std::int64_t kHalvesOfDecodeTensors = 7;

// Of the first level's tensors a row: nine skips of falling size (5), the last level's concatenated
// input and its normed copy (6), and what lives beside them (5).
constexpr std::int64_t kUNetTensors = 16;

constexpr int kGuidedRows = 2;

// What CUDA itself and its libraries take of a GPU: 805 MB were measured on an H200. Where nobody
// gave a limit it is taken already.
constexpr std::int64_t kContextBytes = std::int64_t{770} << 20;

// Of the room beside the weights, what graphs may hold: on a GPU of 24 GB six sizes as large as
// SSD-1B's own with guidance.
constexpr std::int64_t kGraphShare = 8;

std::string mebibytes(std::int64_t bytes) {
  return std::to_string((bytes + (std::int64_t{1} << 20) - 1) >> 20) + "MiB";
}

}  // namespace

std::int64_t decode_bytes(const VaeConfig& vae, std::int64_t element, std::int64_t height,
                          std::int64_t width) {
  const std::int64_t pixels = height * width * vae.scale() * vae.scale();
  // The last level's input has the channels of the level before it.
  const std::size_t widest = std::min<std::size_t>(1, vae.block_channels.size() - 1);
  return pixels * vae.block_channels[widest] * element * kHalvesOfDecodeTensors / 2;
}

UNetCallCost unet_call_cost(const UNetConfig& unet, std::int64_t element, std::int64_t tokens) {
  std::int64_t prompt_width = 0;  // of all transformer blocks together
  const auto add = [&](const UNetBlockConfig& block) {
    prompt_width += block.transformer_blocks() * block.attention_width();
  };
  for (const UNetBlockConfig& block : unet.down_blocks) add(block);
  if (unet.mid_block) add(*unet.mid_block);
  for (const UNetBlockConfig& block : unet.up_blocks) add(block);
  return {unet.first_channels() * element * kUNetTensors, 2 * tokens * prompt_width * element};
}

MemoryPlan::MemoryPlan(const MemoryNeeds& needs)
    : vae_(needs.vae),
      call_cost_(unet_call_cost(needs.unet, needs.weights.unet_element, needs.tokens)) {
  const WeightSizes& weights = needs.weights;
  const std::int64_t side = needs.unet.sample_size;
  const std::int64_t call = call_cost_.bytes(kGuidedRows, side, side);
  const std::int64_t whole = decode_bytes(vae_, weights.vae_element, side, side);
  const std::int64_t widest = weights.second_vae > 0 ? 4 : weights.vae_element;
  const std::int64_t smallest = decode_bytes(vae_, widest, kTiles.back(), kTiles.back());
  const std::int64_t prompts = needs.pictures * kGuidedRows * call_cost_.row_bytes;
  const std::int64_t without_encoders = weights.unet + weights.vae + weights.second_vae + prompts;
  const std::int64_t with_encoders = without_encoders + weights.text_encoders;
  const bool counts_context = needs.limit_is_given && !needs.device_is_host;
  const std::int64_t limit = needs.limit_bytes - (counts_context ? kContextBytes : 0);
  text_encoders_stay_ = needs.device_is_host || with_encoders + std::max(call, whole) <= limit;
  const std::int64_t held = text_encoders_stay_ ? with_encoders : without_encoders;
  // While they encode, the encoders are there beside the networks even where they do not stay.
  const std::int64_t least =
      std::max(with_encoders, held + std::max(call, std::min(smallest, whole)));
  if (least > limit) {
    const std::string what = " must be at least " + mebibytes(least + needs.limit_bytes - limit) +
                             " for this model at its own size, got " + mebibytes(needs.limit_bytes);
    if (needs.limit_is_given) throw Error(ErrorCode::Usage, "--device-memory-limit" + what);
    throw Error(ErrorCode::NoDevice, "the device's free memory less 10 %" + what);
  }
  room_ = limit - held;
  const std::int64_t for_graphs = *room_ / kGraphShare;
  const bool has_graphs = text_encoders_stay_ && !needs.device_is_host && !needs.limit_is_given &&
                          *room_ - for_graphs >= std::max(call, whole);
  if (has_graphs) {
    graph_room_ = {for_graphs, call_cost_};
    *room_ -= for_graphs;
  }
}

std::int64_t MemoryPlan::call_rows(std::int64_t height, std::int64_t width) const {
  if (!room_) return std::numeric_limits<std::int64_t>::max();
  return *room_ / call_cost_.bytes(/*rows=*/1, height, width);
}

std::optional<std::int64_t> MemoryPlan::tile(std::int64_t height, std::int64_t width,
                                             std::int64_t element) const {
  if (!room_ || decode_bytes(vae_, element, height, width) <= *room_) return std::nullopt;
  for (const std::int64_t side : kTiles) {
    if (decode_bytes(vae_, element, side, side) <= *room_) return side;
  }
  return kTiles.back();
}

}  // namespace ssd1b
