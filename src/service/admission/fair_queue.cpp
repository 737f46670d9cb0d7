#include "service/admission/fair_queue.h"

#include <algorithm>
#include <iterator>
#include <set>
#include <utility>

namespace ssd1b {
namespace {

template <typename Line>
auto place_in(Line& line, PictureId id) {
  return std::lower_bound(
      line.begin(), line.end(), id,
      [](const FairQueue::Item& each, PictureId wanted) { return each.id < wanted; });
}

/// A client's next turn.
struct Turn {
  std::int64_t charged;  // before it
  const FairQueue::Item* item;
  std::size_t index;  // of the item in its client's line
  const std::deque<FairQueue::Item>* line;

  bool operator<(const Turn& other) const {
    return std::pair(charged, item->id) < std::pair(other.charged, other.item->id);
  }
};

}  // namespace

void FairQueue::push(const std::string& client, const Item& item) {
  Client& owner = clients_[client];
  if (owner.waiting.empty()) owner.charged = std::max(owner.charged, level_);
  owner.waiting.push_back(item);
  ++size_;
}

void FairQueue::push_retry(const Item& item) {
  retries_.insert(place_in(retries_, item.id), item);
  ++size_;
}

bool FairQueue::erase(Line& line, PictureId id) {
  const auto item = place_in(line, id);
  if (item == line.end() || item->id != id) return false;
  line.erase(item);
  --size_;
  return true;
}

bool FairQueue::take(const std::string& client, PictureId id) {
  if (erase(retries_, id)) return true;
  const auto found = clients_.find(client);
  if (found == clients_.end()) return false;
  Client& owner = found->second;
  const auto item = place_in(owner.waiting, id);
  if (item == owner.waiting.end() || item->id != id) return false;
  level_ = std::max(level_, owner.charged);
  owner.charged += item->work.total();
  erase(owner.waiting, id);
  forget_idle_clients();
  return true;
}

bool FairQueue::remove(const std::string& client, PictureId id) {
  if (erase(retries_, id)) return true;
  const auto found = clients_.find(client);
  if (found == clients_.end() || !erase(found->second.waiting, id)) return false;
  forget_idle_clients();
  return true;
}

void FairQueue::forget_idle_clients() {
  for (auto each = clients_.begin(); each != clients_.end();) {
    const bool owes_nothing = each->second.charged <= level_;
    each = each->second.waiting.empty() && owes_nothing ? clients_.erase(each) : std::next(each);
  }
}

std::vector<PictureId> FairQueue::in_order(std::size_t limit) const {
  std::vector<PictureId> order;
  for (const Item& item : retries_) {
    if (order.size() == limit) return order;
    order.push_back(item.id);
  }
  std::set<Turn> turns;
  for (const auto& [name, client] : clients_) {
    const Line& line = client.waiting;
    if (!line.empty()) turns.insert({client.charged, &line.front(), 0, &line});
  }
  while (order.size() < limit && !turns.empty()) {
    Turn turn = turns.extract(turns.begin()).value();
    order.push_back(turn.item->id);
    if (++turn.index == turn.line->size()) continue;
    turn.charged += turn.item->work.total();
    turn.item = &(*turn.line)[turn.index];
    turns.insert(turn);
  }
  return order;
}

void FairQueue::visit_ahead_of(const std::string& client,
                               const std::function<void(const Item&)>& visit) const {
  std::for_each(retries_.begin(), retries_.end(), visit);
  std::int64_t turn_at = level_;
  if (const auto own = clients_.find(client); own != clients_.end()) {
    turn_at = std::max(turn_at, own->second.charged);
    for (const Item& item : own->second.waiting) {
      visit(item);
      turn_at += item.work.total();
    }
  }
  for (const auto& [name, other] : clients_) {
    if (name == client) continue;
    // At the same charge the older picture comes first, and the next one is the youngest of all.
    std::int64_t charged = other.charged;
    for (auto item = other.waiting.begin(); item != other.waiting.end() && charged <= turn_at;
         ++item) {
      visit(*item);
      charged += item->work.total();
    }
  }
}

}  // namespace ssd1b
