#include <gtest/gtest.h>

#include "service/workers/device_choice.h"
#include "service/workers/gap_watch.h"
#include "service/workers/restart_policy.h"

namespace ssd1b {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

const Clock::time_point kStart{};

/// Seconds of silence after which the watch calls a hang.
double limit_s(const GapWatch& watch, Clock::time_point last_sign) {
  return std::chrono::duration<double>(watch.hangs_at().value() - last_sign).count();
}

TEST(GapWatch, AWorkerAtRestMayBeSilent) {
  GapWatch watch(seconds(30));
  EXPECT_FALSE(watch.hangs_at());

  watch.set_load(kStart, 100, 0.0);
  EXPECT_TRUE(watch.hangs_at());
  watch.rest();
  EXPECT_FALSE(watch.hangs_at());
}

TEST(GapWatch, AWorkerWithOrdersToReadMayNotBeSilent) {
  GapWatch watch(seconds(30));
  watch.set_load(kStart, 100, 0.0);
  watch.sign_of_life(kStart + seconds(5));
  watch.rest();

  watch.expect_sign(kStart + seconds(50));
  watch.expect_sign(kStart + seconds(60));

  EXPECT_DOUBLE_EQ(limit_s(watch, kStart + seconds(50)), 100.0);
}

TEST(GapWatch, WaitsForTheFloorAtLeast) {
  GapWatch watch(seconds(30));
  watch.set_load(kStart, 100, 0.0);
  watch.sign_of_life(kStart + milliseconds(10));

  EXPECT_DOUBLE_EQ(limit_s(watch, kStart + milliseconds(10)), 30.0);
}

TEST(GapWatch, WaitsForTwentyTimesTheLongestGap) {
  GapWatch watch(seconds(30));
  watch.set_load(kStart, 100, 0.0);
  watch.sign_of_life(kStart + seconds(5));
  watch.sign_of_life(kStart + seconds(6));

  EXPECT_DOUBLE_EQ(limit_s(watch, kStart + seconds(6)), 100.0);
}

TEST(GapWatch, WaitsLongerForALargerPictureThanAnyBefore) {
  GapWatch watch(seconds(30));
  watch.set_load(kStart, 100, 0.0);
  watch.sign_of_life(kStart + seconds(5));

  watch.set_load(kStart + seconds(5), 400, 0.0);
  EXPECT_DOUBLE_EQ(limit_s(watch, kStart + seconds(5)), 400.0);
  watch.set_load(kStart + seconds(5), 400, 900.0);
  EXPECT_DOUBLE_EQ(limit_s(watch, kStart + seconds(5)), 900.0);  // the estimate of its whole call
  watch.set_load(kStart + seconds(5), 50, 900.0);
  EXPECT_DOUBLE_EQ(limit_s(watch, kStart + seconds(5)), 100.0);
}

TEST(GapWatch, LoadingTeachesNothingAboutPictures) {
  GapWatch watch(seconds(30));
  watch.set_load(kStart, 0, 0.0);
  watch.sign_of_life(kStart + seconds(20));
  EXPECT_DOUBLE_EQ(limit_s(watch, kStart + seconds(20)), 30.0);

  watch.rest();
  watch.set_load(kStart + seconds(30), 100, 0.0);

  EXPECT_DOUBLE_EQ(limit_s(watch, kStart + seconds(30)), 30.0);
}

TEST(GapWatch, ForgivesWhatNobodySaw) {
  GapWatch watch(seconds(30));
  watch.set_load(kStart, 100, 0.0);

  watch.forgive(kStart + seconds(29), seconds(28));

  EXPECT_DOUBLE_EQ(limit_s(watch, kStart + seconds(28)), 30.0);
  watch.forgive(kStart + seconds(40), seconds(28));
  EXPECT_DOUBLE_EQ(limit_s(watch, kStart + seconds(40)), 30.0) << "no sign comes from the future";
}

TEST(GapWatch, LearnsNothingFromWhatNobodySaw) {
  GapWatch watch(seconds(30));
  watch.set_load(kStart, 100, 0.0);

  watch.forgive(kStart + seconds(60), seconds(59));
  watch.sign_of_life(kStart + seconds(60));

  EXPECT_DOUBLE_EQ(limit_s(watch, kStart + seconds(60)), 30.0);
}

TEST(RestartPolicy, RestartsAtOnceThenDoubles) {
  RestartPolicy policy(seconds(1));
  std::vector<long> delays_s;
  for (int i = 0; i < 10; ++i) {
    policy.failed();
    delays_s.push_back(std::chrono::duration_cast<seconds>(policy.delay()).count());
  }

  EXPECT_EQ(delays_s, (std::vector<long>{0, 1, 2, 4, 8, 16, 32, 60, 60, 60}));
}

TEST(RestartPolicy, FiveFailuresInARowAreHopeless) {
  RestartPolicy policy(seconds(1));
  for (int i = 0; i < 4; ++i) policy.failed();
  EXPECT_FALSE(policy.is_hopeless());
  policy.became_ready();
  EXPECT_EQ(policy.delay(), Clock::duration::zero());
  for (int i = 0; i < 4; ++i) policy.failed();
  EXPECT_FALSE(policy.is_hopeless());

  policy.failed();

  EXPECT_TRUE(policy.is_hopeless());
}

std::vector<ListedDevice> listed(bool first, bool second) {
  return {{"cpu", true, ""},
          {"cuda:0", first, first ? "" : "too old"},
          {"cuda:1", second, second ? "" : "too small"}};
}

TEST(ChooseDevices, FollowsWhatIsWantedAndWhatIsThere) {
  using Names = std::vector<std::string>;
  const struct {
    const char* wanted;
    bool has_driver, first, second;
    Names devices;
    std::size_t warnings;
  } cases[] = {
      {"cpu", false, false, false, {"cpu"}, 0},
      {"cpu", true, true, true, {"cpu"}, 0},
      {"auto", false, true, true, {"cpu"}, 1},
      {"auto", true, true, true, {"cuda:0", "cuda:1"}, 0},
      {"auto", true, false, true, {"cuda:1"}, 1},
      {"auto", true, false, false, {"cpu"}, 2},
      {"cuda", true, true, false, {"cuda:0"}, 1},
      {"cuda:1,cuda:0", true, true, true, {"cuda:1", "cuda:0"}, 0},
  };
  for (const auto& each : cases) {
    const DeviceChoice choice = choose_devices(each.wanted, each.has_driver,
                                               [&] { return listed(each.first, each.second); });
    EXPECT_EQ(choice.devices, each.devices) << each.wanted;
    EXPECT_EQ(choice.warnings.size(), each.warnings) << each.wanted;
    EXPECT_EQ(choice.is_automatic, each.wanted == std::string("auto"));
  }
}

TEST(ChooseDevices, NeverRunsOnTheCpuWhereAGpuWasWanted) {
  const auto none = [] { return listed(false, false); };
  for (const char* wanted : {"cuda", "cuda:0", "cuda:0,cuda:1"}) {
    try {
      choose_devices(wanted, /*has_driver=*/false, none);
      FAIL() << wanted;
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), ErrorCode::NoDevice);
    }
  }
  EXPECT_THROW(choose_devices("cuda", /*has_driver=*/true, none), Error);
}

