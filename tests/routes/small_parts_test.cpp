#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <memory>
#include <stdexcept>
#include <thread>
#include <vector>

#include "service/http/random_id.h"
#include "service/routes/edge_options.h"
#include "service/routes/few_at_a_time.h"
#include "service/routes/link_store.h"
#include "service/routes/require_json.h"

namespace ssd1b {
namespace {

TEST(Loopback, IsWhatOnlyThisMachineReaches) {
  for (const char* host : {"localhost", "127.0.0.1", "127.3.2.1", "127.1", "::1", "0:0:0:0:0:0:0:1",
                           "::ffff:127.0.0.1"}) {
    EXPECT_TRUE(is_loopback(host)) << host;
  }
  for (const char* host : {"0.0.0.0", "::", "10.0.0.127", "::ffff:10.0.0.1", "fe80::1",
                           "example.org", "127.example.org", "localhost.example.org", ""}) {
    EXPECT_FALSE(is_loopback(host)) << host;
  }
}

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

TEST(RequireJson, SaysWhatCame) {
  const auto message = [](const std::string& content_type) {
    HttpRequest request;
    if (!content_type.empty()) request.headers = {{"Content-Type", content_type}};
    try {
      require_json(request);
    } catch (const Error& error) {
      return std::string(error.what());
    }
    return std::string();
  };
  const std::string end = ": send the header Content-Type: application/json";

  EXPECT_EQ(message(""), "the body must be JSON in UTF-8, got no Content-Type" + end);
  EXPECT_EQ(message("text/plain"), "the body must be JSON in UTF-8, got text/plain" + end);
  EXPECT_EQ(message("application/json; Charset=Latin1; a=b"),
            "the body must be JSON in UTF-8, got the charset latin1" + end);
}

TEST(FewAtATime, LetsNoMoreIn) {
  FewAtATime two(2);
  std::atomic<int> inside{0}, most{0}, done{0};
  std::vector<std::thread> threads;
  for (int i = 0; i < 8; ++i) {
    threads.emplace_back([&] {
      two.run([] {},
              [&] {
                const int now = ++inside;
                for (int seen = most; now > seen && !most.compare_exchange_weak(seen, now);) {
                }
                std::this_thread::sleep_for(std::chrono::milliseconds(5));
                --inside;
                ++done;
              });
    });
  }
  for (std::thread& each : threads) each.join();

  EXPECT_EQ(done, 8);
  EXPECT_EQ(most, 2);
}

TEST(FewAtATime, GivesThePlaceBackAfterAFault) {
  FewAtATime one(1);

  EXPECT_THROW(one.run([] {}, [] { throw std::runtime_error("it failed"); }), std::runtime_error);

  bool has_run = false;
  one.run([] {}, [&] { has_run = true; });
  EXPECT_TRUE(has_run);
}

TEST(FewAtATime, LetsGoWhoIsNotWantedAnyMore) {
  FewAtATime one(1);
  std::atomic<bool> is_inside{false}, is_over{false};
  std::thread busy([&] {
    one.run([] {},
            [&] {
              for (is_inside = true; !is_over;)
                std::this_thread::sleep_for(std::chrono::milliseconds(1));
            });
  });
  while (!is_inside) std::this_thread::yield();
  const auto gone = [] { throw std::runtime_error("the client is gone"); };

  EXPECT_THROW(one.run(gone, [] { FAIL() << "nobody wants it"; }), std::runtime_error);

  is_over = true;
  busy.join();
  bool has_run = false;
  one.run([] {}, [&] { has_run = true; });
  EXPECT_TRUE(has_run);
}

TEST(LinkStore, PicturesAreTheirClientsOwn) {
  LinkStore store;
  const std::string id = store.add({"bytes", "image/png", "anna"});

  ASSERT_NE(store.find(id, "anna"), nullptr);
  EXPECT_EQ(store.find(id, "anna")->bytes, "bytes");
  EXPECT_EQ(store.find(id, "bert"), nullptr);
  EXPECT_EQ(store.find("0", "anna"), nullptr);
}

TEST(LinkStore, CountsBytesNotPictures) {
  LinkStore store;
  const std::string first = store.add({"1", "image/png", ""});
  for (int i = 0; i < 2000; ++i) store.add({"x", "image/png", ""});

  EXPECT_NE(store.find(first, ""), nullptr);
}

TEST(LinkStore, TheOldestMakeRoomForALargeOne) {
  LinkStore store(/*most_bytes=*/100);
  const std::string first = store.add({std::string(40, '1'), "image/png", ""});
  const std::string second = store.add({std::string(40, '2'), "image/png", ""});
  const std::string third = store.add({std::string(20, '3'), "image/png", ""});
  EXPECT_NE(store.find(first, ""), nullptr) << "they fit exactly";

  const std::string large = store.add({std::string(70, '4'), "image/png", ""});

  EXPECT_EQ(store.find(first, ""), nullptr);
  EXPECT_EQ(store.find(second, ""), nullptr);
  EXPECT_NE(store.find(third, ""), nullptr);
  EXPECT_NE(store.find(large, ""), nullptr);
}

TEST(LinkStore, ForgetsAlsoWhenNobodyAsks) {
  LinkStore store(LinkStore::kMostBytes, /*kept=*/std::chrono::milliseconds(100));
  const std::string id = store.add({"bytes", "image/png", ""});
  const std::weak_ptr<const LinkedPicture> kept = store.find(id, "");
  store.forget_old();
  EXPECT_FALSE(kept.expired());

  std::this_thread::sleep_for(std::chrono::milliseconds(110));
  store.forget_old();

  EXPECT_TRUE(kept.expired());
}

TEST(RandomId, Is32HexDigitsAndNeverTheSame) {
  const std::string id = random_id();

  EXPECT_EQ(id.size(), 32u);
  EXPECT_EQ(id.find_first_not_of("0123456789abcdef"), std::string::npos);
  EXPECT_NE(id, random_id());
}

}  // namespace
}  // namespace ssd1b
