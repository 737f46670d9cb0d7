#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

#include "service/http/gate/chunked_body.h"
#include "service/http/gate/head_gate.h"

namespace ssd1b {

/// Makes requests of the bytes of one connection, whatever pieces they come in. Knows no sockets
/// and no clocks.
class RequestReader {
 public:
  /// What advance() came to.
  enum class Progress {
    NeedsBytes,  // the rest has not come yet
    HeadRead,    // head() may be judged before more of the request is read
    Complete,    // head() and body() are whole
    Refused,     // fault(), and head() where it is well-formed; nothing more is read
  };

  void append(std::string_view bytes);

  /// Reads on as far as the bytes go. After HeadRead call it again for the body.
  Progress advance();

  /// The next request begins where this one ended. Bytes of it may be here already.
  void begin_next();

  /// No byte of the request has come: the connection is idle.
  bool is_untouched() const { return stage_ == Stage::Head && input_.empty(); }
  bool is_reading_body() const { return stage_ == Stage::Body; }
  bool has_unread_bytes() const { return !input_.empty(); }

  const RequestHead& head() const { return head_; }
  std::string& body() { return body_; }
  const GateFault& fault() const { return *fault_; }
  /// Bytes of the body read so far, without the framing of chunks.
  std::size_t body_bytes() const { return head_.is_chunked ? chunks_.size() : body_.size(); }

 private:
  enum class Stage { Head, Body, Complete, Refused };

  Progress read_head();
  Progress read_body();
  void take_body(std::string_view& bytes);
  Progress refuse(GateFault fault);

  Stage stage_ = Stage::Head;
  std::string input_;     // not read yet
  std::size_t seen_ = 0;  // bytes of input_ that hold no end of a head
  bool may_skip_line_ = true;
  RequestHead head_;
  ChunkedBody chunks_;
  std::string body_;
  std::optional<GateFault> fault_;
};

}  // namespace ssd1b