TEST(ChooseDevices, TakesTheCpuWhereTheListFailsUnlessAGpuWasWanted) {
  const auto fails = []() -> std::vector<ListedDevice> {
    throw Error(ErrorCode::NoDevice, "the worker's --list-devices timed out");
  };

  const DeviceChoice choice = choose_devices("auto", /*has_driver=*/true, fails);

  EXPECT_EQ(choice.devices, std::vector<std::string>{"cpu"});
  EXPECT_EQ(choice.warnings, std::vector<std::string>{"the worker's --list-devices timed out"});
  EXPECT_TRUE(choice.is_automatic);
  EXPECT_THROW(choose_devices("cuda", /*has_driver=*/true, fails), Error);
}

TEST(AskForDevices, SaysWhereTheWorkerHasPrintedNothing) {
  try {
    ask_for_devices("/bin/false", [] { return true; });
    FAIL() << "no error";
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::NoDevice);
    EXPECT_STREQ(error.what(), "the worker's --list-devices ended without an answer");
  }
}

TEST(DeviceList, RefusesWhatIsNoList) {
  EXPECT_EQ(device_list_from(R"([{"name":"cpu","usable":true,"why_not":null,"memory_bytes":1}])")
                .at(0)
                .name,
            "cpu");
  EXPECT_EQ(
      device_list_from(R"([{"name":"cuda:0","usable":false,"why_not":"too old"}])").at(0).why_not,
      "too old");
  for (const char* text : {"", "{\"name\":1}", "[{\"name\":\"cpu\"}]", "[1]"}) {
    EXPECT_THROW(device_list_from(text), Error) << text;
  }
}

}  // namespace
}  // namespace ssd1b
