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

// What CUDA itself and its libraries take of a GPU: 805 MB were measured on an H200.
constexpr std::int64_t kContextBytes = std::int64_t{770} << 20;

// Of the room beside the weights, what graphs may hold: on a GPU of 24 GB six sizes as large as
// SSD-1B's own with guidance.
constexpr std::int64_t kGraphShare = 8;

std::string mebibytes(std::int64_t bytes) {
  return std::to_string((bytes + (std::int64_t{1} << 20) - 1) >> 20) + "MiB";
}

std::string must_be(std::int64_t least, std::int64_t got) {
  return " must be at least " + mebibytes(least) + " for this model at its own size, got " +
         mebibytes(got);
}

/// What a model takes: what is there all the time, without and with the encoders, and what comes
/// and goes at the model's own size.
struct Demand {
  std::int64_t without_encoders = 0;  // weights and the prompts of all pictures
  std::int64_t with_encoders = 0;
  std::int64_t with_one_encoder = 0;  // where they visit the device one by one
  std::int64_t call = 0;
  std::int64_t whole_decode = 0;
  std::int64_t smallest_decode = 0;  // in the smallest tiles, in the widest numbers

  std::int64_t peak() const { return std::max(call, whole_decode); }
};

Demand demand_of(const MemoryNeeds& needs, const UNetCallCost& cost) {
  const WeightSizes& weights = needs.weights;
  const std::int64_t side = needs.unet.sample_side();
  const std::int64_t smallest = std::min(kTiles.back(), side);
  Demand demand;
  demand.without_encoders = weights.unet + weights.vae + weights.second_vae +
                            needs.pictures * kGuidedRows * cost.row_bytes;
  demand.with_encoders = demand.without_encoders + weights.text_encoder + weights.text_encoder_2;
  demand.with_one_encoder =
      demand.without_encoders + std::max(weights.text_encoder, weights.text_encoder_2);
  demand.call = cost.bytes(kGuidedRows, side, side);
  demand.whole_decode = decode_bytes(needs.vae, weights.vae_element, side, side);
  const std::int64_t widest = weights.second_vae > 0 ? 4 : weights.vae_element;
  demand.smallest_decode = decode_bytes(needs.vae, widest, smallest, smallest);
  return demand;
}

/// How memory is divided between what stays and what comes and goes.
struct Parts {
  bool encoders_stay = false;
  std::int64_t held = 0;
  std::int64_t graphs = 0;
  std::int64_t rest = 0;
};

Parts divide(std::int64_t bytes, const Demand& demand, const MemoryNeeds& needs) {
  Parts parts;
  parts.encoders_stay = needs.device_is_host || demand.with_encoders + demand.peak() <= bytes;
  parts.held = parts.encoders_stay ? demand.with_encoders : demand.without_encoders;
  parts.rest = bytes - parts.held;
  const std::int64_t graphs = parts.rest / kGraphShare;
  const bool may_have_graphs = parts.encoders_stay && !needs.device_is_host && needs.free_bytes;
  if (may_have_graphs && parts.rest - graphs >= demand.peak()) {
    parts.graphs = graphs;
    parts.rest -= graphs;
  }
  return parts;
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
  const std::int64_t limit = needs.limit_bytes - (needs.device_is_host ? 0 : kContextBytes);
  const std::int64_t available = std::min(limit, needs.free_bytes.value_or(limit));
  const Demand demand = demand_of(needs, call_cost_);
  decode_room_ = divide(limit, demand, needs).rest;
  const Parts parts = divide(available, demand, needs);
  text_encoders_stay_ = parts.encoders_stay;
  call_room_ = parts.rest;
  graph_room_ = {parts.graphs, call_cost_};

  const std::int64_t own = needs.unet.sample_side();
  const std::int64_t piece = std::min(own, tile(own, own, needs.weights.vae_element).value_or(own));
  const std::int64_t decode = needs.free_bytes
                                  ? decode_bytes(vae_, needs.weights.vae_element, piece, piece)
                                  : demand.smallest_decode;
  const std::int64_t least =
      std::max(demand.with_one_encoder, parts.held + std::max(demand.call, decode));
  if (least <= available) return;
  if (needs.free_bytes) {
    throw Error(ErrorCode::NoDevice,
                "the device's free memory less 10 %" + must_be(least, available));
  }
  throw Error(ErrorCode::Usage, "--device-memory-limit" +
                                    must_be(least + needs.limit_bytes - limit, needs.limit_bytes));
}

std::int64_t MemoryPlan::call_rows(std::int64_t height, std::int64_t width) const {
  if (!decode_room_) return std::numeric_limits<std::int64_t>::max();
  return call_room_ / call_cost_.bytes(/*rows=*/1, height, width);
}

std::optional<std::int64_t> MemoryPlan::tile(std::int64_t height, std::int64_t width,
                                             std::int64_t element) const {
  if (!decode_room_ || decode_bytes(vae_, element, height, width) <= *decode_room_) {
    return std::nullopt;
  }
  for (const std::int64_t side : kTiles) {
    if (decode_bytes(vae_, element, side, side) <= *decode_room_) return side;
  }
  return kTiles.back();
}

}  // namespace ssd1b
