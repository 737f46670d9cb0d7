#include "inference/tokenizer/unknown_words.h"

#include <gmock/gmock.h>

#include <string>
#include <vector>

#include "ssd1b/error.h"

namespace ssd1b {
namespace {

using Words = std::vector<std::string>;

const Words kKnown = {"a", "red", "apple", "t-shirt", "shirt", "3d", "4k", "with", "dog", "Café"};

TEST(UnknownWords, AreThoseThatTheListLacks) {
  struct Case {
    std::string prompt;
    Words unknown;
  };
  const std::vector<Case> cases = {
      {"", {}},
      {"  \t\n ", {}},
      {"a red apple", {}},
      {"A RED, (Apple)!!", {}},
      {"a blue apple", {"blue"}},
      {"Blue apple, blue dog. BLUE", {"blue"}},
      {"two apples", {"two", "apples"}},
      {"a T-Shirt with a dog", {}},
      {"a v-shirt", {"v"}},
      {"red-apple", {}},
      {"red/blue|green", {"blue", "green"}},
      {"3D, 4k render", {"render"}},
      {"the dog's apple", {"the"}},
      {"the cat\u2019s apple", {"the", "cat"}},
      {"don't", {"don't"}},
      {"'red' \"apple\" -- ... !", {}},
      {"cafe\u0301", {}},
      {"日本 red", {"日本"}},
      {"हिन्दी", {"हिन्दी"}},
      {"\U0001F600 red \U0001F600", {}},
      {"(red:1.2)", {"1", "2"}},
  };
  for (const Case& each : cases) {
    EXPECT_EQ(unknown_words(each.prompt, kKnown), each.unknown) << each.prompt;
  }
}

TEST(UnknownWords, AreNoneWithoutAList) {
  EXPECT_TRUE(unknown_words("anything at all", {}).empty());
}

TEST(UnknownWords, RefuseWhatIsNotUtf8) { EXPECT_THROW(unknown_words("\xFF", kKnown), Error); }

}  // namespace
}  // namespace ssd1b
