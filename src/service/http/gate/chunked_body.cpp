#include "service/http/gate/chunked_body.h"

#include <algorithm>

#include "service/http/gate/hex_digit.h"

namespace ssd1b {
namespace {

constexpr int kMaxSizeDigits = 8;
constexpr std::size_t kMaxAsideBytes = 4096;

/// A trailer may not say again what the head has said of framing.
bool is_allowed_trailer(std::string_view line) {
  const auto field = read_field_line(line);
  if (!field || holds_escaped_break(field->second)) return false;
  for (const char* name : {"content-length", "transfer-encoding", "host", "trailer"}) {
    if (equal_in_any_case(field->first, name)) return false;
  }
  return true;
}

}  // namespace

void ChunkedBody::refuse(std::string message) {
  fault_ = GateFault{400, ErrorCode::MalformedRequest, std::move(message)};
}

void ChunkedBody::feed(std::string_view& bytes) {
  while (!bytes.empty() && !is_complete() && !fault_) {
    if (part_ == Part::Data) {
      const std::size_t taken = std::min(bytes.size(), chunk_bytes_left_);
      data_.append(bytes.substr(0, taken));
      bytes.remove_prefix(taken);
      chunk_bytes_left_ -= taken;
      if (chunk_bytes_left_ == 0) part_ = Part::DataCr;
    } else {
      read_byte(bytes.front());
      bytes.remove_prefix(1);
    }
  }
}

void ChunkedBody::read_byte(char c) {
  switch (part_) {
    case Part::Size:
      return read_size(c);
    case Part::Extension:
      return read_extension(c);
    case Part::SizeLf:
      if (c != '\n') return refuse("a chunk's size must end with CRLF");
      return begin_data();
    case Part::DataCr:
      if (c != '\r') return refuse("a chunk must be as long as its size says");
      part_ = Part::DataLf;
      return;
    case Part::DataLf:
      if (c != '\n') return refuse("a chunk must end with CRLF");
      part_ = Part::Size;
      size_digits_ = 0;
      return;
    case Part::Trailer:
      return read_trailer(c);
    case Part::Data:
    case Part::End:
      return;
  }
}

void ChunkedBody::read_size(char c) {
  const int digit = hex_value(c);
  if (digit >= 0) {
    if (++size_digits_ > kMaxSizeDigits) {
      return refuse("a chunk's size must have at most 8 hexadecimal digits");
    }
    chunk_bytes_left_ =
        (size_digits_ == 1 ? 0 : chunk_bytes_left_ * 16) + static_cast<std::size_t>(digit);
  } else if (size_digits_ == 0) {
    refuse("a chunk must begin with its size in hexadecimal digits");
  } else if (c == ';') {
    part_ = Part::Extension;
  } else if (c == '\r') {
    part_ = Part::SizeLf;
  } else {
    refuse("a chunk's size must be hexadecimal digits");
  }
}

void ChunkedBody::read_extension(char c) {
  if (c == '\r') {
    part_ = Part::SizeLf;
  } else if (c != '\t' && (c < 0x20 || c >= 0x7f)) {
    refuse("a chunk's extension must be plain text");
  } else if (++aside_bytes_ > kMaxAsideBytes) {
    refuse("the extensions and the trailer of a body must be at most 4096 bytes long together");
  }
}

void ChunkedBody::begin_data() {
  if (chunk_bytes_left_ == 0) {
    part_ = Part::Trailer;
  } else if (chunk_bytes_left_ > kMaxBodyBytes - data_.size()) {
    fault_ = GateFault{413, ErrorCode::BodyTooLarge, "the body must be at most 262144 bytes long"};
  } else {
    part_ = Part::Data;
  }
}

void ChunkedBody::read_trailer(char c) {
  if (++aside_bytes_ > kMaxAsideBytes) {
    return refuse(
        "the extensions and the trailer of a body must be at most 4096 bytes long together");
  }
  trailer_line_ += c;
  if (c != '\n') return;
  const std::size_t size = trailer_line_.size();
  if (size < 2 || trailer_line_[size - 2] != '\r') {
    return refuse("a line of a trailer must end with CRLF");
  }
  if (size == 2) {
    part_ = Part::End;
  } else if (is_allowed_trailer(std::string_view(trailer_line_).substr(0, size - 2))) {
    trailer_line_.clear();
  } else {
    refuse("a trailer must be fields like those of a head");
  }
}

}  // namespace ssd1b
