#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

#include "service/http/gate/head_gate.h"

namespace ssd1b {

/// Reads a body in chunks (RFC 9112, 7.1) byte by byte, whatever pieces it comes in. Extensions and
/// trailer fields are read strictly and thrown away.
class ChunkedBody {
 public:
  /// Takes what belongs to the body off the front of `bytes`; what is left belongs to the next
  /// request. Call it until is_complete() or fault().
  void feed(std::string_view& bytes);

  bool is_complete() const { return part_ == Part::End; }
  /// 400 where the framing is broken, 413 where the body is longer than kMaxBodyBytes.
  const std::optional<GateFault>& fault() const { return fault_; }
  std::size_t size() const { return data_.size(); }
  std::string take() { return std::move(data_); }

 private:
  enum class Part { Size, Extension, SizeLf, Data, DataCr, DataLf, Trailer, End };

  void read_byte(char c);
  void read_size(char c);
  void read_extension(char c);
  void begin_data();
  void read_trailer(char c);
  void refuse(std::string message);

  Part part_ = Part::Size;
  std::string data_;
  std::string trailer_line_;     // so far
  std::size_t aside_bytes_ = 0;  // of extensions and trailer
  std::size_t chunk_bytes_left_ = 0;
  int size_digits_ = 0;
  std::optional<GateFault> fault_;
};

}  // namespace ssd1b
