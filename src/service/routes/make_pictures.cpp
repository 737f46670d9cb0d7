#include "service/routes/make_pictures.h"

#include <chrono>
#include <utility>

#include "service/http/request_id.h"
#include "service/routes/few_at_a_time.h"
#include "service/routes/picture_reply.h"
#include "service/routes/picture_stream.h"
#include "service/routes/require_json.h"
#include "service/routes/still_wanted.h"

namespace ssd1b {
namespace {

// More than a request with two whole prompts; reading it takes milliseconds.
constexpr std::size_t kLargeBodyBytes = 32 * 1024;

/// The Accept header; several of them are one list.
std::string accept_of(const HttpRequest& http) {
  std::string value;
  for (const auto& [name, each] : http.headers) {
    if (equal_in_any_case(name, "accept")) value += (value.empty() ? "" : ",") + each;
  }
  return value;
}

}  // namespace

void read_body(const Service& service, const HttpRequest& http, std::chrono::milliseconds timeout,
               const std::function<void(const Json&)>& read) {
  require_json(http);
  const auto parse = [&] { read(parse_json(http.body)); };
  if (http.body.size() < kLargeBodyBytes) {
    parse();
  } else {
    service.parsing().run([&] { check_still_wanted(http, timeout); }, parse);
  }
}

ImageRequest read_request(const Service& service, const Dialect& dialect, const HttpRequest& http,
                          const std::string& path_model) {
  require_json(http);
  const auto model = service.model();
  const RequestContext context{accept_of(http), path_model, http.body};
  ImageRequest request;
  const RequestRules rules = service.rules(*model);
  // What the body itself says of its timeout is not known yet.
  read_body(service, http, rules.request_timeout,
            [&](const Json& body) { request = dialect.parse(body, context, *model, rules); });
  return request;
}

JobTicket ticket_of(const ImageRequest& request, const HttpRequest& http) {
  return {http.request_id, http.client, http.arrived_at + request.timeout, request.count_field,
          std::string(traceparent_of(http.headers))};
}

void wait_for_pictures(Dispatcher& dispatcher, const std::vector<std::shared_ptr<Job>>& jobs,
                       const HttpRequest& http) {
  for (const std::shared_ptr<Job>& job : jobs) {
    while (!job->wait_until(Clock::now() + kClientPoll)) {
      if (!http.is_client_gone || !http.is_client_gone()) continue;
      const JobFault gone{ErrorCode::Cancelled, "the client went away", 0};
      for (const std::shared_ptr<Job>& each : jobs) dispatcher.cancel(*each, gone);
      throw Error(gone.code, gone.message);
    }
  }
}

void throw_fault(const JobFault& fault) {
  if (fault.retry_after_s > 0) throw Refusal(fault.code, fault.message, fault.retry_after_s);
  throw Error(fault.code, fault.message);
}

std::vector<GeneratedImage> take_pictures(const std::vector<std::shared_ptr<Job>>& jobs) {
  std::vector<GeneratedImage> pictures;
  std::optional<JobFault> fault;
  for (const std::shared_ptr<Job>& job : jobs) {
    auto result = job->take_result();
    if (auto* picture = std::get_if<GeneratedImage>(&result)) {
      pictures.push_back(std::move(*picture));
    } else if (!fault || fault->code == ErrorCode::Cancelled) {
      fault = std::get<JobFault>(result);  // what ended the others counts, not that they were ended
    }
  }
  if (fault) throw_fault(*fault);
  return pictures;
}

HttpReply make_pictures(const Service& service, const Dialect& dialect, const HttpRequest& http,
                        const std::string& path_model) {
  ImageRequest request = read_request(service, dialect, http, path_model);
  const JobTicket ticket = ticket_of(request, http);
  const auto jobs = service.dispatcher().submit(request.pictures, ticket);
  if (request.is_streamed) {
    return stream_picture(service, dialect, std::move(request), jobs.front(), http);
  }
  wait_for_pictures(service.dispatcher(), jobs, http);
  std::vector<GeneratedImage> pictures = take_pictures(jobs);
  return picture_reply(service, dialect, request, pictures, ReplyTo::PictureRequest, http);
}

}  // namespace ssd1b
