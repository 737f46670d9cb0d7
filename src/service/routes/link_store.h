#pragma once

#include <chrono>
#include <cstddef>
#include <deque>
#include <map>
#include <memory>
#include <mutex>
#include <string>

namespace ssd1b {

/// A picture that can be fetched by its id.
struct LinkedPicture {
  std::string bytes;
  std::string media_type;
  std::string client;  // the name of the key that asked for it
};

/// Pictures that are fetched by an address, kept 10 minutes, at most 1 GiB of them: the oldest make
/// room. Thread-safe.
class LinkStore {
 public:
  static constexpr std::size_t kMostBytes = std::size_t{1} << 30;

  static constexpr std::chrono::minutes kKept{10};

  explicit LinkStore(std::size_t most_bytes = kMostBytes, std::chrono::milliseconds kept = kKept)
      : most_bytes_(most_bytes), kept_(kept) {}

  /// The id under which it is kept: 32 hex digits that nobody can guess.
  std::string add(LinkedPicture picture);

  /// nullptr where there is none (any more) or another client's.
  std::shared_ptr<const LinkedPicture> find(const std::string& id, const std::string& client);

  /// Lets go of those whose time is up. Every other call does too; this is for quiet times.
  void forget_old();

 private:
  struct Entry {
    std::string id;
    std::chrono::steady_clock::time_point added_at;
  };

  // With the lock held.
  void drop_old();
  void drop_oldest();

  const std::size_t most_bytes_;
  const std::chrono::milliseconds kept_;
  std::mutex mutex_;
  std::size_t bytes_ = 0;
  std::map<std::string, std::shared_ptr<const LinkedPicture>> pictures_;
  std::deque<Entry> entries_;  // the oldest first
};

}  // namespace ssd1b
