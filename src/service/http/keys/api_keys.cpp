#include "service/http/keys/api_keys.h"

#include <openssl/crypto.h>

#include <algorithm>
#include <iterator>
#include <map>
#include <mutex>
#include <optional>
#include <string_view>
#include <utility>
#include <vector>

#include "logging/log.h"
#include "service/http/keys/key_file.h"
#include "service/http/keys/token_bucket.h"

namespace ssd1b {
namespace {

constexpr double kWrongTriesPerSecond = 10;
constexpr std::size_t kMaxWatchedAddresses = 4096;

KeyRefusal unauthorized(const std::string& message) {
  return {Error(ErrorCode::InvalidApiKey, message)};
}

KeyRefusal limited(const std::string& message, int retry_after_s) {
  return {Error(ErrorCode::RateLimited, message), retry_after_s};
}

/// The key that a request shows; empty where it shows none. Another scheme than Bearer is somebody
/// else's, as a proxy's password.
std::string_view shown_key(const Fields& fields) {
  constexpr std::string_view kScheme = "bearer ";
  const std::string* authorization = find_field(fields, "authorization");
  if (authorization != nullptr &&
      equal_in_any_case(std::string_view(*authorization).substr(0, kScheme.size()), kScheme)) {
    std::string_view rest = *authorization;
    rest.remove_prefix(kScheme.size());
    while (!rest.empty() && rest.front() == ' ') rest.remove_prefix(1);
    return rest;
  }
  const std::string* value = find_field(fields, "x-api-key");
  return value != nullptr ? std::string_view(*value) : std::string_view();
}

}  // namespace

/// What one key has used of its limits.
struct KeyUse {
  explicit KeyUse(const KeyEntry& of) { change(of); }

  void change(const KeyEntry& to) {
    if (to.rate_per_s != entry.rate_per_s || to.burst != entry.burst) bucket.reset();
    if (to.rate_per_s && !bucket) bucket.emplace(*to.rate_per_s, to.burst);
    entry = to;
  }

  KeyEntry entry;
  std::optional<TokenBucket> bucket;
  int running = 0;
};

namespace {

/// One request's place among its key's; given back when destroyed.
class Place {
 public:
  Place(std::shared_ptr<KeyUse> use, std::shared_ptr<std::mutex> mutex)
      : use_(std::move(use)), mutex_(std::move(mutex)) {}
  ~Place() {
    const std::lock_guard lock(*mutex_);
    --use_->running;
  }
  Place(const Place&) = delete;
  Place& operator=(const Place&) = delete;

 private:
  std::shared_ptr<KeyUse> use_;
  std::shared_ptr<std::mutex> mutex_;  // guards `running`
};

}  // namespace

class ApiKeys::State {
 public:
  void replace(const std::vector<KeyEntry>& entries);
  std::variant<KeyLease, KeyRefusal> admit(std::string_view key, const std::string& address,
                                           Clock::time_point now, bool takes_place);

 private:
  std::shared_ptr<KeyUse> find(const KeyDigest& digest) const;
  std::variant<KeyLease, KeyRefusal> lend(const std::shared_ptr<KeyUse>& use, Clock::time_point now,
                                          bool takes_place);
  TokenBucket& tries_of(const std::string& address, Clock::time_point now);

  // Leases give their places back under it, and may outlive the keys.
  std::shared_ptr<std::mutex> mutex_ = std::make_shared<std::mutex>();
  std::vector<std::shared_ptr<KeyUse>> uses_;
  std::map<std::string, TokenBucket> wrong_tries_;  // by address; full ones are forgotten
};

void ApiKeys::State::replace(const std::vector<KeyEntry>& entries) {
  const std::lock_guard lock(*mutex_);
  std::vector<std::shared_ptr<KeyUse>> uses;
  for (const KeyEntry& entry : entries) {
    const auto old = std::find_if(uses_.begin(), uses_.end(),
                                  [&](const auto& use) { return use->entry.name == entry.name; });
    if (old == uses_.end()) {
      uses.push_back(std::make_shared<KeyUse>(entry));
    } else {
      (*old)->change(entry);
      uses.push_back(*old);
    }
  }
  uses_ = std::move(uses);
}

std::shared_ptr<KeyUse> ApiKeys::State::find(const KeyDigest& digest) const {
  std::shared_ptr<KeyUse> found;
  for (const auto& use : uses_) {  // all of them, whichever fits
    if (CRYPTO_memcmp(use->entry.digest.data(), digest.data(), digest.size()) == 0) found = use;
  }
  return found;
}

TokenBucket& ApiKeys::State::tries_of(const std::string& address, Clock::time_point now) {
  if (wrong_tries_.size() >= kMaxWatchedAddresses) {
    for (auto it = wrong_tries_.begin(); it != wrong_tries_.end();) {
      it = it->second.is_full(now) ? wrong_tries_.erase(it) : std::next(it);
    }
    if (wrong_tries_.size() >= kMaxWatchedAddresses) wrong_tries_.erase(wrong_tries_.begin());
  }
  return wrong_tries_.try_emplace(address, TokenBucket(kWrongTriesPerSecond, kWrongTriesPerSecond))
      .first->second;
}

std::variant<KeyLease, KeyRefusal> ApiKeys::State::admit(std::string_view key,
                                                         const std::string& address,
                                                         Clock::time_point now, bool takes_place) {
  const std::lock_guard lock(*mutex_);
  if (key.empty()) {
    return unauthorized("a key must be given as Authorization: Bearer KEY or as X-Api-Key: KEY");
  }
  const auto use = find(digest_of(key));
  if (use == nullptr) {
    TokenBucket& tries = tries_of(address, now);
    if (!tries.has_token(now)) {
      return limited("too many wrong keys came from this address, try again in a second", 1);
    }
    tries.take();
    return unauthorized("the key must be one of this service's, got another");
  }
  return lend(use, now, takes_place);
}

std::variant<KeyLease, KeyRefusal> ApiKeys::State::lend(const std::shared_ptr<KeyUse>& use,
                                                        Clock::time_point now, bool takes_place) {
  const KeyEntry& entry = use->entry;
  if (takes_place && entry.concurrency && use->running >= *entry.concurrency) {
    return limited("this key may have at most " + std::to_string(*entry.concurrency) +
                       " requests for pictures at a time",
                   1);
  }
  if (use->bucket) {
    if (!use->bucket->has_token(now)) {
      return limited("this key has used up its requests for now", use->bucket->wait_s());
    }
    use->bucket->take();
  }
  KeyLease lease{entry.name, nullptr};
  if (takes_place) {
    // The last call that may throw: a place must not be given back here, under the mutex.
    lease.place = std::make_shared<Place>(use, mutex_);
    ++use->running;
  }
  return lease;
}

ApiKeys::ApiKeys(std::filesystem::path path)
    : path_(std::move(path)), state_(std::make_unique<State>()) {
  reload();
}

ApiKeys::~ApiKeys() = default;

void ApiKeys::reload() {
  const KeyFile file = read_key_file(path_);
  for (const int line : file.plain_text_lines) {
    log_warn("a key is stored as plain text, its SHA-256 would do",
             {{"file", path_.string()}, {"line", line}});
  }
  state_->replace(file.entries);
}

std::variant<KeyLease, KeyRefusal> ApiKeys::admit(const Fields& fields, const std::string& address,
                                                  Clock::time_point now, bool takes_place) {
  return state_->admit(shown_key(fields), address, now, takes_place);
}

}  // namespace ssd1b
