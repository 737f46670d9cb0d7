#include <gtest/gtest.h>

#include "service/routes/link_store.h"
#include "service/routes/make_pictures.h"

namespace ssd1b {
namespace {

TEST(RequireJson, TakesJsonInUtf8Only) {
  const auto is_taken = [](const char* content_type) {
    HttpRequest request;
    if (content_type) request.headers = {{"content-type", content_type}};
    try {
      require_json(request);
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), ErrorCode::UnsupportedMediaType);
      return false;
    }
    return true;
  };

  for (const char* good : {"application/json", "Application/JSON", "application/json;charset=utf-8",
                           "application/json ; charset=\"UTF-8\"", "application/json; x=y"}) {
    EXPECT_TRUE(is_taken(good)) << good;
  }
  for (const char* bad : {"", "text/plain", "text/json", "application/jsonx", "application/x-json",
                          "application/json; charset=latin1", "multipart/form-data"}) {
    EXPECT_FALSE(is_taken(bad)) << bad;
  }
  EXPECT_FALSE(is_taken(nullptr));
}

TEST(LinkStore, PicturesAreTheirClientsOwn) {
  LinkStore store;
  const std::string id = store.add({"bytes", "image/png", "anna"});

  ASSERT_NE(store.find(id, "anna"), nullptr);
  EXPECT_EQ(store.find(id, "anna")->bytes, "bytes");
  EXPECT_EQ(store.find(id, "bert"), nullptr);
  EXPECT_EQ(store.find("0", "anna"), nullptr);
}

TEST(LinkStore, TheOldestMakesRoom) {
  LinkStore store;
  const std::string first = store.add({"1", "image/png", ""});
  const std::string second = store.add({"2", "image/png", ""});
  for (int i = 0; i < 255; ++i) store.add({"x", "image/png", ""});

  EXPECT_EQ(store.find(first, ""), nullptr);
  EXPECT_NE(store.find(second, ""), nullptr);
}

TEST(RandomId, Is32HexDigitsAndNeverTheSame) {
  const std::string id = random_id();

  EXPECT_EQ(id.size(), 32u);
  EXPECT_EQ(id.find_first_not_of("0123456789abcdef"), std::string::npos);
  EXPECT_NE(id, random_id());
}

}  // namespace
}  // namespace ssd1b
