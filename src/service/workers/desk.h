#pragma once

#include <condition_variable>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <unordered_map>
#include <vector>

#include "service/admission/backlog.h"
#include "service/admission/outlook.h"
#include "service/metrics/metrics.h"
#include "service/workers/dispatcher.h"
#include "service/workers/notices.h"
#include "wire/messages.h"

namespace ssd1b {

/// A message that is to be sent to the worker of this number.
struct Order {
  int worker = 0;
  ServerMessage message;
};

/// What a worker does at the moment, for the watch over it.
struct WorkerLoad {
  int pictures = 0;
  std::int64_t row_pixels = 0;  // of the largest UNet call
  double expected_s = 0.0;      // of that call; 0 where nothing was measured
};

/// What connections and the control loop share: accepted pictures, who makes them, and whether
/// new ones are accepted. Every accepted picture ends here, once, in end(). Thread-safe.
class Desk {
 public:
  struct Limits {
    int queue_size = 0;
    std::int64_t max_queue_bytes = 0;
  };

  /// `wake` is called, without a lock, where there are orders to take: ControlLoop::attend.
  Desk(const Limits& limits, Metrics& metrics, std::function<void()> wake);

  // Called by connections.

  std::vector<std::shared_ptr<Job>> submit(std::vector<GenerationRequest> requests,
                                           const JobTicket& ticket);
  void cancel(const Job& job, const JobFault& why);
  void finish(const Job& job, const std::optional<JobFault>& if_waiting);
  std::optional<QueuePlace> place_of(const Job& job) const;
  ServiceState state() const;
  std::optional<Error> fatal() const;

  /// Not ready from now on; still accepts.
  void announce_drain();
  /// Accepts no more.
  void close();
  /// Blocks until all pictures have ended or `until` is reached; whether they have.
  bool wait_until_empty(Clock::time_point until);
  void end_all(const JobFault& why);

  // Called with the control loop's lock held, by whichever thread attends to the workers.

  void add_device(const std::string& device);
  void worker_is_ready(int worker, const ModelInfo& model);
  /// What it held is made again, or has ended.
  void worker_is_down(int worker);
  /// It will not be started again.
  void worker_is_left_out(int worker);
  bool is_any_ready() const;
  void set_fatal(const Error& error);

  /// Ends the pictures whose time is up.
  void expire(Clock::time_point now);
  std::optional<Clock::time_point> next_deadline() const;

  /// Gives waiting pictures to workers with a free place; what is to be sent, in order. Those who
  /// are `behind`, with orders that their socket did not take, get no picture: what waits stays in
  /// the queue, which is bounded.
  std::vector<Order> take_orders(const std::set<int>& behind);
  WorkerLoad load_of(int worker) const;

  void handle(int worker, const ProgressMessage& message);
  /// False where it is not of the picture that was ordered: then nothing has changed.
  bool handle(int worker, PreviewMessage message);
  /// False where it is not the picture that was ordered: then nothing has changed.
  bool handle(int worker, FinishedMessage message);
  void handle(int worker, const FailedMessage& message);

 private:
  struct Seat {
    std::string device;
    bool is_ready = false;
    bool is_left_out = false;
    bool is_behind = false;  // it has not read what it was sent
    int places = 0;          // pictures in the making; known once it was ready
    WaitEstimate estimate;
  };

  // Called with the lock held.
  void check_capacity(const std::vector<Accepted>& pictures, const JobTicket& ticket) const;
  [[noreturn]] void refuse(ErrorCode code, const std::string& message, double seconds,
                           std::size_t pictures) const;
  /// What takes every single device so long, by its seat, takes all of them together.
  double shared_seconds(const std::function<double(std::size_t seat)>& alone) const;
  double running_seconds() const;
  Outlook outlook() const;
  Outlook outlook_of(const std::string& client) const;
  int places() const;
  bool is_free_for(int worker, const Accepted& accepted) const;
  std::optional<int> best_worker(const Accepted& accepted, const std::vector<double>& extra) const;
  double held_seconds(int worker) const;
  bool place_one(Notices& notices);
  void give(PictureId id, int worker, Notices& notices);
  Accepted* find_held(PictureId id, int worker);
  void succeed(PictureId id, GeneratedImage image, Notices& notices);
  void fail(PictureId id, const JobFault& fault, Notices& notices);
  /// The other pictures of a request that cannot be answered any more.
  void cancel_others_of(const Accepted& failed, Notices& notices);
  void fail_all(const JobFault& why, Notices& notices);
  Accepted end(PictureId id, Outcome outcome);
  void show_counts() const;

  const Limits limits_;
  Metrics& metrics_;
  const std::function<void()> wake_;

  mutable std::mutex mutex_;
  std::condition_variable has_emptied_;
  Backlog backlog_;
  std::vector<Seat> seats_;
  std::vector<Order> orders_;
  std::shared_ptr<const ModelInfo> model_;
  std::optional<Error> fatal_;
  PictureId next_id_ = 1;
  bool is_drain_announced_ = false;
  bool is_closed_ = false;

  /// Positions in the queue as of one moment: computing them for every listener would cost too
  /// much.
  struct Positions {
    Clock::time_point valid_until;
    std::unordered_map<PictureId, QueuePlace> places;
  };
  mutable Positions positions_;
};

}  // namespace ssd1b
