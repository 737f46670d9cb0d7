#include "service/metrics/metrics.h"

#include <gmock/gmock.h>

#include <atomic>
#include <cerrno>
#include <set>
#include <sstream>
#include <thread>

namespace ssd1b {
namespace {

using ::testing::HasSubstr;

TEST(Metrics, ShowsEverySeriesFromTheStart) {
  const std::string text = Metrics().text();

  for (const char* line : {"ssd1b_pictures_accepted_total 0\n",
                           "ssd1b_pictures_total 0\n",
                           "ssd1b_steps_total 0\n",
                           "ssd1b_pictures_ended_total{outcome=\"succeeded\"} 0\n",
                           "ssd1b_pictures_ended_total{outcome=\"failed\"} 0\n",
                           "ssd1b_pictures_ended_total{outcome=\"cancelled\"} 0\n",
                           "ssd1b_pictures_ended_total{outcome=\"expired\"} 0\n",
                           "ssd1b_pictures_ended_total{outcome=\"refused_at_shutdown\"} 0\n",
                           "ssd1b_cancelled_total{state=\"queued\"} 0\n",
                           "ssd1b_cancelled_total{state=\"running\"} 0\n",
                           "ssd1b_queue_pictures 0\n",
                           "ssd1b_running_pictures 0\n",
                           "ssd1b_queue_bytes 0\n",
                           "ssd1b_queue_wait_seconds_count 0\n",
                           "ssd1b_batch_pictures_count 0\n",
                           "ssd1b_stage_seconds_count{stage=\"queue\"} 0\n",
                           "ssd1b_stage_seconds_count{stage=\"text_encoder\"} 0\n",
                           "ssd1b_stage_seconds_count{stage=\"denoise\"} 0\n",
                           "ssd1b_stage_seconds_count{stage=\"vae\"} 0\n",
                           "ssd1b_stage_seconds_count{stage=\"encode\"} 0\n"}) {
    EXPECT_THAT(text, HasSubstr(std::string("\n") + line));
  }
}

TEST(Metrics, CountsUnderItsLabels) {
  Metrics metrics;
  metrics.set_build_info("0.1.0", "abc");
  metrics.count_request("/generate-image", 200, 0.02);
  metrics.count_request("/generate-image", 200, 0.02);
  metrics.count_request("/generate-image", 429, 0.001);
  metrics.count_accepted(3);
  metrics.count_refused("queue_full", 2);
  metrics.count_ended(Outcome::Succeeded);
  metrics.count_ended(Outcome::Expired);
  metrics.count_cancelled(CancelledState::Running);
  metrics.count_restart("cuda:0", RestartReason::DeviceLost);
  metrics.observe_stage(Stage::Encode, 0.004);
  metrics.set_queue(5, 2, 1234);
  metrics.set_worker("cpu", true, 4096);

  const std::string text = metrics.text();

  for (const char* line :
       {"ssd1b_build_info{commit=\"abc\",version=\"0.1.0\"} 1\n",
        "ssd1b_requests_total{route=\"/generate-image\",status=\"200\"} 2\n",
        "ssd1b_requests_total{route=\"/generate-image\",status=\"429\"} 1\n",
        "ssd1b_request_seconds_count{route=\"/generate-image\"} 3\n",
        "ssd1b_pictures_accepted_total 3\n",
        "ssd1b_pictures_refused_total{code=\"queue_full\"} 2\n",
        "ssd1b_pictures_ended_total{outcome=\"succeeded\"} 1\n", "ssd1b_pictures_total 1\n",
        "ssd1b_pictures_ended_total{outcome=\"expired\"} 1\n",
        "ssd1b_cancelled_total{state=\"running\"} 1\n",
        "ssd1b_worker_restarts_total{device=\"cuda:0\",reason=\"device_lost\"} 1\n",
        "ssd1b_stage_seconds_count{stage=\"encode\"} 1\n", "ssd1b_queue_pictures 5\n",
        "ssd1b_running_pictures 2\n", "ssd1b_queue_bytes 1234\n",
        "ssd1b_worker_ready{device=\"cpu\"} 1\n",
        "ssd1b_worker_memory_bytes{device=\"cpu\"} 4096\n"}) {
    EXPECT_THAT(text, HasSubstr(std::string("\n") + line));
  }
}

/// `name 1` or `name{label="value",other="value"} 1`, as a scraper reads it.
bool is_sample(const std::string& line) {
  const auto space = line.rfind(' ');
  if (space == std::string::npos) return false;
  std::size_t parsed = 0;
  std::stod(line.substr(space + 1), &parsed);
  if (parsed != line.size() - space - 1) return false;
  const std::string series = line.substr(0, space);
  const auto brace = series.find('{');
  const std::string name = series.substr(0, brace);
  if (name.rfind("ssd1b_", 0) != 0 ||
      name.find_first_not_of("abcdefghijklmnopqrstuvwxyz0123456789_") != std::string::npos) {
    return false;
  }
  if (brace == std::string::npos) return true;
  std::istringstream labels(series.substr(brace + 1));
  for (char end = ','; end == ',';) {
    std::string label, value;
    std::getline(labels, label, '=');
    if (label.empty() || labels.get() != '"' || !std::getline(labels, value, '"')) return false;
    end = static_cast<char>(labels.get());
    if (end == '}') return labels.peek() == std::istringstream::traits_type::eof();
    if (end != ',') return false;
  }
  return false;
}

TEST(Metrics, FollowsTheCountsOfTheListener) {
  Metrics metrics;

  metrics.set_connections({3, 10, 2, 1});
  metrics.set_connections({1, 12, 2, 1});
  metrics.set_accept_errors(EMFILE, 4);
  metrics.set_accept_errors(EMFILE, 5);

  const std::string text = metrics.text();
  EXPECT_THAT(text, HasSubstr("\nssd1b_connections_open 1\n"));
  EXPECT_THAT(text, HasSubstr("\nssd1b_connections_accepted_total 12\n"));
  EXPECT_THAT(text, HasSubstr("\nssd1b_connections_refused_total 2\n"));
  EXPECT_THAT(text, HasSubstr("\nssd1b_connections_evicted_total 1\n"));
  EXPECT_THAT(text, HasSubstr("\nssd1b_accept_errors_total{errno=\"EMFILE\"} 5\n"));
}

TEST(Metrics, CountsADroppedLogRecordOnceWhoeverAsks) {
  for (int round = 0; round < 2000; ++round) {
    Metrics metrics;
    std::atomic<int> waiting{2};
    const auto scrape = [&] {
      --waiting;
      while (waiting > 0) {
      }
      metrics.set_dropped_log_records(7);
    };
    std::thread other(scrape);
    scrape();
    other.join();

    ASSERT_THAT(metrics.text(), HasSubstr("\nssd1b_log_records_dropped_total 7\n"));
  }
}

TEST(Metrics, IsWhatAScraperReads) {
  Metrics metrics;
  metrics.count_request("/v1/jobs/{id}", 200, 0.5);
  metrics.count_restart("cpu", RestartReason::Hung);
  std::set<std::string> seen;
  std::istringstream lines(metrics.text());

  for (std::string line; std::getline(lines, line);) {
    if (line.rfind("# HELP ssd1b_", 0) == 0 || line.rfind("# TYPE ssd1b_", 0) == 0) continue;
    ASSERT_TRUE(is_sample(line)) << line;
    EXPECT_TRUE(seen.insert(line.substr(0, line.rfind(' '))).second) << line;  // none comes twice
  }
  EXPECT_GT(seen.size(), 100u);
}

}  // namespace
}  // namespace ssd1b
