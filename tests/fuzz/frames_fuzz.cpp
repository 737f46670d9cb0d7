// Any bytes as what a server or a worker receives from the other: messages that travel on as they
// are, or one fault that ends the conversation.
#include <cstdint>
#include <vector>

#include "require.h"
#include "wire/messages.h"

namespace {

using ssd1b::Frame;

std::vector<std::uint8_t> bytes_of(const Frame& frame) {
  std::vector<std::uint8_t> bytes = ssd1b::encode_frame_head(frame);
  bytes.insert(bytes.end(), frame.bytes.begin(), frame.bytes.end());
  return bytes;
}

/// Written once, a message stays the same however often it is read and written.
template <typename Decode>
void check_message(const Frame& frame, Decode decode) {
  try {
    const Frame written = encode(decode(frame));
    require(written.type == frame.type && written.picture == frame.picture, "type and picture");
    require(written.bytes == frame.bytes, "bytes");
    require(bytes_of(encode(decode(written))) == bytes_of(written), "a message stays as it is");
  } catch (const ssd1b::Error& error) {
    require(error.code() == ssd1b::ErrorCode::MalformedRequest, "a bad message is malformed");
  }
}

std::vector<Frame> frames_of(const std::uint8_t* data, std::size_t size, std::size_t split) {
  ssd1b::FrameReader reader;
  std::vector<Frame> frames = reader.feed(data, split);
  for (Frame& each : reader.feed(data + split, size - split)) frames.push_back(std::move(each));
  return frames;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  try {
    const std::vector<Frame> frames = frames_of(data, size, size);
    const std::vector<Frame> split = frames_of(data, size, size / 2);
    require(frames.size() == split.size(), "as many frames however the bytes come");
    for (std::size_t i = 0; i < frames.size(); ++i) {
      require(bytes_of(frames[i]) == bytes_of(split[i]), "the same frames however the bytes come");
      check_message(frames[i], ssd1b::decode_server_message);
      check_message(frames[i], ssd1b::decode_worker_message);
    }
  } catch (const ssd1b::Error& error) {
    require(error.code() == ssd1b::ErrorCode::MalformedRequest, "a bad frame is malformed");
  }
  return 0;
}
