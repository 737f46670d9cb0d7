#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <string>
#include <vector>

#include "ssd1b/engine.h"

namespace ssd1b {

/// The order in which waiting pictures get their turn: those that are made again first, by their
/// age; then clients take turns weighted by work - the client that has been given the least work
/// comes next -, first come first served within one. A client that comes back from a pause has
/// saved up nothing. Pictures come in the order of their ids. Pure; used under its owner's lock.
class FairQueue {
 public:
  struct Item {
    PictureId id = 0;
    Work work;
  };

  void push(const std::string& client, const Item& item);

  /// To the head of the queue. Its client is not charged a second time.
  void push_retry(const Item& item);

  /// Takes a picture out to be made: its client is charged. False where it does not wait.
  bool take(const std::string& client, PictureId id);

  /// Takes a picture out that nobody waits for any more. False where it does not wait.
  bool remove(const std::string& client, PictureId id);

  /// The next `limit` pictures in the order of their turns, as if nobody else came.
  std::vector<PictureId> in_order(std::size_t limit) const;

  /// Visits all that would have their turn before one more picture of this client, in no order.
  void visit_ahead_of(const std::string& client,
                      const std::function<void(const Item&)>& visit) const;

  std::size_t size() const { return size_; }
  bool empty() const { return size_ == 0; }

 private:
  using Line = std::deque<Item>;  // by id, so by age
  struct Client {
    Line waiting;
    std::int64_t charged = 0;  // the work it has been given, on the queue's own scale
  };

  bool erase(Line& line, PictureId id);
  void forget_idle_clients();

  Line retries_;
  std::map<std::string, Client> clients_;
  std::int64_t level_ = 0;  // the charge at which the last turn was given
  std::size_t size_ = 0;
};

}  // namespace ssd1b
