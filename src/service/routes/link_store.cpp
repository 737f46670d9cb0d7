#include "service/routes/link_store.h"

#include <utility>

#include "service/http/random_id.h"

namespace ssd1b {

std::string LinkStore::add(LinkedPicture picture) {
  const std::string id = random_id();
  const std::lock_guard lock(mutex_);
  drop_old();
  bytes_ += picture.bytes.size();
  while (!entries_.empty() && bytes_ > most_bytes_) drop_oldest();
  pictures_[id] = std::make_shared<const LinkedPicture>(std::move(picture));
  entries_.push_back({id, std::chrono::steady_clock::now()});
  return id;
}

std::shared_ptr<const LinkedPicture> LinkStore::find(const std::string& id,
                                                     const std::string& client) {
  const std::lock_guard lock(mutex_);
  drop_old();
  const auto found = pictures_.find(id);
  return found != pictures_.end() && found->second->client == client ? found->second : nullptr;
}

void LinkStore::forget_old() {
  const std::lock_guard lock(mutex_);
  drop_old();
}

void LinkStore::drop_old() {
  const auto now = std::chrono::steady_clock::now();
  while (!entries_.empty() && now - entries_.front().added_at >= kept_) drop_oldest();
}

void LinkStore::drop_oldest() {
  const auto oldest = pictures_.find(entries_.front().id);
  bytes_ -= oldest->second->bytes.size();
  pictures_.erase(oldest);
  entries_.pop_front();
}

}  // namespace ssd1b
