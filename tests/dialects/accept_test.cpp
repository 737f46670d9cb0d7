#include "service/dialects/accept.h"

#include <gtest/gtest.h>

#include "ssd1b/error.h"

namespace ssd1b {
namespace {

TEST(Accept, TheMostSpecificRangeDecides) {
  const AcceptHeader accept("*/*;q=0.1, image/*;q=0.5, image/png;q=0, IMAGE/WebP ; Q=0.9");

  EXPECT_DOUBLE_EQ(accept.weight_of("image/png"), 0.0);
  EXPECT_DOUBLE_EQ(accept.weight_of("image/jpeg"), 0.5);
  EXPECT_DOUBLE_EQ(accept.weight_of("image/webp"), 0.9);
  EXPECT_DOUBLE_EQ(accept.weight_of("application/json"), 0.1);
}

TEST(Accept, RangesThatAreNoneNameNothing) {
  for (const char* value :
       {"png", "image", "/png", "image/", "*/png", "image/png;q=2", "image/png;q=1.001",
        "image/png;q=0.1234", "image/png;q=x", "image/png;q="}) {
    EXPECT_DOUBLE_EQ(AcceptHeader(value).weight_of("image/png"), 0.0) << value;
  }
}

struct ChoiceCase {
  const char* accept;
  std::optional<ReplyKind> kind;
  std::optional<ImageFormat> format;
  std::optional<ReplyChoice> expected;  // nullopt: not acceptable
};

TEST(Accept, ChoosesReplyAndFormat) {
  const auto bytes = ReplyKind::Bytes;
  const auto json = ReplyKind::JsonText;
  const auto png = ImageFormat::Png;
  const auto jpeg = ImageFormat::Jpeg;
  const auto webp = ImageFormat::Webp;
  const ChoiceCase cases[] = {{"", {}, {}, {{bytes, png}}},
                              {" ", {}, {}, {{bytes, png}}},
                              {"*/*", {}, {}, {{bytes, png}}},
                              {"*/*", {}, webp, {{bytes, webp}}},
                              {"image/*", {}, {}, {{bytes, png}}},
                              {"image/webp", {}, {}, {{bytes, webp}}},
                              {"image/jpeg;q=0.5, image/webp;q=0.6", {}, {}, {{bytes, webp}}},
                              {"image/jpeg, image/webp", {}, {}, {{bytes, jpeg}}},
                              {"image/png;q=0.2, image/*;q=0.9", {}, {}, {{bytes, jpeg}}},
                              {"image/avif, image/webp, */*;q=0.8", {}, {}, {{bytes, webp}}},
                              {"application/json", {}, {}, {{json, png}}},
                              {"application/json", {}, webp, {{json, webp}}},
                              {"application/*", {}, {}, {{json, png}}},
                              {"application/json, */*", {}, {}, {{bytes, png}}},
                              {"application/json, image/png", {}, {}, {{bytes, png}}},
                              {"application/json, image/png;q=0", {}, {}, {{json, png}}},
                              {"application/json, image/gif", {}, {}, {{json, png}}},
                              {"application/json", bytes, {}, {}},
                              {"application/json", json, jpeg, {{json, jpeg}}},
                              {"image/png", json, {}, {{json, png}}},
                              {"image/webp", json, {}, {{json, webp}}},
                              {"image/png", {}, jpeg, {}},
                              {"image/png, application/json", {}, webp, {}},
                              {"image/png", bytes, jpeg, {}},
                              {"*/*, image/jpeg;q=0", {}, jpeg, {}},
                              {"image/gif", {}, {}, {}},
                              {"text/html", {}, {}, {}},
                              {"image/*;q=0", {}, {}, {}},
                              {"nonsense", {}, {}, {}}};

  for (const ChoiceCase& each : cases) {
    const AcceptHeader accept(each.accept);
    if (!each.expected) {
      EXPECT_THROW(choose_reply(accept, each.kind, each.format), Error) << each.accept;
      continue;
    }

    const ReplyChoice choice = choose_reply(accept, each.kind, each.format);

    EXPECT_EQ(choice.kind, each.expected->kind) << each.accept;
    EXPECT_EQ(choice.format, each.expected->format) << each.accept;
  }
}

}  // namespace
}  // namespace ssd1b
