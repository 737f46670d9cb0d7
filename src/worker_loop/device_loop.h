#pragma once

#include <deque>
#include <memory>
#include <unordered_set>

#include "worker_loop/server_link.h"
#include "worker_loop/worker_loop.h"

namespace ssd1b {

/// The device thread: owns the engine from its opening to its end. Used by one thread.
class DeviceLoop {
 public:
  DeviceLoop(const OpenEngine& open_engine, ServerLink& server);

  /// Runs until Stop or until the engine cannot be opened; the exit status. Once the device is lost
  /// it says so and ends the process.
  int run();

 private:
  /// The unit of work that an event comes from.
  struct Unit {
    double duration_ms;
    int pictures;  // that shared it
    bool is_led;   // by this event's picture
  };
  struct Waiting {
    AdmitMessage message;
    bool is_to_finish = false;
  };

  void open();             // throws what the engine throws
  void warm_up();          // throws Error
  bool handle_messages();  // false after Stop
  void handle(AdmitMessage message);
  void handle(const CancelMessage& message);
  void handle(const FinishMessage& message);
  void admit_waiting();
  void step();  // throws what the engine throws
  void report(PictureEvent event, const Unit& unit);
  int fail_opening(ErrorCode code, const std::string& message);
  [[noreturn]] void give_up(ErrorCode code, const std::string& message);

  const OpenEngine& open_engine_;
  ServerLink& server_;
  std::unique_ptr<Engine> engine_;
  std::deque<Waiting> waiting_;  // admitted by the server, without a place on the device yet
  std::unordered_set<PictureId> making_;
};

}  // namespace ssd1b
