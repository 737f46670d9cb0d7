#include "inference/tokenizer/clip_tokenizer.h"

#include <gmock/gmock.h>
#include <time.h>

#include <algorithm>
#include <string>
#include <vector>

#include "ssd1b/error.h"

namespace ssd1b {
namespace {

using testing::ElementsAreArray;
using testing::HasSubstr;
using Ids = std::vector<std::int64_t>;

const std::filesystem::path kModels = std::filesystem::path(SSD1B_SOURCE_DIR) / "models";
const std::filesystem::path kMergesGz = kModels / "clip-tokenizer/bpe_simple_vocab_16e6.txt.gz";

const ClipTokenizer& clip(ClipPadding padding) {
  static const ClipTokenizer end = ClipTokenizer::load_clip(kMergesGz, ClipPadding::EndOfText);
  static const ClipTokenizer mark =
      ClipTokenizer::load_clip(kMergesGz, ClipPadding::ExclamationMark);
  return padding == ClipPadding::EndOfText ? end : mark;
}

/// `ids` filled up to 77.
Ids padded(Ids ids, std::int64_t pad) {
  ids.resize(77, pad);
  return ids;
}

std::string repeated(const std::string& text, int count) {
  std::string all;
  for (int i = 0; i < count; ++i) all += text;
  return all;
}

struct Case {
  std::string text;
  Ids end_of_text;       // ids of SDXL's tokenizer, before padding
  Ids exclamation_mark;  // ids of its tokenizer_2; empty: the same
};

TEST(ClipTokenizer, GivesTheIdsOfClip) {
  const std::vector<Case> cases = {
      {"", {49406, 49407}, {}},
      {" \t\n", {49406, 49407}, {}},
      {"a photo of a cat", {49406, 320, 1125, 539, 320, 2368, 49407}, {}},
      {"  A   PHOTO\nof a Cat ", {49406, 320, 1125, 539, 320, 2368, 49407}, {}},
      {"An astronaut riding a green horse", {49406, 550, 18376, 6765, 320, 1901, 4558, 49407}, {}},
      {"ugly, blurry, poor quality", {49406, 8159, 267, 21977, 267, 3665, 3027, 49407}, {}},
      {"it's 1024x768!",
       {49406, 585, 568, 272, 271, 273, 275, 343, 278, 277, 279, 256, 49407},
       {49406, 585, 568, 272, 271, 273, 275, 343, 278, 277, 279, 0, 49407}},
      {"Café 日本 😀", {49406, 15304, 39121, 19277, 361, 7334, 49407}, {}},
      {"Cafe\u0301 日本 😀", {49406, 15304, 39121, 19277, 361, 7334, 49407}, {}},
      {"wow! a cat!!",
       {49406, 2781, 256, 320, 2368, 748, 49407},
       {49406, 2781, 0, 320, 2368, 0, 0, 49407}},
      {"a <|endoftext|> cat", {49406, 320, 49407, 2368, 49407}, {}},
      {"<|startoftext|>", {49406, 49406, 49407}, {}},
      {"<|STARTOFTEXT|>", {49406, 49406, 49407}, {}},
  };
  for (const Case& each : cases) {
    SCOPED_TRACE(each.text);
    const Ids& second = each.exclamation_mark.empty() ? each.end_of_text : each.exclamation_mark;

    const Tokens of_first = clip(ClipPadding::EndOfText).encode(each.text);
    const Tokens of_second = clip(ClipPadding::ExclamationMark).encode(each.text);

    EXPECT_THAT(of_first.ids, ElementsAreArray(padded(each.end_of_text, 49407)));
    EXPECT_EQ(of_first.needed, static_cast<int>(each.end_of_text.size()));
    EXPECT_THAT(of_second.ids, ElementsAreArray(padded(second, 0)));
    EXPECT_EQ(of_second.needed, static_cast<int>(second.size()));
  }
}

TEST(ClipTokenizer, CutsTextsThatNeedMoreThan77Ids) {
  constexpr std::int64_t kApple = 3055;
  for (const int count : {74, 75, 76, 77, 500}) {
    SCOPED_TRACE(count);
    const std::size_t kept = static_cast<std::size_t>(std::min(count, 75));

    const Tokens tokens = clip(ClipPadding::ExclamationMark).encode(repeated("apple ", count));

    ASSERT_EQ(tokens.ids.size(), 77u);
    EXPECT_EQ(tokens.needed, count + 2);
    EXPECT_EQ(tokens.ids.front(), 49406);
    EXPECT_EQ(std::count(tokens.ids.begin(), tokens.ids.end(), kApple),
              static_cast<std::ptrdiff_t>(kept));
    EXPECT_EQ(tokens.ids[kept + 1], 49407);
    EXPECT_EQ(tokens.ids.back(), count < 75 ? 0 : 49407);
  }
}

TEST(ClipTokenizer, FindsTheEndOfTextInTheFirstTokenizerOnlyAsItIsWritten) {
  // The pad token of tokenizer is written without flags: it is looked for before lower-casing.
  EXPECT_GT(clip(ClipPadding::EndOfText).encode("<|EndOfText|>").needed, 3);
  EXPECT_EQ(clip(ClipPadding::ExclamationMark).encode("<|EndOfText|>").needed, 3);
}

TEST(ClipTokenizer, ReadsTheIconsModel) {
  const ClipTokenizer first = ClipTokenizer::load(kModels / "icons/tokenizer");
  const ClipTokenizer second = ClipTokenizer::load(kModels / "icons/tokenizer_2");

  const Tokens of_first = first.encode("a red apple!");
  const Tokens of_second = second.encode("a red apple!");
  const int end = first.id_limit() - 1;  // the last of the vocabulary

  EXPECT_EQ(first.max_length(), 77);
  EXPECT_GT(end, 2000);
  EXPECT_EQ(first.begin_id(), end - 1);
  EXPECT_EQ(first.end_id(), end);
  EXPECT_EQ(first.pad_id(), end);
  EXPECT_EQ(second.pad_id(), 0);
  EXPECT_EQ(of_first.needed, 6);
  EXPECT_EQ(of_first.ids[4], 256);
  EXPECT_EQ(of_second.ids[4], 0);
  EXPECT_EQ(of_second.ids[5], end);
  EXPECT_EQ(of_second.ids[6], 0);
}

TEST(ClipTokenizer, RefusesWhatIsNotUtf8) {
  for (const std::string text :
       {"\xFF", "a\x80", "\xC3", "\xC0\x80", "\xED\xA0\x80", "\xF4\x90\x80\x80", "abc\xE2\x82"}) {
    try {
      clip(ClipPadding::EndOfText).encode(text);
      ADD_FAILURE() << "was taken";
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), ErrorCode::InvalidValue);
      EXPECT_THAT(error.what(), HasSubstr("UTF-8"));
    }
  }
}

