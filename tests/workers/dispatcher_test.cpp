#include "service/workers/dispatcher.h"

#include <atomic>

#include "workers/dispatcher_fixture.h"

namespace ssd1b {
namespace {

TEST_F(DispatcherTest, MakesThePictureOfARequest) {
  start_ready();

  const auto job = submit("a red apple");

  expect_right_picture(*job);
  EXPECT_EQ(job->status().state, JobState::Succeeded);
  EXPECT_EQ(job->status().step, 4);
  EXPECT_EQ(ended("succeeded"), 1);
  EXPECT_EQ(metric("ssd1b_steps_total"), 4);
  expect_balanced_books();
}

TEST_F(DispatcherTest, MakesAllPicturesOfARequest) {
  start_ready();
  std::vector<GenerationRequest> requests;
  for (int i = 0; i < 8; ++i) requests.push_back(request("a red apple", 100 + i));

  const auto jobs = dispatcher->submit(requests, ticket());

  ASSERT_EQ(jobs.size(), 8u);
  for (const auto& job : jobs) expect_right_picture(*job);
  expect_balanced_books();
}

TEST_F(DispatcherTest, WhereOnePictureOfARequestFailsTheOthersEndWithIt) {
  variables.set("SSD1B_FAKE_MAX_PICTURES", "2");
  start_ready();
  const auto other_request = submit("delay=5ms", 1, 20);

  const auto jobs = dispatcher->submit(
      {request("delay=50ms", 2, 150), request("fail@2", 3), request("delay=50ms", 4, 150)},
      ticket());

  EXPECT_EQ(fault_of(*jobs[1]).code, ErrorCode::InternalError);
  EXPECT_EQ(fault_of(*jobs[0], seconds(1)).code, ErrorCode::Cancelled);
  EXPECT_EQ(fault_of(*jobs[2], seconds(1)).code, ErrorCode::Cancelled);
  EXPECT_EQ(ended("failed"), 1);
  EXPECT_EQ(ended("cancelled"), 2);
  expect_right_picture(*other_request);
  expect_balanced_books();
}

TEST_F(DispatcherTest, IsNotReadyUntilTheModelIsLoaded) {
  variables.set("SSD1B_FAKE_LOAD_TIME", "300ms");
  start();

  const ServiceState state = dispatcher->state();
  EXPECT_TRUE(state.live);
  EXPECT_FALSE(state.ready);
  EXPECT_EQ(state.reason, "the model is being loaded");
  EXPECT_FALSE(state.model);
  try {
    submit("a red apple");
    FAIL() << "it was accepted";
  } catch (const Refusal& refusal) {
    EXPECT_EQ(refusal.code(), ErrorCode::NotReady);
    EXPECT_GE(refusal.retry_after_s(), 1);
  }
  ASSERT_TRUE(eventually([&] { return dispatcher->state().ready; }));
  EXPECT_EQ(dispatcher->state().model->type, "fake");
}

TEST_F(DispatcherTest, CancelsAWaitingPicture) {
  variables.set("SSD1B_FAKE_MAX_PICTURES", "1");
  start_ready();
  const auto running = submit("delay=20ms", 1, 20);
  const auto waiting = submit("a red apple", 2);

  dispatcher->cancel(*waiting, {ErrorCode::Cancelled, "the client went away", 0});

  EXPECT_TRUE(waiting->wait_until(Clock::now()));
  EXPECT_EQ(waiting->status().state, JobState::Cancelled);
  expect_right_picture(*running);
  EXPECT_EQ(metric("ssd1b_cancelled_total{state=\"queued\"}"), 1);
  EXPECT_EQ(metric("ssd1b_steps_total"), 20);
  expect_balanced_books();
}

TEST_F(DispatcherTest, ARunningPictureTakesAtMostOneMoreStepAfterItsCancellation) {
  start_ready();
  const auto job = submit("delay=20ms", 1, 150);
  ASSERT_TRUE(eventually([&] { return job->status().step >= 3; }));

  const double steps_before = metric("ssd1b_steps_total");
  dispatcher->cancel(*job, {ErrorCode::Cancelled, "the client went away", 0});
  std::this_thread::sleep_for(milliseconds(150));

  EXPECT_EQ(job->status().state, JobState::Cancelled);
  // One step may have been counted in between, and one may have been on its way.
  EXPECT_LE(metric("ssd1b_steps_total"), steps_before + 2);
  EXPECT_EQ(metric("ssd1b_cancelled_total{state=\"running\"}"), 1);
  expect_right_picture(*submit("after it", 2));
  expect_balanced_books();
}

TEST_F(DispatcherTest, APassedDeadlineEndsAWaitingAndARunningPicture) {
  variables.set("SSD1B_FAKE_MAX_PICTURES", "1");
  start_ready();
  const auto start_time = Clock::now();
  const auto running =
      dispatcher->submit({request("delay=10ms", 1, 150)}, ticket("", milliseconds(200))).front();
  const auto waiting =
      dispatcher->submit({request("a red apple", 2)}, ticket("", milliseconds(100))).front();

  EXPECT_EQ(fault_of(*waiting).code, ErrorCode::DeadlineExceeded);
  EXPECT_LT(Clock::now() - start_time, milliseconds(180));
  EXPECT_EQ(fault_of(*running).code, ErrorCode::DeadlineExceeded);
  EXPECT_LT(Clock::now() - start_time, milliseconds(300));
  EXPECT_EQ(running->status().state, JobState::Failed);
  EXPECT_EQ(ended("expired"), 2);
  expect_right_picture(*submit("after it", 3));
  expect_balanced_books();
}

TEST_F(DispatcherTest, FinishesARunningPictureAsItIs) {
  start_ready();
  const auto job = submit("delay=10ms", 1, 100);
  ASSERT_TRUE(eventually([&] { return job->status().step >= 5; }));

  dispatcher->finish(*job);

  ASSERT_TRUE(job->wait_until(Clock::now() + seconds(5)));
  const auto result = job->take_result();
  ASSERT_TRUE(std::holds_alternative<GeneratedImage>(result));
  EXPECT_LT(job->status().step, 20);
  EXPECT_EQ(std::get<GeneratedImage>(result).image.rgb,
            fake_picture(job->request(), job->status().step).rgb);
}

TEST_F(DispatcherTest, ShowsPreviewsOfARunningPicture) {
  start_ready();
  GenerationRequest wanted = request("delay=5ms", 1, 8);
  wanted.previews = 3;
  const auto job = dispatcher->submit({wanted}, ticket()).front();

  std::vector<PicturePreview> previews;
  while (!has_ended(job->status().state)) {
    for (PicturePreview& each : job->take_previews(Clock::now() + seconds(5))) {
      previews.push_back(std::move(each));
    }
  }

  expect_right_picture(*job);
  ASSERT_EQ(previews.size(), 3u);
  for (std::size_t i = 0; i < previews.size(); ++i) {
    EXPECT_EQ(previews[i].step, static_cast<int>(2 * (i + 1)));
    EXPECT_EQ(previews[i].steps, 8);
    EXPECT_EQ(previews[i].image.rgb, fake_picture(wanted, previews[i].step).rgb);
  }
}

TEST_F(DispatcherTest, AcceptsExactlyWhatTheQueueAndTheWorkerHold) {
  options.queue_size = 5;
  variables.set("SSD1B_FAKE_MAX_PICTURES", "2");
  start_ready();
  std::atomic<int> accepted{0}, refused{0};
  std::vector<std::thread> clients;
  for (int i = 0; i < 30; ++i) {
    clients.emplace_back([&, i] {
      try {
        submit("delay=300ms", i, 1);
        ++accepted;
      } catch (const Refusal& refusal) {
        if (refusal.code() == ErrorCode::QueueFull && refusal.retry_after_s() >= 1) ++refused;
      }
    });
  }
  for (std::thread& each : clients) each.join();

  EXPECT_EQ(accepted, 7);
  EXPECT_EQ(refused, 23);
  EXPECT_EQ(metric("ssd1b_pictures_refused_total{code=\"queue_full\"}"), 23);
  EXPECT_TRUE(eventually([&] { return ended("succeeded") == 7; }));
  expect_balanced_books();
}

TEST_F(DispatcherTest, WithoutAQueueNoneWaits) {
  options.queue_size = 0;
  variables.set("SSD1B_FAKE_MAX_PICTURES", "2");
  start_ready();

  const auto first = submit("delay=100ms", 1, 2);
  const auto second = submit("delay=100ms", 2, 2);

  EXPECT_THROW(submit("a red apple", 3), Refusal);
  expect_right_picture(*first);
  expect_right_picture(*second);
  expect_right_picture(*submit("a red apple", 3));
}

TEST_F(DispatcherTest, RefusesForGoodWhatCouldNeverBeHeldTogether) {
  options.queue_size = 1;
  variables.set("SSD1B_FAKE_MAX_PICTURES", "2");
  start_ready();
  const std::vector<GenerationRequest> three(3, request("a red apple"));
  const std::vector<GenerationRequest> four(4, request("a red apple"));

  EXPECT_EQ(dispatcher->submit(three, ticket()).size(), 3u);
  JobTicket of_openai = ticket();
  of_openai.count_field = "n";
  for (const JobTicket& each : {ticket(), of_openai}) {
    try {
      dispatcher->submit(four, each);
      FAIL() << "it was accepted";
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), ErrorCode::InvalidValue);
      EXPECT_EQ(error.param(), each.count_field);
      EXPECT_EQ(std::string(error.what()).rfind(each.count_field + " must be at most 3", 0), 0u);
    }
  }
}

