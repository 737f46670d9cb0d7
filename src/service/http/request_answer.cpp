#include "service/http/request_answer.h"

#include <array>
#include <cstdio>
#include <ctime>
#include <exception>
#include <new>
#include <string_view>
#include <utility>

#include "logging/log.h"
#include "service/http/random_id.h"
#include "service/http/reply_writer.h"
#include "service/http/request_id.h"

namespace ssd1b {
namespace {

/// As HTTP has it, whatever the locale: Sun, 06 Nov 1994 08:49:37 GMT.
std::string http_date() {
  constexpr std::array<const char*, 7> kDays = {"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"};
  constexpr std::array<const char*, 12> kMonths = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                                   "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
  const std::time_t now = std::time(nullptr);
  std::tm parts{};
  gmtime_r(&now, &parts);
  char text[40];
  std::snprintf(text, sizeof text, "%s, %02d %s %d %02d:%02d:%02d GMT",
                kDays[static_cast<std::size_t>(parts.tm_wday)], parts.tm_mday,
                kMonths[static_cast<std::size_t>(parts.tm_mon)], parts.tm_year + 1900,
                parts.tm_hour, parts.tm_min, parts.tm_sec);
  return text;
}

/// What every reply carries. No Server field: versions help nobody but attackers.
Fields fixed_headers(const std::string& request_id) {
  return {{"Date", http_date()},
          {"X-Request-Id", request_id},
          {"X-Content-Type-Options", "nosniff"},
          {"Cache-Control", "no-store"}};
}

HttpRequest request_of(Connection& connection) {
  const RequestHead& head = connection.reader.head();
  HttpRequest request;
  request.headers = head.fields;
  request.body = std::move(connection.reader.body());
  request.request_id = connection.request_id;
  request.client = connection.entry.lease.client;
  request.key_place = connection.entry.lease.place;
  request.path_parameters = std::move(connection.entry.path_parameters);
  request.arrived_at = connection.arrived_at;
  request.is_client_gone = [fd = connection.fd()] { return is_peer_gone(fd); };
  return request;
}

/// The key's place is free before the client has the end of the reply: its next request may come at
/// once, by another connection.
void release_with(HttpReply& reply, KeyLease& lease) {
  if (!reply.stream) {
    lease.place.reset();
    return;
  }
  reply.stream = [stream = std::move(reply.stream),
                  place = std::move(lease.place)](const StreamWriter& write) mutable {
    stream(write);
    place.reset();
  };
}

void log_fault(const Connection& connection, std::string_view what, std::string_view reason) {
  log_error(what, {{"request_id", connection.request_id},
                   {"traceparent", traceparent_of(connection.reader.head().fields)},
                   {"reason", reason}});
}

}  // namespace

RequestAnswerer::RequestAnswerer(const Doorkeeper& doorkeeper, const EdgeDeadlines& deadlines,
                                 ReplyListener on_reply)
    : doorkeeper_(doorkeeper), deadlines_(deadlines), on_reply_(std::move(on_reply)) {}

HttpReply RequestAnswerer::run_handler(Connection& connection) const {
  if (connection.entry.reply) return std::move(*connection.entry.reply);
  const std::string& id = connection.request_id;
  try {
    return connection.entry.route->handler(request_of(connection));
  } catch (const Error& error) {
    if (status_of(error.code()) == 500) {
      log_fault(connection, "request failed",
                std::string(name_of(error.code())) + ": " + error.what());
    }
    return error_reply(error, id);
  } catch (const std::bad_alloc&) {
    return error_reply(Error(ErrorCode::OutOfMemory, "the server has no memory for this request"),
                       id);
  } catch (const std::exception& error) {
    log_fault(connection, "request failed", error.what());
    return error_reply(Error(ErrorCode::InternalError, ""), id);
  }
}

ReplyFrame RequestAnswerer::frame_of(const Connection& connection, bool keeps_connection) const {
  ReplyFrame frame{keeps_connection, fixed_headers(connection.request_id)};
  for (auto& header : doorkeeper_.cross_origin_headers(connection.reader.head().fields)) {
    frame.headers.push_back(std::move(header));
  }
  return frame;
}

bool RequestAnswerer::answer(Connection& connection, const std::function<bool()>& may_keep) const {
  const RequestHead& head = connection.reader.head();
  const auto frame = [&] { return frame_of(connection, head.keeps_alive && may_keep()); };
  const auto send = [&](const char* data, std::size_t size) {
    return send_patiently(connection.fd(), data, size, deadlines_.reply,
                          deadlines_.transfer_bytes_per_s);
  };
  const auto handle = [&] {
    HttpReply reply = run_handler(connection);
    release_with(reply, connection.entry.lease);
    return reply;
  };
  SentReply sent;
  try {
    sent = ssd1b::answer(head, handle, frame, send);
    if (!sent.fault.empty()) log_fault(connection, "a streamed reply broke off", sent.fault);
    record(connection, sent.status, sent.bytes, sent.is_whole);
  } catch (const std::exception& error) {  // no memory: this connection pays
    log_fault(connection, "a reply could not be written", error.what());
    return false;
  }
  return sent.keeps_connection && sent.is_whole;
}

std::string RequestAnswerer::refusal(const Connection& connection, const HttpReply& reply) const {
  std::string bytes = render_refusal(reply, frame_of(connection, /*keeps_connection=*/false),
                                     connection.reader.head().method);
  record(connection, reply.status, bytes.size(), /*is_whole=*/true);
  return bytes;
}

std::string RequestAnswerer::too_many_connections() const {
  const std::string id = random_id();
  const HttpReply reply =
      error_reply(Error(ErrorCode::TooManyConnections,
                        "there are as many connections as there may be, in all or of this address"),
                  id);
  return render_refusal(reply, {/*keeps_connection=*/false, fixed_headers(id)});
}

void RequestAnswerer::record(const Connection& connection, int status, std::size_t bytes,
                             bool is_whole) const {
  const RequestHead& head = connection.reader.head();
  ReplyRecord record;
  record.route = connection.entry.route != nullptr ? connection.entry.route->pattern : "";
  record.status = status;
  record.seconds =
      std::chrono::duration<double>(Connection::Clock::now() - connection.arrived_at).count();
  log_info("request", {{"request_id", connection.request_id},
                       {"traceparent", traceparent_of(head.fields)},
                       {"address", connection.address},
                       {"client", connection.entry.lease.client},
                       {"method", head.method},
                       {"path", head.path},
                       {"status", status},
                       {"bytes", bytes},
                       {"ms", record.seconds * 1000},
                       {"whole", is_whole}});
  if (on_reply_) on_reply_(record);
}

}  // namespace ssd1b
