#include "wire/frame.h"

#include <algorithm>
#include <cstring>
#include <utility>

namespace ssd1b {
namespace {

constexpr std::uint8_t kMagic[4] = {'S', 'D', '1', 'W'};

void put(std::vector<std::uint8_t>& out, std::uint64_t value, int bytes) {
  for (int i = 0; i < bytes; ++i) {
    out.push_back(static_cast<std::uint8_t>(value >> (8 * i)));
  }
}

std::uint64_t get(const std::uint8_t* data, int bytes) {
  std::uint64_t value = 0;
  for (int i = 0; i < bytes; ++i) {
    value |= static_cast<std::uint64_t>(data[i]) << (8 * i);
  }
  return value;
}

[[noreturn]] void refuse(const std::string& what) {
  throw Error(ErrorCode::MalformedRequest, "the peer's frame is garbled: " + what);
}

bool is_known(std::uint8_t type) {
  switch (static_cast<FrameType>(type)) {
    case FrameType::Admit:
    case FrameType::Cancel:
    case FrameType::Finish:
    case FrameType::Stop:
    case FrameType::Ready:
    case FrameType::Tick:
    case FrameType::Progress:
    case FrameType::Preview:
    case FrameType::Finished:
    case FrameType::Failed:
    case FrameType::Fatal:
      return true;
  }
  return false;
}

}  // namespace

std::vector<std::uint8_t> encode_frame_head(const Frame& frame) {
  if (frame.json.size() > kMaxFrameJsonBytes || frame.bytes.size() > kMaxFrameBytes) {
    throw Error(ErrorCode::InternalError,
                "a message must be at most " + std::to_string(kMaxFrameJsonBytes) +
                    " bytes of JSON and " + std::to_string(kMaxFrameBytes) + " of data, got " +
                    std::to_string(frame.json.size()) + " and " +
                    std::to_string(frame.bytes.size()));
  }
  std::vector<std::uint8_t> out;
  out.reserve(kFrameHeaderBytes + frame.json.size());
  out.insert(out.end(), std::begin(kMagic), std::end(kMagic));
  put(out, kFrameVersion, 1);
  put(out, static_cast<std::uint8_t>(frame.type), 1);
  put(out, 0, 2);
  put(out, frame.picture, 8);
  put(out, frame.json.size(), 4);
  put(out, frame.bytes.size(), 4);
  out.insert(out.end(), frame.json.begin(), frame.json.end());
  return out;
}

void FrameReader::begin_frame() {
  if (std::memcmp(header_, kMagic, sizeof kMagic) != 0) refuse("it does not begin with SD1W");
  if (header_[4] != kFrameVersion) {
    refuse("version must be " + std::to_string(kFrameVersion) + ", got " +
           std::to_string(header_[4]));
  }
  if (!is_known(header_[5])) refuse("no message has the type " + std::to_string(header_[5]));
  if (get(header_ + 6, 2) != 0) refuse("the reserved bytes must be zero");
  json_want_ = get(header_ + 16, 4);
  bytes_want_ = get(header_ + 20, 4);
  if (json_want_ > kMaxFrameJsonBytes) refuse(std::to_string(json_want_) + " bytes of JSON");
  if (bytes_want_ > kMaxFrameBytes) refuse(std::to_string(bytes_want_) + " bytes of data");
  frame_ = Frame{};
  frame_.type = static_cast<FrameType>(header_[5]);
  frame_.picture = get(header_ + 8, 8);
  frame_.json.reserve(json_want_);
  frame_.bytes.reserve(bytes_want_);
}

std::vector<Frame> FrameReader::feed(const std::uint8_t* data, std::size_t size) {
  std::vector<Frame> frames;
  const std::uint8_t* const end = data + size;
  while (data != end) {
    if (header_have_ < kFrameHeaderBytes) {
      const std::size_t count = std::min<std::size_t>(kFrameHeaderBytes - header_have_, end - data);
      std::memcpy(header_ + header_have_, data, count);
      header_have_ += count;
      data += count;
      if (header_have_ < kFrameHeaderBytes) break;
      begin_frame();
    }
    const std::size_t json_count =
        std::min<std::size_t>(json_want_ - frame_.json.size(), end - data);
    frame_.json.append(reinterpret_cast<const char*>(data), json_count);
    data += json_count;
    const std::size_t bytes_count =
        std::min<std::size_t>(bytes_want_ - frame_.bytes.size(), end - data);
    frame_.bytes.insert(frame_.bytes.end(), data, data + bytes_count);
    data += bytes_count;
    if (frame_.json.size() == json_want_ && frame_.bytes.size() == bytes_want_) {
      frames.push_back(std::exchange(frame_, Frame{}));
      header_have_ = 0;
    }
  }
  return frames;
}

}  // namespace ssd1b