TEST_F(DispatcherTest, RefusesAtOnceWhoseWaitIsLongerThanItsTimeout) {
  variables.set("SSD1B_FAKE_MAX_PICTURES", "1");
  start_ready();
  expect_right_picture(*submit("delay=50ms", 1, 4));  // from this one the speed is known
  const auto running = submit("delay=50ms", 2, 40);   // two seconds

  try {
    dispatcher->submit({request("a red apple", 3)}, ticket("", milliseconds(500)));
    FAIL() << "it was accepted";
  } catch (const Refusal& refusal) {
    EXPECT_EQ(refusal.code(), ErrorCode::DeadlineExceeded);
    EXPECT_GE(refusal.retry_after_s(), 1);
    EXPECT_LE(refusal.retry_after_s(), 3);
  }
  expect_right_picture(*running);
  expect_balanced_books();
}

TEST_F(DispatcherTest, ALightClientIsNotHeldUpByOneThatFloods) {
  variables.set("SSD1B_FAKE_MAX_PICTURES", "1");
  start_ready();
  std::vector<std::shared_ptr<Job>> flood;
  for (int i = 0; i < 40; ++i) {
    flood.push_back(dispatcher->submit({request("delay=5ms", i, 2)}, ticket("floods")).front());
  }

  const auto light = dispatcher->submit({request("delay=5ms", 99, 2)}, ticket("light")).front();
  expect_right_picture(*light);

  // It waited for the one that ran and for at most one more.
  EXPECT_LE(ended("succeeded"), 4);
  for (const auto& job : flood) expect_right_picture(*job);
}

