#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

#include "service/http/keys/api_keys.h"
#include "service/http/keys/key_file.h"
#include "service/http/keys/token_bucket.h"

namespace ssd1b {
namespace {

using std::chrono::milliseconds;
using Clock = ApiKeys::Clock;

const std::string kDigestOfAbc =  // FIPS 180-2, appendix B.1
    "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad";

TEST(KeyFile, ReadsNamesKeysAndLimits) {
  const KeyFile file =
      parse_key_file("# keys\n\n  \t\nfirst:abc\nsecond:" + kDigestOfAbc.substr(0, 63) +
                         "e rate=2.5/s burst=4 concurrency=2\n",
                     "keys");

  ASSERT_EQ(file.entries.size(), 2u);
  EXPECT_EQ(file.entries[0].name, "first");
  EXPECT_FALSE(file.entries[0].rate_per_s);
  EXPECT_EQ(file.entries[1].rate_per_s, 2.5);
  EXPECT_EQ(file.entries[1].burst, 4);
  EXPECT_EQ(file.entries[1].concurrency, 2);
  EXPECT_EQ(file.plain_text_lines, std::vector<int>{4});
}

TEST(KeyFile, TakesSixtyFourHexDigitsAsADigest) {
  const KeyFile file = parse_key_file("a:" + kDigestOfAbc, "keys");

  EXPECT_EQ(file.entries[0].digest, digest_of("abc"));
  EXPECT_TRUE(file.plain_text_lines.empty());
}

TEST(KeyFile, ReadsABurstOfOneSecondWhereNoneIsGiven) {
  EXPECT_EQ(parse_key_file("a:b rate=2.5/s", "").entries[0].burst, 3);
  EXPECT_EQ(parse_key_file("a:b rate=0.1/s", "").entries[0].burst, 1);
}

TEST(KeyFile, RefusesEveryOtherLineByItsNumber) {
  const std::vector<std::string> bad = {"abc",
                                        ":abc",
                                        "a:",
                                        "a b:c",
                                        "\xc3\xa4:b",
                                        std::string(65, 'a') + ":b",
                                        "a:b c",
                                        "a:b rate=1",
                                        "a:b rate=/s",
                                        "a:b rate=0/s",
                                        "a:b rate=-1/s",
                                        "a:b rate=1e3/s",
                                        "a:b rate=.5/s",
                                        "a:b rate=1000001/s",
                                        "a:b rate=nan/s",
                                        "a:b rate=1/m",
                                        "a:b burst=2",
                                        "a:b rate=1/s burst=0",
                                        "a:b rate=1/s burst=1.5",
                                        "a:b rate=1/s burst=",
                                        "a:b concurrency=0",
                                        "a:b concurrency=x",
                                        "a:b concurrency=1 concurrency=1",
                                        "a:b Rate=1/s",
                                        "a:b # comment",
                                        "a:b\r",
                                        "a:b\x01",
                                        "ok:other",
                                        "z:secret"};
  for (const std::string& line : bad) {
    try {
      parse_key_file("ok:secret\n" + line + "\n", "keys.txt");
      ADD_FAILURE() << "was read: " << line;
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), ErrorCode::Usage) << line;
      EXPECT_EQ(std::string(error.what()).rfind("keys.txt line 2: ", 0), 0u) << error.what();
      EXPECT_EQ(std::string(error.what()).find("secret"), std::string::npos) << error.what();
    }
  }
}

TEST(KeyFile, RefusesAFileWithoutKeys) {
  EXPECT_THROW(parse_key_file("# nobody\n", "keys"), Error);
  EXPECT_THROW(read_key_file("/nowhere/keys"), Error);
  EXPECT_THROW(read_key_file("/"), Error);
}

TEST(TokenBucket, GivesABurstAndThenItsRate) {
  TokenBucket bucket(/*rate_per_s=*/2, /*burst=*/3);
  Clock::time_point now{std::chrono::hours(1)};
  const auto takes = [&] {
    if (!bucket.has_token(now)) return false;
    bucket.take();
    return true;
  };

  for (int i = 0; i < 3; ++i) EXPECT_TRUE(takes());
  EXPECT_FALSE(takes());
  EXPECT_EQ(bucket.wait_s(), 1);
  now += milliseconds(499);
  EXPECT_FALSE(takes());
  now += milliseconds(1);
  EXPECT_TRUE(takes());
  EXPECT_FALSE(takes());
  now += std::chrono::hours(1);
  for (int i = 0; i < 3; ++i) EXPECT_TRUE(takes());
  EXPECT_FALSE(takes());
}

/// A key file that can be written anew.
class ApiKeysTest : public testing::Test {
 protected:
  void SetUp() override {
    path_ = std::filesystem::temp_directory_path() /
            ("ssd1b-keys-" + std::to_string(::getpid()) + "-" +
             testing::UnitTest::GetInstance()->current_test_info()->name());
  }
  void TearDown() override { std::filesystem::remove(path_); }

  void write(const std::string& text) { std::ofstream(path_) << text; }

  /// The name of the key that was accepted, or the code of the refusal.
  std::string judge(ApiKeys& keys, const Fields& fields, const std::string& address = "1.2.3.4",
                    bool takes_place = true) {
    auto verdict = keys.admit(fields, address, now_, takes_place);
    if (auto* refusal = std::get_if<KeyRefusal>(&verdict)) {
      return name_of(refusal->error.code());
    }
    leases_.push_back(std::get<KeyLease>(verdict));
    return leases_.back().client;
  }

