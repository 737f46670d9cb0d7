#pragma once

#include <atomic>
#include <functional>
#include <memory>
#include <mutex>
#include <set>
#include <thread>
#include <vector>

#include "descriptor/wake_up.h"
#include "service/workers/desk.h"
#include "service/workers/device_worker.h"

namespace ssd1b {

/// The control thread: starts, feeds, watches and replaces the workers. It is the parent of their
/// processes, which die with it.
class ControlLoop {
 public:
  /// Starts the thread. Keeps references to what it is given.
  ControlLoop(const ServerOptions& options, const DispatcherTuning& tuning, Desk& desk,
              Metrics& metrics);
  ~ControlLoop();  // ends the thread and kills the workers

  /// To be called when the desk has orders. While the control thread waits they go out on this
  /// thread, so that a request costs one change of threads less. Does not block. Thread-safe.
  void attend();

  /// Whether the loop has run within five seconds and no worker hangs. Thread-safe.
  bool is_live() const;

 private:
  void run();  // the thread

  // All of these with the lock held.
  bool survives(const std::function<void()>& act);  // false: it threw, the service cannot go on
  void make_workers();                              // throws Error
  void run_once(std::unique_lock<std::mutex>& lock);
  void start_due(Clock::time_point now);
  /// Sends what waits; the workers whose socket did not take all of it.
  std::set<int> flush();
  void send_orders();
  void expect_signs(Clock::time_point now);
  void send(int worker, ServerMessage message);
  /// Lets go of the lock while it waits. The workers that have said something.
  std::vector<int> wait(std::unique_lock<std::mutex>& lock);
  Clock::time_point next_event() const;
  void receive(int worker, Clock::time_point now);
  void forgive_held_up(Clock::time_point now);
  void keep_watch(Clock::time_point now);
  void reap(Clock::time_point now);
  void judge_end(int worker, const WorkerEnd& end);
  void leave_out(int worker, const WorkerEnd& end);
  void add_worker(const std::string& device);
  void show_workers(Clock::time_point now);
  void beat();

  const ServerOptions& options_;
  const DispatcherTuning tuning_;
  Desk& desk_;
  Metrics& metrics_;
  WakeUp wake_up_;
  std::mutex mutex_;  // of what follows
  std::vector<std::unique_ptr<DeviceWorker>> workers_;
  bool are_devices_automatic_ = false;
  Clock::time_point waits_until_;
  Clock::time_point last_run_;
  Clock::time_point last_shown_;

  // Without the lock.
  std::atomic<Clock::rep> last_beat_;
  std::atomic<bool> is_any_hanging_{false};
  std::atomic<bool> is_stopping_{false};
  std::thread thread_;  // last: it uses all of the above
};

}  // namespace ssd1b
