#include "inference/tokenizer/byte_pair_encoder.h"

#include <queue>
#include <tuple>

#include "inference/tokenizer/text_normalizer.h"
#include "ssd1b/error.h"

namespace ssd1b {
namespace {

constexpr int kNone = -1;

bool is_printable(int byte) {
  return (byte >= 0x21 && byte <= 0x7E) || (byte >= 0xA1 && byte <= 0xAC) || byte >= 0xAE;
}

/// A part of the word; parts form a list that shrinks from the right of each merge.
struct Part {
  std::int64_t id;
  int previous;
  int next;
  bool is_alive;
};

struct Candidate {
  std::int32_t rank;
  int at;
  std::int64_t id;
};

struct Later {
  bool operator()(const Candidate& a, const Candidate& b) const {
    return std::tie(a.rank, a.at) > std::tie(b.rank, b.at);
  }
};

std::uint64_t key_of(std::int64_t left, std::int64_t right) {
  return static_cast<std::uint64_t>(left) << 32 | static_cast<std::uint64_t>(right);
}

std::int64_t need(const Vocabulary& vocabulary, const std::string& token, std::size_t merge,
                  const std::string& file) {
  const auto found = vocabulary.find(token);
  if (found != vocabulary.end()) return found->second;
  throw Error(ErrorCode::BadModel, file + ": merge " + std::to_string(merge + 1) +
                                       " needs the token \"" + token +
                                       "\", which the vocabulary lacks");
}

}  // namespace

const std::array<std::uint8_t, 256>& byte_order() {
  static const auto order = [] {
    std::array<std::uint8_t, 256> bytes{};
    std::size_t count = 0;
    for (int byte = 0; byte < 256; ++byte) {
      if (is_printable(byte)) bytes[count++] = static_cast<std::uint8_t>(byte);
    }
    for (int byte = 0; byte < 256; ++byte) {
      if (!is_printable(byte)) bytes[count++] = static_cast<std::uint8_t>(byte);
    }
    return bytes;
  }();
  return order;
}

const std::array<std::string, 256>& byte_signs() {
  static const auto signs = [] {
    std::array<std::string, 256> all;
    char32_t stand_in = 0x100;  // bytes that cannot be printed
    for (int byte = 0; byte < 256; ++byte) {
      const char32_t sign = is_printable(byte) ? static_cast<char32_t>(byte) : stand_in++;
      all[static_cast<std::size_t>(byte)] = encode_utf8({&sign, 1});
    }
    return all;
  }();
  return signs;
}

BytePairEncoder::BytePairEncoder(const Vocabulary& vocabulary, const Merges& merges,
                                 const std::string& unknown, const std::string& file) {
  const auto id_of_sign = [&](const std::string& sign) {
    auto found = vocabulary.find(sign);
    if (found == vocabulary.end()) found = vocabulary.find(unknown);
    if (found != vocabulary.end()) return found->second;
    throw Error(ErrorCode::BadModel, file +
                                         ": the vocabulary must hold every byte, got none for \"" +
                                         sign + "\" and no unknown token \"" + unknown + "\"");
  };
  for (std::size_t byte = 0; byte < 256; ++byte) {
    byte_ids_[byte] = id_of_sign(byte_signs()[byte]);
    last_byte_ids_[byte] = id_of_sign(byte_signs()[byte] + kEndOfWord);
  }
  merges_.reserve(merges.size());
  for (std::size_t rank = 0; rank < merges.size(); ++rank) {
    const auto& [left, right] = merges[rank];
    const std::uint64_t key = key_of(need(vocabulary, left, rank, file),  //
                                     need(vocabulary, right, rank, file));
    const std::int64_t id = need(vocabulary, left + right, rank, file);
    merges_.insert_or_assign(key, Merge{static_cast<std::int32_t>(rank), id});
  }
}

const BytePairEncoder::Merge* BytePairEncoder::find(std::int64_t left, std::int64_t right) const {
  const auto found = merges_.find(key_of(left, right));
  return found == merges_.end() ? nullptr : &found->second;
}

std::vector<std::int64_t> BytePairEncoder::encode(std::string_view word) const {
  const int count = static_cast<int>(word.size());
  std::vector<Part> parts;
  parts.reserve(word.size());
  for (int at = 0; at < count; ++at) {
    const auto byte = static_cast<std::uint8_t>(word[static_cast<std::size_t>(at)]);
    const bool is_last = at + 1 == count;
    parts.push_back({is_last ? last_byte_ids_[byte] : byte_ids_[byte], at - 1,
                     is_last ? kNone : at + 1, /*is_alive=*/true});
  }
  const auto part = [&parts](int at) -> Part& { return parts[static_cast<std::size_t>(at)]; };

  std::priority_queue<Candidate, std::vector<Candidate>, Later> queue;
  const auto offer = [&](int at) {
    if (at == kNone || part(at).next == kNone) return;
    const Merge* merge = find(part(at).id, part(part(at).next).id);
    if (merge != nullptr) queue.push({merge->rank, at, merge->id});
  };
  for (int at = 0; at < count; ++at) offer(at);

  while (!queue.empty()) {
    const Candidate best = queue.top();
    queue.pop();
    Part& left = part(best.at);
    if (!left.is_alive || left.next == kNone) continue;
    const Part right = part(left.next);
    const Merge* merge = find(left.id, right.id);
    if (merge == nullptr || merge->id != best.id) continue;  // its parts have merged with others
    part(left.next).is_alive = false;
    left.id = best.id;
    left.next = right.next;
    if (left.next != kNone) part(left.next).previous = best.at;
    offer(left.previous);
    offer(best.at);
  }

  std::vector<std::int64_t> ids;
  for (int at = count > 0 ? 0 : kNone; at != kNone; at = part(at).next) ids.push_back(part(at).id);
  return ids;
}

}  // namespace ssd1b
