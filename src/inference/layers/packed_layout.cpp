#include "inference/layers/packed_layout.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <cstring>

#include "inference/layers/onednn.h"

namespace ssd1b {
namespace {

constexpr std::int64_t kRows[] = {64, 48, 32, 24, 16, 8};  // of blocks, as they were seen
constexpr std::int64_t kSide = 4;                          // of the squares that are turned at once
// A thread holds a block's rows twice.
constexpr std::int64_t kMaxBlockBytes = std::int64_t{16} << 20;

using Word = std::uint32_t;
using Words = Word __attribute__((vector_size(kSide * sizeof(Word))));

Words words_at(const Word* from) {
  Words words;
  std::memcpy(&words, from, sizeof words);
  return words;
}

/// Four words of each of four rows, `width` apart, to four rows that are `rows` apart.
void turn(const Word* from, std::int64_t width, Word* to, std::int64_t rows) {
  const Words a = words_at(from);
  const Words b = words_at(from + width);
  const Words c = words_at(from + 2 * width);
  const Words d = words_at(from + 3 * width);
  const Words ab_low = __builtin_shufflevector(a, b, 0, 4, 1, 5);
  const Words ab_high = __builtin_shufflevector(a, b, 2, 6, 3, 7);
  const Words cd_low = __builtin_shufflevector(c, d, 0, 4, 1, 5);
  const Words cd_high = __builtin_shufflevector(c, d, 2, 6, 3, 7);
  const Words turned[kSide] = {__builtin_shufflevector(ab_low, cd_low, 0, 1, 4, 5),
                               __builtin_shufflevector(ab_low, cd_low, 2, 3, 6, 7),
                               __builtin_shufflevector(ab_high, cd_high, 0, 1, 4, 5),
                               __builtin_shufflevector(ab_high, cd_high, 2, 3, 6, 7)};
  for (const Words& row : turned) {
    std::memcpy(to, &row, sizeof row);
    to += rows;
  }
}

}  // namespace

std::optional<PackedLayout> PackedLayout::of(const at::Tensor& plain, const at::Tensor& arranged) {
  if (!arranged.is_mkldnn() || !plain.is_contiguous()) return std::nullopt;
  PackedLayout layout;
  layout.shape_ = plain.sizes().vec();
  const std::int64_t row_bytes = plain.size(1) * plain.element_size();
  layout.words_ = row_bytes / static_cast<std::int64_t>(sizeof(Word));
  if (row_bytes % static_cast<std::int64_t>(kSide * sizeof(Word)) != 0) return std::nullopt;
  layout.description_ = onednn_description(arranged);
  for (const std::int64_t rows : kRows) {
    layout.rows_ = rows;
    if (layout.is_of(plain, arranged)) return layout;
  }
  return std::nullopt;
}

bool PackedLayout::is_of(const at::Tensor& plain, const at::Tensor& arranged) const {
  const MemoryView memory = onednn_memory(arranged);
  const std::int64_t words = rows_ * words_;
  if (shape_[0] % rows_ != 0 || memory.bytes != plain.nbytes() ||
      words * static_cast<std::int64_t>(sizeof(Word)) > kMaxBlockBytes) {
    return false;
  }
  std::vector<Word> packed(static_cast<std::size_t>(words));
  const auto* from = static_cast<const Word*>(plain.const_data_ptr());
  const auto* wanted = static_cast<const Word*>(memory.data);
  for (std::int64_t block = 0; block < shape_[0] / rows_; ++block) {
    pack(from + block * words, packed.data());
    if (std::memcmp(packed.data(), wanted + block * words, packed.size() * sizeof(Word)) != 0) {
      return false;
    }
  }
  return true;
}

void PackedLayout::pack(const void* plain, void* packed) const {
  const auto* from = static_cast<const Word*>(plain);
  auto* to = static_cast<Word*>(packed);
  constexpr std::int64_t line = 16;  // words of a line of the cache, which is read whole
  for (std::int64_t first = 0; first < words_; first += line) {
    const std::int64_t end = std::min(first + line, words_);
    for (std::int64_t row = 0; row < rows_; row += kSide) {
      for (std::int64_t word = first; word < end; word += kSide) {
        turn(from + row * words_ + word, words_, to + word * rows_ + row, rows_);
      }
    }
  }
}

at::Tensor PackedLayout::tensor_of(const at::Tensor& packed) const {
  return onednn_view(packed, shape_, description_);
}

}  // namespace ssd1b
