#pragma once

#include <memory>
#include <utility>
#include <variant>
#include <vector>

#include "service/admission/job.h"

namespace ssd1b {

/// What jobs are to be told once a lock is released: their listeners may call back. Delivers when
/// it goes out of scope, so declare it before the lock.
class Notices {
 public:
  Notices() = default;
  Notices(const Notices&) = delete;
  Notices& operator=(const Notices&) = delete;
  ~Notices() {
    for (Notice& each : notices_) deliver(each);
  }

  void started(std::shared_ptr<Job> job) { notices_.push_back({std::move(job), Started{}}); }
  void progressed(std::shared_ptr<Job> job, PictureProgress progress) {
    notices_.push_back({std::move(job), progress});
  }
  void previewed(std::shared_ptr<Job> job, PicturePreview preview) {
    notices_.push_back({std::move(job), std::move(preview)});
  }
  void succeeded(std::shared_ptr<Job> job, GeneratedImage image) {
    notices_.push_back({std::move(job), std::move(image)});
  }
  void failed(std::shared_ptr<Job> job, JobFault fault) {
    notices_.push_back({std::move(job), std::move(fault)});
  }
  void cancelled(std::shared_ptr<Job> job, JobFault fault) {
    notices_.push_back({std::move(job), Cancelled{std::move(fault)}});
  }

 private:
  struct Started {};
  struct Cancelled {
    JobFault fault;
  };
  struct Notice {
    std::shared_ptr<Job> job;
    std::variant<Started, PictureProgress, PicturePreview, GeneratedImage, JobFault, Cancelled>
        what;
  };

  static void deliver(Notice& notice) {
    Job& job = *notice.job;
    if (std::holds_alternative<Started>(notice.what)) job.start();
    if (const auto* progress = std::get_if<PictureProgress>(&notice.what)) {
      job.progress(progress->step, progress->steps);
    }
    if (auto* preview = std::get_if<PicturePreview>(&notice.what)) {
      job.preview(std::move(*preview));
    }
    if (auto* image = std::get_if<GeneratedImage>(&notice.what)) job.succeed(std::move(*image));
    if (auto* fault = std::get_if<JobFault>(&notice.what)) job.fail(std::move(*fault));
    if (auto* cancelled = std::get_if<Cancelled>(&notice.what)) {
      job.cancel(std::move(cancelled->fault));
    }
  }

  std::vector<Notice> notices_;
};

}  // namespace ssd1b
