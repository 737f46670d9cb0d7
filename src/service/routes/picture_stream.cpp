#include "service/routes/picture_stream.h"

#include <chrono>
#include <new>
#include <utility>
#include <vector>

#include "logging/log.h"
#include "service/dialects/write_json.h"
#include "service/http/request_id.h"
#include "service/routes/few_at_a_time.h"
#include "service/routes/make_pictures.h"
#include "service/routes/picture_reply.h"
#include "service/routes/still_wanted.h"

namespace ssd1b {
namespace {

/// A job that ends with its stream, also where the reply is never begun.
struct StreamedJob {
  StreamedJob(Dispatcher& asked, std::shared_ptr<Job> streamed)
      : dispatcher(asked), job(std::move(streamed)) {}
  StreamedJob(const StreamedJob&) = delete;
  StreamedJob& operator=(const StreamedJob&) = delete;
  ~StreamedJob() { dispatcher.cancel(*job, {ErrorCode::Cancelled, "the client went away", 0}); }

  Dispatcher& dispatcher;
  const std::shared_ptr<Job> job;
};

/// The events of one reply, on the request's thread.
class PictureStream {
 public:
  PictureStream(const Service& service, const Dialect& dialect, const ImageRequest& request,
                std::shared_ptr<Job> job, const HttpRequest& http, const StreamWriter& write)
      : service_(service),
        dialect_(dialect),
        request_(request),
        job_(std::move(job)),
        http_(http),
        write_(write) {}

  void run() {
    try {
      send_previews();
      send_picture();
    } catch (const Error& error) {
      end_with(error);
    } catch (const std::bad_alloc&) {
      end_with(Error(ErrorCode::OutOfMemory, "the server has no memory for this request"));
    }
  }

 private:
  void send_previews() {
    int sent = 0;
    for (;;) {
      const bool is_over = has_ended(job_->status().state);  // no preview comes after that
      for (const PicturePreview& each : job_->take_previews(Clock::now() + kClientPoll)) {
        PictureReply reply = begin_reply(service_, request_);
        const std::string file =
            preview_file(service_, each.image, request_.format, request_.quality,
                         [&] { check_still_wanted(http_, request_.timeout); });
        reply.files.push_back({file, job_->request().seed, /*url=*/""});
        send_event(dialect_.event(request_, reply, sent++));
      }
      if (is_over) return;
      check_client(http_);  // the job itself ends at its deadline
      if (Clock::now() - last_sent_at_ > kKeepAlive) send(": keep-alive\n\n");
    }
  }

  void send_picture() {
    std::vector<GeneratedImage> pictures = take_pictures({job_});
    const PictureReply reply =
        picture_files(service_, request_, pictures, ReplyTo::PictureRequest, http_);
    send_event(dialect_.event(request_, reply, /*preview=*/std::nullopt));
  }

  /// The head of the reply is sent, so that no status can tell of the fault.
  void end_with(const Error& error) {
    const auto log = status_of(error.code()) == 500 ? log_error : log_info;
    log("streamed request failed", {{"request_id", http_.request_id},
                                    {"traceparent", traceparent_of(http_.headers)},
                                    {"code", name_of(error.code())},
                                    {"reason", error.what()}});
    write_(event_text("error", error_reply(error, http_.request_id).body));
  }

  void send_event(const Json& event) {
    send(event_text(event["type"].get<std::string>(), json_text(event)));
  }

  void send(const std::string& text) {
    if (!write_(text)) throw Error(ErrorCode::Cancelled, "the client went away");
    last_sent_at_ = Clock::now();
  }

  const Service& service_;
  const Dialect& dialect_;
  const ImageRequest& request_;
  const std::shared_ptr<Job> job_;
  const HttpRequest& http_;
  const StreamWriter& write_;
  Clock::time_point last_sent_at_ = Clock::now();
};

}  // namespace

std::string event_text(const std::string& name, const std::string& data) {
  return "event: " + name + "\ndata: " + data + "\n\n";
}

std::string preview_file(const Service& service, const Image& image, ImageFormat format,
                         int quality, const std::function<void()>& check) {
  std::string file;
  service.encoding().run(check, [&] { file = encode(image, format, quality, /*settings=*/""); });
  return file;
}

HttpReply stream_picture(const Service& service, const Dialect& dialect, ImageRequest request,
                         std::shared_ptr<Job> job, HttpRequest http) {
  HttpReply reply;
  reply.content_type = "text/event-stream";
  reply.headers = {{"X-Seed", std::to_string(job->request().seed)},
                   {"X-Model", header_safe(service.rules().model_names.front())}};
  http.key_place.reset();  // the edge gives it back with the end of the reply
  http.body.clear();
  reply.stream = [&service, &dialect, request = std::move(request), http = std::move(http),
                  streamed = std::make_shared<StreamedJob>(service.dispatcher(), std::move(job))](
                     const StreamWriter& write) mutable {
    const auto ends_here = std::move(streamed);
    PictureStream(service, dialect, request, ends_here->job, http, write).run();
  };
  return reply;
}

}  // namespace ssd1b
