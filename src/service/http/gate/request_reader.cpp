#include "service/http/gate/request_reader.h"

#include <algorithm>
#include <utility>

namespace ssd1b {

void RequestReader::append(std::string_view bytes) {
  // Most bytes are of bodies: those need no stop on their way.
  if (stage_ == Stage::Body && input_.empty()) take_body(bytes);
  input_.append(bytes);
}

RequestReader::Progress RequestReader::advance() {
  switch (stage_) {
    case Stage::Head:
      return read_head();
    case Stage::Body:
      return read_body();
    case Stage::Complete:
      return Progress::Complete;
    case Stage::Refused:
      return Progress::Refused;
  }
  return Progress::Refused;
}

void RequestReader::begin_next() {
  stage_ = Stage::Head;
  seen_ = 0;
  may_skip_line_ = true;
  head_ = RequestHead();
  chunks_ = ChunkedBody();
  body_ = std::string();
  if (input_.empty()) input_ = std::string();  // an idle connection holds no memory
}

RequestReader::Progress RequestReader::refuse(GateFault fault) {
  stage_ = Stage::Refused;
  fault_ = std::move(fault);
  return Progress::Refused;
}

RequestReader::Progress RequestReader::read_head() {
  // Some clients send one empty line too many behind a body (RFC 9112, 2.2).
  if (may_skip_line_ && input_.size() >= 2) {
    if (input_.compare(0, 2, "\r\n") == 0) input_.erase(0, 2);
    may_skip_line_ = false;
  }
  if (may_skip_line_ && input_ == "\r") return Progress::NeedsBytes;
  const HeadEnd end = find_head_end(input_, seen_);
  if (end.fault) return refuse(*end.fault);
  if (end.size == 0) {
    seen_ = input_.size();
    return Progress::NeedsBytes;
  }
  JudgedHead judged = examine_head(std::string_view(input_).substr(0, end.size));
  head_ = std::move(judged.head);
  if (judged.fault) return refuse(std::move(*judged.fault));
  input_.erase(0, end.size);
  stage_ = head_.has_body() ? Stage::Body : Stage::Complete;
  return Progress::HeadRead;
}

void RequestReader::take_body(std::string_view& bytes) {
  if (head_.is_chunked) return chunks_.feed(bytes);
  const std::size_t taken = std::min(bytes.size(), head_.content_length - body_.size());
  // Memory that no byte has come for costs nothing yet; growing would copy what has come.
  if (body_.empty() && taken > 0) body_.reserve(head_.content_length);
  body_.append(bytes.substr(0, taken));
  bytes.remove_prefix(taken);
}

RequestReader::Progress RequestReader::read_body() {
  std::string_view rest = input_;
  take_body(rest);
  input_.erase(0, input_.size() - rest.size());
  if (chunks_.fault()) return refuse(*chunks_.fault());
  const bool is_whole =
      head_.is_chunked ? chunks_.is_complete() : body_.size() == head_.content_length;
  if (!is_whole) return Progress::NeedsBytes;
  if (head_.is_chunked) body_ = chunks_.take();
  stage_ = Stage::Complete;
  return Progress::Complete;
}

}  // namespace ssd1b