  std::filesystem::path path_;
  Clock::time_point now_{std::chrono::hours(1)};
  std::vector<KeyLease> leases_;
};

Fields bearer(const std::string& key) { return {{"Authorization", "Bearer " + key}}; }

TEST_F(ApiKeysTest, AcceptsBothHeadersAndAnyCaseOfTheScheme) {
  write("ann:secret\nbob:" + kDigestOfAbc + "\n");
  ApiKeys keys(path_);

  EXPECT_EQ(judge(keys, bearer("secret")), "ann");
  EXPECT_EQ(judge(keys, {{"authorization", "bEARER   abc"}}), "bob");
  EXPECT_EQ(judge(keys, {{"x-api-key", "abc"}}), "bob");
  EXPECT_EQ(judge(keys, {{"Authorization", "Basic cHJveHk="}, {"X-Api-Key", "abc"}}), "bob");
}

TEST_F(ApiKeysTest, RefusesEverythingElse) {
  write("ann:secret\nbob:" + kDigestOfAbc + "\n");
  ApiKeys keys(path_);

  const std::vector<Fields> bad = {{},
                                   bearer(""),
                                   bearer("Secret"),
                                   bearer("secre"),
                                   bearer("secret2"),
                                   bearer(kDigestOfAbc),
                                   {{"Authorization", "Basic secret"}},
                                   {{"Authorization", "secret"}},
                                   {{"X-Api-Key", ""}}};
  for (std::size_t i = 0; i < bad.size(); ++i) {
    EXPECT_EQ(judge(keys, bad[i], std::to_string(i)), "invalid_api_key") << i;
  }
  // A wrong Bearer is not made good by another field.
  EXPECT_EQ(judge(keys, {{"Authorization", "Bearer no"}, {"X-Api-Key", "abc"}}, "x"),
            "invalid_api_key");
}

TEST_F(ApiKeysTest, LimitsWrongKeysByAddressAndHindersNoRightOne) {
  write("ann:secret\n");
  ApiKeys keys(path_);

  for (int i = 0; i < 10; ++i) EXPECT_EQ(judge(keys, bearer("x")), "invalid_api_key");
  EXPECT_EQ(judge(keys, bearer("x")), "rate_limited");
  EXPECT_EQ(judge(keys, bearer("secret")), "ann");
  EXPECT_EQ(judge(keys, bearer("x"), "5.6.7.8"), "invalid_api_key");
  now_ += milliseconds(1100);
  EXPECT_EQ(judge(keys, bearer("x")), "invalid_api_key");
}

TEST_F(ApiKeysTest, DoesNotCountRequestsWithoutAKeyAsGuesses) {
  write("ann:secret\n");
  ApiKeys keys(path_);

  for (int i = 0; i < 20; ++i) EXPECT_EQ(judge(keys, {}), "invalid_api_key");
  EXPECT_EQ(judge(keys, bearer("secret")), "ann");
}

TEST_F(ApiKeysTest, LimitsRateAndConcurrencyByKey) {
  write("ann:a rate=2/s burst=2\nbob:b concurrency=2\n");
  ApiKeys keys(path_);

  EXPECT_EQ(judge(keys, bearer("a")), "ann");
  EXPECT_EQ(judge(keys, bearer("a")), "ann");
  EXPECT_EQ(judge(keys, bearer("a")), "rate_limited");
  EXPECT_EQ(judge(keys, bearer("b")), "bob");
  EXPECT_EQ(judge(keys, bearer("b")), "bob");
  EXPECT_EQ(judge(keys, bearer("b")), "rate_limited");
  EXPECT_EQ(judge(keys, bearer("b"), "1.2.3.4", /*takes_place=*/false), "bob");
  leases_.clear();
  EXPECT_EQ(judge(keys, bearer("b")), "bob");
  now_ += milliseconds(500);
  EXPECT_EQ(judge(keys, bearer("a")), "ann");
}

TEST_F(ApiKeysTest, ReadsTheFileAgainAndKeepsTheOldKeysWhereItIsBad) {
  write("ann:a concurrency=1\n");
  ApiKeys keys(path_);
  EXPECT_EQ(judge(keys, bearer("a")), "ann");

  write("ann:b concurrency=1\n");
  keys.reload();
  EXPECT_EQ(judge(keys, bearer("a"), "1"), "invalid_api_key");
  EXPECT_EQ(judge(keys, bearer("b")), "rate_limited");  // what runs still counts
  leases_.clear();
  EXPECT_EQ(judge(keys, bearer("b")), "ann");

  write("nonsense\n");
  EXPECT_THROW(keys.reload(), Error);
  leases_.clear();
  EXPECT_EQ(judge(keys, bearer("b")), "ann");
}

TEST_F(ApiKeysTest, TakesBackAPlaceAfterItIsGone) {
  write("ann:a concurrency=1\n");
  {
    ApiKeys keys(path_);
    EXPECT_EQ(judge(keys, bearer("a")), "ann");
  }

  leases_.clear();  // must touch nothing that is gone
}

}  // namespace
}  // namespace ssd1b
