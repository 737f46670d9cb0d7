#pragma once

#include <gtest/gtest.h>

#include <chrono>
#include <memory>
#include <string>
#include <thread>

#include "service/workers/dispatcher.h"
#include "support/fake_engine.h"
#include "support/temporary_folder.h"
#include "support/variables.h"

namespace ssd1b {

using std::chrono::milliseconds;
using std::chrono::seconds;

/// A dispatcher with ssd1b-fake-worker behind it.
class DispatcherTest : public ::testing::Test {
 protected:
  DispatcherTest() {
    options.worker = SSD1B_BIN_DIR "/ssd1b-fake-worker";
    options.pipeline.device = "cpu";
    tuning.first_restart_delay = milliseconds(20);
  }

  void start() { dispatcher = std::make_unique<Dispatcher>(options, metrics, tuning); }

  void start_ready() {
    start();
    ASSERT_TRUE(eventually([&] { return dispatcher->state().ready; }))
        << dispatcher->state().reason;
  }

  /// `_once` faults are remembered across restarts.
  void remember_faults() { variables.set("SSD1B_FAKE_STATE_DIR", folder.path().string()); }

  template <typename Condition>
  static bool eventually(Condition condition, milliseconds within = seconds(20)) {
    const auto until = Clock::now() + within;
    while (!condition()) {
      if (Clock::now() > until) return false;
      std::this_thread::sleep_for(milliseconds(2));
    }
    return true;
  }

  static GenerationRequest request(const std::string& prompt, std::uint64_t seed = 7,
                                   int steps = 4) {
    GenerationRequest request = default_request(fake_model());
    request.prompt = prompt;
    request.seed = seed;
    request.steps = steps;
    return request;
  }

  static JobTicket ticket(const std::string& client = "", milliseconds within = seconds(60)) {
    return {"test", client, Clock::now() + within};
  }

  std::shared_ptr<Job> submit(const std::string& prompt, std::uint64_t seed = 7, int steps = 4) {
    return dispatcher->submit({request(prompt, seed, steps)}, ticket()).front();
  }

  /// The job's picture is the right one, byte for byte.
  static void expect_right_picture(Job& job, milliseconds within = seconds(30)) {
    ASSERT_TRUE(job.wait_until(Clock::now() + within)) << job.request().prompt;
    const auto result = job.take_result();
    const auto* image = std::get_if<GeneratedImage>(&result);
    ASSERT_NE(image, nullptr) << job.request().prompt << ": " << std::get<JobFault>(result).message;
    EXPECT_EQ(image->image.rgb, fake_picture(job.request()).rgb);
    EXPECT_EQ(image->seed, job.request().seed);
  }

  static JobFault fault_of(Job& job, milliseconds within = seconds(30)) {
    EXPECT_TRUE(job.wait_until(Clock::now() + within)) << job.request().prompt;
    if (job.status().state == JobState::Succeeded) ADD_FAILURE() << "it succeeded";
    const auto result = job.take_result();
    const auto* fault = std::get_if<JobFault>(&result);
    return fault ? *fault : JobFault{};
  }

  /// The value of a series by its whole name with labels; 0 where it is not there.
  double metric(const std::string& series) const {
    const std::string text = "\n" + metrics.text();
    const auto at = text.find("\n" + series + " ");
    return at == std::string::npos ? 0.0 : std::stod(text.substr(at + series.size() + 2));
  }

  double ended(const std::string& outcome) const {
    return metric("ssd1b_pictures_ended_total{outcome=\"" + outcome + "\"}");
  }

  double restarts(const std::string& reason, const std::string& device = "cpu") const {
    return metric("ssd1b_worker_restarts_total{device=\"" + device + "\",reason=\"" + reason +
                  "\"}");
  }

  /// Every accepted picture has ended exactly once, and nothing is in the making.
  void expect_balanced_books() const {
    EXPECT_EQ(metric("ssd1b_pictures_accepted_total"), ended("succeeded") + ended("failed") +
                                                           ended("cancelled") + ended("expired") +
                                                           ended("refused_at_shutdown"));
    EXPECT_EQ(metric("ssd1b_queue_pictures"), 0);
    EXPECT_EQ(metric("ssd1b_running_pictures"), 0);
    EXPECT_EQ(metric("ssd1b_queue_bytes"), 0);
  }

  ServerOptions options;
  DispatcherTuning tuning;
  Metrics metrics;
  Variables variables;
  TemporaryFolder folder;
  std::unique_ptr<Dispatcher> dispatcher;  // last: it ends first
};

}  // namespace ssd1b
