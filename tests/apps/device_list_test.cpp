#include "apps/device_list.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

namespace ssd1b {
namespace {

TEST(DeviceList, IsJsonWithTheReasonOfWhatIsNotUsable) {
  const auto list = nlohmann::json::parse(device_list_json(
      {{"cpu", "8 \"cores\"\xff", 1 << 30, true, ""}, {"cuda", "", 0, false, "no driver"}}));

  ASSERT_EQ(list.size(), 2u);
  EXPECT_EQ(list[0]["name"], "cpu");
  EXPECT_EQ(list[0]["description"], "8 \"cores\"\uFFFD");
  EXPECT_EQ(list[0]["memory_bytes"], 1 << 30);
  EXPECT_EQ(list[0]["usable"], true);
  EXPECT_TRUE(list[0]["why_not"].is_null());
  EXPECT_EQ(list[1]["usable"], false);
  EXPECT_EQ(list[1]["why_not"], "no driver");
}

TEST(DeviceList, MayBeEmpty) { EXPECT_EQ(device_list_json({}), "[]"); }

}  // namespace
}  // namespace ssd1b
