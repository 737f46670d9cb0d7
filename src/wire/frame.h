#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "ssd1b/engine.h"

namespace ssd1b {

/// What a frame carries. The numbers are the wire's: below 16 from the server, above from the
/// worker.
enum class FrameType : std::uint8_t {
  Admit = 1,
  Cancel = 2,
  Finish = 3,
  Stop = 4,
  Ready = 16,
  Tick = 17,
  Progress = 18,
  Preview = 19,
  Finished = 20,
  Failed = 21,
  Fatal = 22,
};

/// One message as it travels: a fixed header, one flat JSON object, raw bytes behind it.
struct Frame {
  FrameType type = FrameType::Tick;
  PictureId picture = 0;  // 0 where the message is of no picture
  std::string json;
  std::vector<std::uint8_t> bytes;
};

/// The header, all numbers little-endian: magic "SD1W", version (1 byte), type (1), zero (2),
/// picture (8), length of the JSON (4), length of the bytes (4).
constexpr std::size_t kFrameHeaderBytes = 24;
constexpr std::uint8_t kFrameVersion = 1;
/// Two prompts of 4096 bytes, every one of them escaped, and room to grow.
constexpr std::size_t kMaxFrameJsonBytes = 256 * 1024;
/// A picture of 2048 x 2048 is 12 MiB.
constexpr std::size_t kMaxFrameBytes = 16 * 1024 * 1024;

/// The frame's header and JSON; its bytes follow as they are. Throws Error(InternalError) for a
/// frame over the caps.
std::vector<std::uint8_t> encode_frame_head(const Frame& frame);

/// Puts frames together from bytes in any split. Used by one thread.
class FrameReader {
 public:
  /// The frames that these bytes complete. Throws Error(MalformedRequest) for a header that is not
  /// ours; the reader is of no use after that, and neither is the peer.
  std::vector<Frame> feed(const std::uint8_t* data, std::size_t size);

 private:
  void begin_frame();

  std::uint8_t header_[kFrameHeaderBytes] = {};
  std::size_t header_have_ = 0;
  Frame frame_;
  std::size_t json_want_ = 0;
  std::size_t bytes_want_ = 0;
};

}  // namespace ssd1b