TEST_F(DispatcherTest, DrainingFinishesWhatWasAcceptedAndRefusesTheRest) {
  start_ready();
  std::vector<std::shared_ptr<Job>> jobs;
  for (int i = 0; i < 10; ++i) jobs.push_back(submit("delay=5ms", i));

  dispatcher->announce_drain();
  EXPECT_FALSE(dispatcher->state().ready);
  jobs.push_back(submit("while draining is announced", 99));
  dispatcher->drain(Clock::now() + seconds(30));

  for (const auto& job : jobs) expect_right_picture(*job, milliseconds(500));
  try {
    submit("a red apple");
    FAIL() << "it was accepted";
  } catch (const Refusal& refusal) {
    EXPECT_EQ(refusal.code(), ErrorCode::ShuttingDown);
  }
  expect_balanced_books();
}

TEST_F(DispatcherTest, ADrainThatTakesTooLongEndsTheRest) {
  start_ready();
  const auto job = submit("delay=50ms", 1, 150);
  const auto start_time = Clock::now();

  dispatcher->drain(Clock::now() + milliseconds(100));

  EXPECT_LT(Clock::now() - start_time, milliseconds(400));
  EXPECT_EQ(fault_of(*job).code, ErrorCode::ShuttingDown);
  EXPECT_EQ(ended("refused_at_shutdown"), 1);
  expect_balanced_books();
}

TEST_F(DispatcherTest, ItsEndEndsWhatStillWaits) {
  start_ready();
  const auto job = submit("delay=50ms", 1, 150);

  dispatcher.reset();

  EXPECT_EQ(fault_of(*job, milliseconds(10)).code, ErrorCode::ShuttingDown);
  expect_balanced_books();
}

TEST_F(DispatcherTest, SaysWhereAPictureIs) {
  variables.set("SSD1B_FAKE_MAX_PICTURES", "1");
  start_ready();
  expect_right_picture(*submit("delay=20ms", 1, 4));
  const auto running = submit("delay=20ms", 2, 50);
  const auto first = submit("delay=20ms", 3, 4);
  const auto second = submit("delay=20ms", 4, 4);
  ASSERT_TRUE(eventually([&] { return running->status().state == JobState::Running; }));

  const auto first_place = dispatcher->place_of(*first);
  const auto second_place = dispatcher->place_of(*second);

  ASSERT_TRUE(first_place && second_place);
  EXPECT_EQ(first_place->position, 0);
  EXPECT_EQ(second_place->position, 1);
  EXPECT_GT(first_place->eta_ms, 500);
  EXPECT_GT(second_place->eta_ms, first_place->eta_ms);
  EXPECT_LT(second_place->eta_ms, 3000);
  expect_right_picture(*second);
  EXPECT_FALSE(dispatcher->place_of(*second));
}

}  // namespace
}  // namespace ssd1b
