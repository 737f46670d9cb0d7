#include "service/http/reply_writer.h"

#include <httplib.h>

#include <algorithm>
#include <cstring>
#include <exception>
#include <string_view>
#include <utility>

namespace ssd1b {
namespace {

// httplib has no words for nginx's 499 and takes those of 500.
constexpr std::string_view kWordsOf499 = "HTTP/1.1 499 Internal Server Error\r\n";
constexpr std::string_view kOurWordsOf499 = "HTTP/1.1 499 Client Closed Request\r\n";
static_assert(kOurWordsOf499.size() == kWordsOf499.size());  // httplib counts what was written

/// What httplib reads a request from and writes its reply to: memory, and a sink.
class ExchangeStream : public httplib::Stream {
 public:
  ExchangeStream(std::string input, const ByteSink& sink) : input_(std::move(input)), sink_(sink) {}

  ssize_t read(char* data, std::size_t size) override {
    const std::size_t taken = std::min(size, input_.size() - read_);
    std::memcpy(data, input_.data() + read_, taken);
    read_ += taken;
    return static_cast<ssize_t>(taken);
  }

  ssize_t write(const char* data, std::size_t size) override {
    if (is_broken_) return -1;
    const std::string_view bytes(data, size);
    if (written_ == 0 && bytes.substr(0, kWordsOf499.size()) == kWordsOf499) {
      return send(std::string(kOurWordsOf499).append(bytes.substr(kWordsOf499.size())));
    }
    return send(bytes);
  }

  bool is_readable() const override { return read_ < input_.size(); }
  bool wait_readable() const override { return true; }
  bool wait_writable() const override { return !is_broken_; }
  void get_remote_ip_and_port(std::string&, int&) const override {}
  void get_local_ip_and_port(std::string&, int&) const override {}
  socket_t socket() const override { return INVALID_SOCKET; }
  time_t duration() const override { return 0; }

  std::size_t written() const { return written_; }
  bool is_broken() const { return is_broken_; }

 private:
  ssize_t send(std::string_view bytes) {
    const std::size_t size = bytes.size();
    const std::size_t taken = sink_(bytes.data(), size);
    written_ += taken;
    is_broken_ = taken < size;
    return is_broken_ ? -1 : static_cast<ssize_t>(size);
  }

  std::string input_;
  const ByteSink& sink_;
  std::size_t read_ = 0;
  std::size_t written_ = 0;
  bool is_broken_ = false;
};

/// Fields that would make httplib do again what the edge has done (framing, 100, keeping the
/// connection), or do what we do not (ranges, upgrades, its own judgement of Accept), or whose
/// values it had better not read.
bool is_kept_from_httplib(const std::string& name) {
  if (is_browsers_own(name)) return true;
  for (const char* each : {"content-length", "transfer-encoding", "expect", "connection", "range",
                           "if-range", "upgrade", "accept", "accept-encoding"}) {
    if (equal_in_any_case(name, each)) return true;
  }
  return false;
}

std::string head_for_httplib(const RequestHead& head) {
  std::string text =
      head.method + " " + head.target + " HTTP/1." + std::to_string(head.minor_version) + "\r\n";
  for (const auto& [name, value] : head.fields) {
    if (!is_kept_from_httplib(name)) text += name + ": " + value + "\r\n";
  }
  return text + "\r\n";
}

/// One request and its reply, through httplib's parser and writer.
class Exchange : private httplib::Server {
 public:
  Exchange(const RequestHead& head, const std::function<HttpReply()>& handle,
           const std::function<ReplyFrame()>& frame)
      : head_(head), handle_(handle), frame_(frame) {
    svr_sock_ = 0;  // httplib ends streams once there is no listener; ours is the edge's
    set_pre_routing_handler([this](const httplib::Request&, httplib::Response& to) {
      was_read_ = true;
      reply_ = handle_();
      fill(to);
      return HandlerResponse::Handled;
    });
    // Only where httplib refuses what the gate let through: it writes a status without a body.
    set_error_handler([this](const httplib::Request&, httplib::Response& to) {
      if (was_read_) return HandlerResponse::Unhandled;
      reply_ = error_reply(Error(ErrorCode::MalformedRequest, "the request is malformed"), "");
      fill(to);
      return HandlerResponse::Handled;
    });
    set_post_routing_handler(
        [this](const httplib::Request&, httplib::Response& to) { finish_headers(to); });
  }

  SentReply run(const ByteSink& sink) {
    ExchangeStream stream(head_for_httplib(head_), sink);
    bool is_closing = false;
    const bool was_written = process_request(stream, "", 0, "", 0, false, is_closing, nullptr);
    return {reply_.status, stream.written(),
            was_written && !stream.is_broken() && !is_stream_broken_, keeps_connection_,
            stream_fault_};
  }

 private:
  void fill(httplib::Response& to) {
    to.status = reply_.status;
    if (!reply_.stream) {
      if (!reply_.body.empty()) to.set_content(std::move(reply_.body), reply_.content_type);
      return;
    }
    const auto provide = [this](std::size_t, httplib::DataSink& sink) { return provide_to(sink); };
    if (head_.minor_version == 1) {
      to.set_chunked_content_provider(reply_.content_type, provide);
    } else {
      to.set_content_provider(reply_.content_type, provide);
    }
  }

  /// The whole of a streamed reply. Its head is sent, so a fault can only cut it short.
  bool provide_to(httplib::DataSink& sink) {
    is_stream_broken_ = true;
    try {
      reply_.stream([&](const std::string& piece) {
        return piece.empty() || sink.write(piece.data(), piece.size());
      });
    } catch (const std::exception& error) {
      stream_fault_ = error.what();
      return false;
    }
    is_stream_broken_ = false;
    sink.done();
    return true;
  }

  void finish_headers(httplib::Response& to) {
    for (const char* name : {"Connection", "Keep-Alive", "Accept-Ranges"}) to.headers.erase(name);
    if (reply_.status == 204) {
      for (const char* name : {"Content-Length", "Content-Type"}) to.headers.erase(name);
    }
    for (const auto& [name, value] : reply_.headers) to.set_header(name, value);
    const ReplyFrame frame = frame_();
    for (const auto& [name, value] : frame.headers) {
      if (!to.has_header(name)) to.set_header(name, value);
    }
    const bool ends_with_connection = reply_.stream && head_.minor_version == 0;
    keeps_connection_ = frame.keeps_connection && !ends_with_connection;
    if (!keeps_connection_) {
      to.set_header("Connection", "close");
    } else if (head_.minor_version == 0) {
      to.set_header("Connection", "keep-alive");
    }
  }

  const RequestHead& head_;
  const std::function<HttpReply()>& handle_;
  const std::function<ReplyFrame()>& frame_;
  HttpReply reply_;
  bool was_read_ = false;
  bool is_stream_broken_ = false;
  std::string stream_fault_;
  bool keeps_connection_ = false;
};

}  // namespace

SentReply answer(const RequestHead& head, const std::function<HttpReply()>& handle,
                 const std::function<ReplyFrame()>& frame, const ByteSink& sink) {
  return Exchange(head, handle, frame).run(sink);
}

std::string render_refusal(const HttpReply& reply, const ReplyFrame& frame,
                           const std::string& method) {
  RequestHead stand_in;  // httplib answers only what it has read
  stand_in.method = method == "HEAD" ? "HEAD" : "GET";
  stand_in.target = "/";
  std::string bytes;
  answer(
      stand_in, [&] { return reply; }, [&] { return frame; },
      [&](const char* data, std::size_t size) {
        bytes.append(data, size);
        return size;
      });
  return bytes;
}

}  // namespace ssd1b
