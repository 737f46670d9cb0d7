#include "service/routes/job_routes.h"

#include <charconv>
#include <chrono>
#include <exception>
#include <utility>

#include "service/dialects/write_json.h"
#include "service/image_files/base64.h"
#include "service/routes/job_store.h"
#include "service/routes/make_pictures.h"
#include "service/routes/picture_reply.h"
#include "service/routes/picture_stream.h"

namespace ssd1b {
namespace {

constexpr int kPreviewQuality = 80;

std::shared_ptr<TrackedJob> find_job(const Service& service, const HttpRequest& http) {
  return service.jobs().find(http.path_parameters.at(0), http.client);
}

HttpReply document_reply(int status, const TrackedJob& job) {
  HttpReply reply;
  reply.status = status;
  reply.body = json_text(job.document());
  return reply;
}

/// The id of the last event that a client has seen; 0 where it says none, or one that the job never
/// had.
std::uint64_t last_event_id(const HttpRequest& http, const TrackedJob& job) {
  const std::string text = http.header("Last-Event-ID");
  std::uint64_t id = 0;
  const auto result = std::from_chars(text.data(), text.data() + text.size(), id);
  const bool is_number = result.ec == std::errc() && result.ptr == text.data() + text.size();
  return is_number && id <= job.last_event_id() ? id : 0;
}

std::string data_of(const Service& service, const JobEvent& event) {
  if (!event.preview) return event.data;
  const PicturePreview& picture = event.preview->picture;
  const std::string file = preview_file(service, picture.image, ImageFormat::Jpeg, kPreviewQuality,
                                        /*check=*/[] {});  // writing tells who is gone
  return json_text({{"index", event.preview->index},
                    {"step", picture.step},
                    {"steps", picture.steps},
                    {"output_format", name_of(ImageFormat::Jpeg)},
                    {"b64_json", base64_of(file)}});
}

/// Writes events until the job's last one or until the client is gone.
void write_events(const Service& service, const TrackedJob& job, std::uint64_t last_id,
                  const StreamWriter& write) {
  for (;;) {
    const bool has_ended = job.ended_at().has_value();
    const std::vector<JobEvent> events =
        job.events_after(last_id, has_ended ? Clock::now() : Clock::now() + kKeepAlive);
    for (const JobEvent& event : events) {
      const std::string data = data_of(service, event);
      if (!write("id: " + std::to_string(event.id) + "\n" + event_text(event.name, data))) return;
      last_id = event.id;
    }
    if (has_ended) return;  // its last event was among them, or seen before
    if (events.empty() && !write(": keep-alive\n\n")) return;
  }
}

}  // namespace

HttpReply post_job(const Service& service, const HttpRequest& http) {
  ImageRequest request = read_request(service, job_dialect(), http);
  const JobTicket ticket = ticket_of(request, http);
  std::vector<GenerationRequest> pictures = request.pictures;
  const auto job = service.jobs().add(http.client, std::move(request));
  try {
    job->follow(service.dispatcher().submit(std::move(pictures), ticket), http.key_place);
  } catch (const std::exception&) {
    service.jobs().remove(job->id());  // it was not accepted: there is no job
    throw;
  }
  service.jobs().make_room_for(*job);
  HttpReply reply = document_reply(202, *job);
  reply.headers.emplace_back("Location", "/v1/jobs/" + job->id());
  return reply;
}

HttpReply get_job(const Service& service, const HttpRequest& http) {
  return document_reply(200, *find_job(service, http));
}

HttpReply get_job_image(const Service& service, const HttpRequest& http) {
  const auto job = find_job(service, http);
  return job->answer([&](std::vector<GeneratedImage>& images) {
    return picture_reply(service, job_dialect(), job->request(), images, ReplyTo::JobRequest, http);
  });
}

HttpReply delete_job(const Service& service, const HttpRequest& http) {
  const auto job = find_job(service, http);
  if (job->ended_at()) {
    service.jobs().remove(job->id());
  } else {
    for (const std::shared_ptr<Job>& picture : job->pictures()) {
      service.dispatcher().cancel(*picture, {ErrorCode::Cancelled, "the job was cancelled", 0});
    }
  }
  HttpReply reply;
  reply.status = 204;
  return reply;
}

HttpReply get_job_events(const Service& service, const HttpRequest& http) {
  const auto job = find_job(service, http);
  const std::uint64_t last_id = last_event_id(http, *job);
  HttpReply reply;
  if (job->ended_at() && last_id == job->last_event_id()) {
    reply.status = 204;  // ends the attempts of a browser's EventSource to connect again
    return reply;
  }
  reply.content_type = "text/event-stream";
  reply.stream = [&service, job, last_id](const StreamWriter& write) {
    write_events(service, *job, last_id, write);
  };
  return reply;
}

}  // namespace ssd1b
