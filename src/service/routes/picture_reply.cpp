#include "service/routes/picture_reply.h"

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <utility>

#include "logging/log.h"
#include "service/dialects/write_json.h"
#include "service/http/request_id.h"
#include "service/image_files/image_files.h"
#include "service/image_files/picture_settings.h"
#include "service/routes/few_at_a_time.h"
#include "service/routes/link_store.h"
#include "service/routes/still_wanted.h"

namespace ssd1b {
namespace {

void add_warnings(std::vector<Warning>& to, const std::vector<Warning>& from) {
  for (const Warning& each : from) {
    const auto has_code = [&](const Warning& other) { return other.code == each.code; };
    if (std::none_of(to.begin(), to.end(), has_code)) to.push_back(each);
  }
}

void add_timings(StageTimings& to, const StageTimings& from) {
  to.queue_ms = std::max(to.queue_ms, from.queue_ms);
  to.text_encoder_ms += from.text_encoder_ms;
  to.denoise_ms += from.denoise_ms;
  to.vae_ms += from.vae_ms;
  to.encode_ms += from.encode_ms;
}

std::string server_timing(const StageTimings& timings) {
  char text[200];
  std::snprintf(text, sizeof text,
                "queue;dur=%.1f, text_encoder;dur=%.1f, denoise;dur=%.1f, vae;dur=%.1f, "
                "encode;dur=%.1f",
                timings.queue_ms, timings.text_encoder_ms, timings.denoise_ms, timings.vae_ms,
                timings.encode_ms);
  return text;
}

void log_timings(const StageTimings& timings, const HttpRequest& http) {
  log_debug("pictures made", {{"request_id", http.request_id},
                              {"traceparent", traceparent_of(http.headers)},
                              {"queue_ms", timings.queue_ms},
                              {"text_encoder_ms", timings.text_encoder_ms},
                              {"denoise_ms", timings.denoise_ms},
                              {"vae_ms", timings.vae_ms},
                              {"encode_ms", timings.encode_ms}});
}

Fields headers_of(const PictureReply& reply) {
  Fields headers = {{"X-Seed", std::to_string(reply.files.front().seed)},
                    {"X-Model", header_safe(reply.model)},
                    {"X-Prompt-Tokens", std::to_string(reply.prompt_tokens) + "/" +
                                            std::to_string(reply.prompt_token_limit)},
                    {"Server-Timing", server_timing(reply.timings)}};
  std::string codes;
  for (const Warning& each : reply.warnings) codes += (codes.empty() ? "" : ", ") + each.code;
  if (!codes.empty()) headers.emplace_back("X-Warning", codes);
  return headers;
}

std::string encoded(const Image& image, const ImageRequest& request,
                    const GenerationRequest& picture, const std::string& model) {
  return encode(image, request.format, request.quality,
                request.embed_metadata ? picture_settings(picture, model) : "");
}

std::int64_t seconds_since_1970() {
  return std::chrono::duration_cast<std::chrono::seconds>(
             std::chrono::system_clock::now().time_since_epoch())
      .count();
}

}  // namespace

std::string header_safe(std::string text) {
  for (char& c : text) {
    if (c < 0x21 || c > 0x7E) c = '_';
  }
  return text;
}

PictureReply begin_reply(const Service& service, const ImageRequest& request) {
  PictureReply reply;
  reply.created_at_s = seconds_since_1970();
  reply.model = service.rules().model_names.front();
  reply.warnings = request.warnings;
  return reply;
}

PictureReply picture_files(const Service& service, const ImageRequest& request,
                           std::vector<GeneratedImage>& pictures, ReplyTo kind,
                           const HttpRequest& http) {
  PictureReply reply = begin_reply(service, request);
  for (std::size_t i = 0; i < pictures.size(); ++i) {
    GeneratedImage& picture = pictures[i];
    reply.prompt_tokens = picture.prompt_tokens;
    reply.prompt_token_limit = picture.prompt_token_limit;
    add_warnings(reply.warnings, picture.warnings);
    const auto check = [&] {
      if (kind == ReplyTo::PictureRequest) check_still_wanted(http, request.timeout);
    };
    service.encoding().run(check, [&] {
      const Clock::time_point began = Clock::now();
      reply.files.push_back({encoded(picture.image, request, request.pictures[i], reply.model),
                             request.pictures[i].seed, ""});
      picture.timings.encode_ms =
          std::chrono::duration<double, std::milli>(Clock::now() - began).count();
    });
    service.metrics().observe_stage(Stage::Encode, picture.timings.encode_ms / 1000.0);
    add_timings(reply.timings, picture.timings);
    if (kind == ReplyTo::PictureRequest) picture.image = Image();  // not all in memory twice
  }
  log_timings(reply.timings, http);
  return reply;
}

HttpReply picture_reply(const Service& service, const Dialect& dialect, const ImageRequest& request,
                        std::vector<GeneratedImage>& pictures, ReplyTo kind,
                        const HttpRequest& http) {
  PictureReply reply = picture_files(service, request, pictures, kind, http);
  HttpReply http_reply;
  if (request.reply == ReplyKind::Bytes) {
    http_reply.content_type = content_type_of(request.format);
    http_reply.headers = headers_of(reply);
    http_reply.body = std::move(reply.files.front().bytes);
    return http_reply;
  }
  if (request.reply == ReplyKind::JsonLinks) {
    for (PictureFile& file : reply.files) {
      const std::string id = service.links().add(
          {std::move(file.bytes), content_type_of(request.format), http.client});
      const std::string host = http.header("Host");  // HTTP/1.0 may have none
      file.url = (host.empty() ? "" : "http://" + host) + "/v1/images/" + id + "/content";
    }
  }
  http_reply.headers = headers_of(reply);
  http_reply.body = json_text(dialect.reply(request, reply));
  return http_reply;
}

}  // namespace ssd1b
