#pragma once

#include <chrono>
#include <filesystem>
#include <memory>
#include <string>
#include <variant>

#include "service/http/gate/head_gate.h"
#include "ssd1b/error.h"

namespace ssd1b {

/// A request whose key was accepted.
struct KeyLease {
  std::string client;           // the key's name
  std::shared_ptr<void> place;  // of the key's concurrency, until it is gone; of some requests
};

/// A request that was refused for its key or its rate.
struct KeyRefusal {
  Error error;
  int retry_after_s = 1;  // of 429
};

/// The keys of one file, what each has used of its limits, and who guesses. Thread-safe.
class ApiKeys {
 public:
  using Clock = std::chrono::steady_clock;

  /// Throws Error(Usage) naming file and line.
  explicit ApiKeys(std::filesystem::path path);
  ~ApiKeys();

  /// Reads the file again; keys of the same name keep what they have used. Where the file is bad it
  /// throws Error(Usage) and the old keys stay.
  void reload();

  /// Judges `Authorization: Bearer KEY` or `X-Api-Key: KEY` of a request from `address`. Takes the
  /// same time for every wrong key. After ten wrong ones in a second from one address further wrong
  /// ones are 429; not right ones: behind a proxy many clients have one address. Every request
  /// counts against the key's rate, against its concurrency one that `takes_place`.
  std::variant<KeyLease, KeyRefusal> admit(const Fields& fields, const std::string& address,
                                           Clock::time_point now, bool takes_place);

 private:
  class State;
  const std::filesystem::path path_;
  std::unique_ptr<State> state_;
};

}  // namespace ssd1b
