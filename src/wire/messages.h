#pragma once

#include <string>
#include <variant>

#include "ssd1b/engine.h"
#include "wire/frame.h"

namespace ssd1b {

// What the server says to a worker.

struct AdmitMessage {
  PictureId id = 0;
  GenerationRequest request;
};

/// No further unit of work for this picture.
struct CancelMessage {
  PictureId id = 0;
};

/// Decode this picture as it is.
struct FinishMessage {
  PictureId id = 0;
};

/// End after the unit of work in hand.
struct StopMessage {};

using ServerMessage = std::variant<AdmitMessage, CancelMessage, FinishMessage, StopMessage>;

// What a worker says to the server.

/// The model is loaded and one small picture has been made.
struct ReadyMessage {
  ModelInfo model;
};

/// The device thread has got on.
struct TickMessage {};

struct ProgressMessage {
  PictureId id = 0;
  PictureProgress progress;
  double unit_ms = 0.0;    // how long the unit of work took
  int unit_pictures = 1;   // how many pictures shared it
  bool leads_unit = true;  // the first of them: units are counted by it
};

struct PreviewMessage {
  PictureId id = 0;
  PicturePreview preview;
};

/// GeneratedImage::latents do not travel.
struct FinishedMessage {
  PictureId id = 0;
  GeneratedImage result;
};

struct FailedMessage {
  PictureId id = 0;
  ErrorCode code = ErrorCode::InternalError;
  std::string message;
};

/// The worker's last words: BadModel, NoDevice and Usage before it is ready, DeviceLost later.
struct FatalMessage {
  ErrorCode code = ErrorCode::InternalError;
  std::string message;
};

using WorkerMessage = std::variant<ReadyMessage, TickMessage, ProgressMessage, PreviewMessage,
                                   FinishedMessage, FailedMessage, FatalMessage>;

/// By value, so that a picture's bytes are moved and not copied. Throw Error(InternalError) for a
/// prompt that is not UTF-8.
Frame encode(ServerMessage message);
Frame encode(WorkerMessage message);

/// Throw Error(MalformedRequest) for a frame that is not exactly such a message: its sender can no
/// longer be trusted.
ServerMessage decode_server_message(Frame frame);
WorkerMessage decode_worker_message(Frame frame);

}  // namespace ssd1b
