
#include "wire/flat_object_reader.h"
#include "wire/flat_object_writer.h"
#include "wire/messages.h"

namespace ssd1b {
namespace {

std::string to_text(const GenerationRequest& request) {
  return FlatObjectWriter()
      .text("prompt", request.prompt)
      .optional_text("negative_prompt", request.negative_prompt)
      .integer("width", request.width_px)
      .integer("height", request.height_px)
      .integer("steps", request.steps)
      .number("guidance_scale", request.guidance_scale)
      .unsigned_integer("seed", request.seed)
      .text("scheduler", request.scheduler)
      .integer("original_width", request.original_width_px)
      .integer("original_height", request.original_height_px)
      .integer("target_width", request.target_width_px)
      .integer("target_height", request.target_height_px)
      .integer("crop_top", request.crop_top_px)
      .integer("crop_left", request.crop_left_px)
      .integer("clip_skip", request.clip_skip)
      .integer("previews", request.previews)
      .take();
}

GenerationRequest request_from(const std::string& text) {
  FlatObjectReader fields(text);
  GenerationRequest request;
  request.prompt = fields.text("prompt");
  request.negative_prompt = fields.optional_text("negative_prompt");
  request.width_px = fields.small_integer("width");
  request.height_px = fields.small_integer("height");
  request.steps = fields.small_integer("steps");
  request.guidance_scale = fields.number("guidance_scale");
  request.seed = fields.unsigned_integer("seed");
  request.scheduler = fields.text("scheduler");
  request.original_width_px = fields.small_integer("original_width");
  request.original_height_px = fields.small_integer("original_height");
  request.target_width_px = fields.small_integer("target_width");
  request.target_height_px = fields.small_integer("target_height");
  request.crop_top_px = fields.small_integer("crop_top");
  request.crop_left_px = fields.small_integer("crop_left");
  request.clip_skip = fields.small_integer("clip_skip");
  request.previews = fields.small_integer("previews");
  fields.expect_end();
  return request;
}

void expect_bare(const Frame& frame) { FlatObjectReader(frame.json).expect_end(); }

struct Encoder {
  Frame operator()(const AdmitMessage& message) const {
    return {FrameType::Admit, message.id, to_text(message.request), {}};
  }
  Frame operator()(const CancelMessage& message) const {
    return {FrameType::Cancel, message.id, "{}", {}};
  }
  Frame operator()(const FinishMessage& message) const {
    return {FrameType::Finish, message.id, "{}", {}};
  }
  Frame operator()(const StopMessage&) const { return {FrameType::Stop, 0, "{}", {}}; }
};

}  // namespace

Frame encode(ServerMessage message) { return std::visit(Encoder{}, message); }

ServerMessage decode_server_message(Frame frame) {
  if (!frame.bytes.empty()) {
    throw Error(ErrorCode::MalformedRequest, "the server's messages carry no bytes");
  }
  if (frame.type == FrameType::Stop && frame.picture != 0) {
    throw Error(ErrorCode::MalformedRequest, "stop is of no picture");
  }
  switch (frame.type) {
    case FrameType::Admit:
      return AdmitMessage{frame.picture, request_from(frame.json)};
    case FrameType::Cancel:
      expect_bare(frame);
      return CancelMessage{frame.picture};
    case FrameType::Finish:
      expect_bare(frame);
      return FinishMessage{frame.picture};
    case FrameType::Stop:
      expect_bare(frame);
      return StopMessage{};
    case FrameType::Ready:
    case FrameType::Tick:
    case FrameType::Progress:
    case FrameType::Preview:
    case FrameType::Finished:
    case FrameType::Failed:
    case FrameType::Fatal:
      break;
  }
  throw Error(ErrorCode::MalformedRequest, "the server sent a worker's message");
}

}  // namespace ssd1b