double cpu_ms() {
  timespec now{};
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
  return static_cast<double>(now.tv_sec) * 1e3 + static_cast<double>(now.tv_nsec) * 1e-6;
}

/// The thread's time, the fastest of three runs.
double fastest_ms(const std::string& text) {
  double best = 1e9;
  for (int i = 0; i < 3; ++i) {
    const double begin = cpu_ms();
    const Tokens tokens = clip(ClipPadding::ExclamationMark).encode(text);
    best = std::min(best, cpu_ms() - begin);
    EXPECT_EQ(tokens.ids.size(), 77u);
  }
  return best;
}

TEST(ClipTokenizer, TakesLinearTime) {
#if !defined(__OPTIMIZE__) || defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
  GTEST_SKIP() << "times mean nothing without optimisation or with a sanitizer";
#endif
  const std::string family = "\U0001F468\u200D\U0001F469\u200D\U0001F467\u200D\U0001F466\u200D";
  const std::vector<std::string> parts = {
      "a", "ab",          "\u0301", "\u0301\u0327\u0334", family, "!", "1", "'s", "<|endoftext|>",
      " ", "\u0BC7\u0BD7"};
  for (const std::string& part : parts) {
    SCOPED_TRACE(part);
    const int count = 4096 / static_cast<int>(part.size());

    EXPECT_LT(fastest_ms(repeated(part, count)), 5.0);
    EXPECT_LT(fastest_ms(repeated(part, 16 * count)), 16 * 5.0);
  }
  EXPECT_LT(fastest_ms(repeated("\u0301", 4096)), 5.0);
  EXPECT_LT(fastest_ms(repeated("\u0301\u0327", 2048)), 5.0);
}

}  // namespace
}  // namespace ssd1b
