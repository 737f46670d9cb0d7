#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

#include "service/admission/fair_queue.h"
#include "service/admission/job.h"
#include "service/admission/wait_estimate.h"

namespace ssd1b {

/// An accepted picture until it has ended.
struct Accepted {
  std::shared_ptr<Job> job;
  PictureId first_of_request = 0;  // the pictures of one request have consecutive ids
  int pictures_of_request = 1;
  Work work;
  std::int64_t bytes = 0;  // of memory, while it waits
  Clock::time_point accepted_at;
  std::optional<Clock::time_point> started_at;  // the first time
  std::optional<int> worker;                    // that makes it; none: it waits
  int calls_done = 0;                           // UNet calls of this making
  int deaths = 0;                               // of workers that were making it
  bool ran_out_of_memory = false;
  bool must_run_alone = false;
  std::optional<int> finish_at;  // decode it as it is after so many UNet calls

  int calls_left() const { return work.unet_calls > calls_done ? work.unet_calls - calls_done : 0; }
};

/// What all waiting pictures cost together, by size: the sum over a long queue in no time.
class WorkSum {
 public:
  void add(const Work& work) { change(work, 1); }
  void subtract(const Work& work) { change(work, -1); }
  double seconds(const WaitEstimate& estimate) const;

 private:
  struct Count {
    std::int64_t calls = 0;
    std::int64_t pictures = 0;
    std::int64_t decodes = 0;
  };
  void change(const Work& work, int sign);

  std::map<std::pair<std::int64_t, int>, Count> counts_;  // by latent pixels and rows
};

/// All accepted pictures that have not ended: those that wait, in fair order, and those that
/// workers make. Each has ended when it is removed, which its owner does in one place. Pure; used
/// under its owner's lock.
class Backlog {
 public:
  /// To the end of its client's line.
  void add(Accepted accepted);

  /// Null where there is no such picture (any more).
  Accepted* find(PictureId id);
  const Accepted* find(PictureId id) const;

  /// Out of the queue, to a worker.
  void take(PictureId id, int worker);

  /// Back to the head of the queue, to be made from the start, alone.
  void put_back(PictureId id);

  Accepted remove(PictureId id);

  const std::set<PictureId>& held_by(int worker) const;
  std::vector<PictureId> all() const;

  std::vector<PictureId> expired(Clock::time_point now) const;
  std::optional<Clock::time_point> next_deadline() const;

  const FairQueue& queue() const { return queue_; }
  const WorkSum& queued_work() const { return queued_work_; }
  int queued() const { return static_cast<int>(queue_.size()); }
  int running() const { return static_cast<int>(accepted_.size() - queue_.size()); }
  std::int64_t queued_bytes() const { return queued_bytes_; }
  bool empty() const { return accepted_.empty(); }

 private:
  void leave_queue(const Accepted& accepted);
  void leave_worker(Accepted& accepted);

  std::unordered_map<PictureId, Accepted> accepted_;
  std::set<std::pair<Clock::time_point, PictureId>> deadlines_;
  std::map<int, std::set<PictureId>> held_;
  FairQueue queue_;
  WorkSum queued_work_;
  std::int64_t queued_bytes_ = 0;
};

}  // namespace ssd1b
