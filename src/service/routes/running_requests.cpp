#include "service/routes/running_requests.h"

#include <algorithm>
#include <chrono>
#include <utility>

namespace ssd1b {

RunningRequest::RunningRequest(std::string client, std::vector<std::shared_ptr<Job>> jobs)
    : client_(std::move(client)),
      jobs_(std::move(jobs)),
      began_at_s_(std::chrono::duration_cast<std::chrono::seconds>(
                      std::chrono::system_clock::now().time_since_epoch())
                      .count()) {}

void RunningRequest::interrupt(Dispatcher& dispatcher) {
  is_interrupted_ = true;
  const JobFault why{ErrorCode::Cancelled, "the request was interrupted", 0};
  for (const std::shared_ptr<Job>& job : jobs_) dispatcher.finish(*job, why);
}

void RunningRequest::skip(Dispatcher& dispatcher) {
  is_skipped_ = true;
  for (const std::shared_ptr<Job>& job : jobs_) dispatcher.finish(*job);
}

std::shared_ptr<RunningRequest> RunningRequests::add(const std::string& client,
                                                     std::vector<std::shared_ptr<Job>> jobs) {
  auto request = std::make_shared<RunningRequest>(client, std::move(jobs));
  const std::lock_guard lock(mutex_);
  const auto is_over = [](const std::weak_ptr<RunningRequest>& each) { return each.expired(); };
  requests_.erase(std::remove_if(requests_.begin(), requests_.end(), is_over), requests_.end());
  requests_.push_back(request);
  return request;
}

std::vector<std::shared_ptr<RunningRequest>> RunningRequests::of(const std::string& client) {
  std::vector<std::shared_ptr<RunningRequest>> found;
  const std::lock_guard lock(mutex_);
  for (const std::weak_ptr<RunningRequest>& each : requests_) {
    const std::shared_ptr<RunningRequest> request = each.lock();
    if (request && request->client() == client) found.push_back(request);
  }
  return found;
}

}  // namespace ssd1b
