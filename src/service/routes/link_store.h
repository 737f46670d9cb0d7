#pragma once

#include <chrono>
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

/// Pictures that are fetched by an address, kept 10 minutes and at most 256: the oldest makes room.
/// Thread-safe.
class LinkStore {
 public:
  /// The id under which it is kept: 32 hex digits that nobody can guess.
  std::string add(LinkedPicture picture);

  /// nullptr where there is none (any more) or another client's.
  std::shared_ptr<const LinkedPicture> find(const std::string& id, const std::string& client);

 private:
  struct Entry {
    std::string id;
    std::chrono::steady_clock::time_point added_at;
  };

  void forget_old();  // with the lock held

  std::mutex mutex_;
  std::map<std::string, std::shared_ptr<const LinkedPicture>> pictures_;
  std::deque<Entry> entries_;  // the oldest first
};

/// 128 random bits as 32 hex digits, from the system's source.
std::string random_id();

}  // namespace ssd1b
