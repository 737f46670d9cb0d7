#include <gtest/gtest.h>

#include <chrono>
#include <memory>
#include <string>
#include <vector>

#include "routes/test_service.h"
#include "service/dialects/json_text.h"
#include "service/routes/job_store.h"

namespace ssd1b {
namespace {

ImageRequest one_picture() {
  ImageRequest request;
  request.pictures.resize(1);
  return request;
}

/// A job in a store, and its picture, which no worker makes.
struct JobOfOnePicture {
  TestService service{TestService::Worker::NeverReady};
  JobStore store{service.get().dispatcher(), service.get().metrics()};
  std::shared_ptr<TrackedJob> job = store.add("", one_picture());
  std::shared_ptr<Job> picture = std::make_shared<Job>(1, GenerationRequest(), JobTicket());

  JobOfOnePicture() { job->follow({picture}); }
};

TEST(JobStore, AnotherClientsJobIsNotThere) {
  TestService service(TestService::Worker::NeverReady);
  JobStore store(service.get().dispatcher(), service.get().metrics());
  const std::string id = store.add("anna", one_picture())->id();

  EXPECT_EQ(store.find(id, "anna")->id(), id);
  EXPECT_THROW(store.find(id, "bert"), Error);
}

TEST(JobStore, HoldsAtMost256AndRefusesWhileNoneHasEnded) {
  TestService service(TestService::Worker::NeverReady);
  JobStore store(service.get().dispatcher(), service.get().metrics());
  std::vector<std::shared_ptr<TrackedJob>> jobs;
  for (int i = 0; i < 256; ++i) jobs.push_back(store.add("", one_picture()));
  EXPECT_THROW(store.add("", one_picture()), Refusal);

  const auto picture = std::make_shared<Job>(1, GenerationRequest(), JobTicket());
  jobs[100]->follow({picture});
  picture->cancel({ErrorCode::Cancelled, "enough", 0});
  const auto added = store.add("", one_picture());
  EXPECT_NO_THROW(store.find(jobs[100]->id(), "")) << "the new one may be refused yet";
  store.make_room_for(*added);

  EXPECT_THROW(store.find(jobs[100]->id(), ""), Error);
  EXPECT_NO_THROW(store.find(jobs[0]->id(), ""));
  EXPECT_NO_THROW(store.find(added->id(), ""));
}

TEST(JobStore, ForgetsAlsoWhenNobodyAsks) {
  TestService service(TestService::Worker::NeverReady);
  JobStore store(service.get().dispatcher(), service.get().metrics(),
                 /*kept_after_end=*/std::chrono::milliseconds(0));
  std::shared_ptr<TrackedJob> job = store.add("", one_picture());
  const std::weak_ptr<TrackedJob> kept = job;
  const auto picture = std::make_shared<Job>(1, GenerationRequest(), JobTicket());
  job->follow({picture});
  job.reset();
  store.forget_old();
  EXPECT_FALSE(kept.expired()) << "it has not ended";

  picture->cancel({ErrorCode::Cancelled, "enough", 0});
  store.forget_old();

  EXPECT_TRUE(kept.expired());
}

TEST(JobStore, HoldsAtMostAGibibyteOfPictures) {
  TestService service(TestService::Worker::NeverReady);
  JobStore store(service.get().dispatcher(), service.get().metrics());
  ImageRequest large = one_picture();
  large.pictures.front().width_px = large.pictures.front().height_px = 2048;
  large.pictures.resize(8, large.pictures.front());  // 96 MiB
  std::vector<std::shared_ptr<TrackedJob>> jobs;
  for (int i = 0; i < 10; ++i) jobs.push_back(store.add("", large));
  EXPECT_THROW(store.add("", large), Refusal);
  EXPECT_NO_THROW(store.add("", one_picture())) << "there is room for a small one";
  ImageRequest with_previews = one_picture();
  with_previews.pictures.front() = large.pictures.front();  // 12 MiB
  EXPECT_NO_THROW(store.remove(store.add("", with_previews)->id()));
  with_previews.pictures.resize(2, with_previews.pictures.front());
  with_previews.pictures.front().previews = with_previews.pictures.back().previews = 3;  // 96 MiB
  EXPECT_THROW(store.add("", with_previews), Refusal) << "previews take room too";

  const auto picture = std::make_shared<Job>(1, GenerationRequest(), JobTicket());
  jobs[3]->follow({picture});
  picture->cancel({ErrorCode::Cancelled, "enough", 0});

  store.make_room_for(*store.add("", large));

  EXPECT_THROW(store.find(jobs[3]->id(), ""), Error);
}

TEST(JobStore, ARefusedJobCostsNoEndedOne) {
  TestService service;
  service.wait_until_ready();
  const HttpReply posted = service.call("POST", "/v1/jobs", R"({"prompt": "a"})");
  const std::string ended = header_of(posted, "Location");
  service.wait_for_metric("ssd1b_pictures_ended_total{outcome=\"succeeded\"} 1");
  for (int i = 0; i < 255; ++i) service.get().jobs().add("", one_picture());
  SentRequest late = service.request("POST", "/v1/jobs", R"({"prompt": "a", "timeout_ms": 1})");
  late.arrived_at -= std::chrono::seconds(1);

  EXPECT_EQ(service.call(late).status, 504);
  EXPECT_EQ(service.call("GET", ended).status, 200) << "it was forgotten for nothing";
  EXPECT_EQ(service.call("POST", "/v1/jobs", R"({"prompt": "a"})").status, 202);
  EXPECT_THROW(service.call("GET", ended), Error) << "now it made room";
}

TEST(JobStore, CountsWhatItRefuses) {
  TestService service(TestService::Worker::NeverReady);
  for (int i = 0; i < 256; ++i) service.get().jobs().add("", one_picture());

  EXPECT_THROW(service.get().jobs().add("", one_picture()), Refusal);

  const std::string series = "ssd1b_pictures_refused_total{code=\"queue_full\"} 1";
  EXPECT_NE(service.get().metrics().text().find(series), std::string::npos);
}

TEST(TrackedJob, EventsAreNumberedAndStepsNeverGoBack) {
  const JobOfOnePicture held;
  TrackedJob* job = held.job.get();
  Job* picture = held.picture.get();
  picture->start();
  picture->progress(1, 3);
  picture->progress(2, 3);
  picture->start();  // its worker died: it is made again
  picture->progress(1, 3);
  picture->progress(3, 3);
  picture->succeed(GeneratedImage());

  std::vector<std::string> names;
  int last_step = 0;
  const std::vector<JobEvent> events = job->events_after(0, Clock::now());
  for (std::size_t i = 0; i < events.size(); ++i) {
    EXPECT_EQ(events[i].id, i + 1);
    names.push_back(events[i].name);
    if (events[i].name != "step") continue;
    const int step = parse_json(events[i].data)["step"];
    EXPECT_GT(step, last_step);
    last_step = step;
  }

  EXPECT_EQ(names, (std::vector<std::string>{"queued", "step", "step", "step", "succeeded"}));
  EXPECT_EQ(job->document()["status"], "succeeded");
  EXPECT_EQ(job->events_after(3, Clock::now()).size(), 2u);
  EXPECT_TRUE(job->events_after(5, Clock::now()).empty());
}

TEST(TrackedJob, ShowsEachPreviewOnce) {
  const JobOfOnePicture held;
  held.picture->start();
  held.picture->progress(1, 3);
  held.picture->preview({{1, 1, {7, 8, 9}}, 1, 3});
  held.picture->preview({{1, 1, {7, 8, 9}}, 1, 3});  // made again
  held.picture->progress(2, 3);

  const std::vector<JobEvent> events = held.job->events_after(1, Clock::now());
  ASSERT_EQ(events.size(), 3u);
  EXPECT_EQ(events[1].name, "preview");
  EXPECT_EQ(events[1].id, 3u);
  ASSERT_NE(events[1].preview, nullptr);
  EXPECT_EQ(events[1].preview->index, 0u);
  EXPECT_EQ(events[1].preview->picture.image.rgb, (std::vector<std::uint8_t>{7, 8, 9}));
}

TEST(TrackedJob, SeveralPicturesAreOneJob) {
  TestService service(TestService::Worker::NeverReady);
  JobStore store(service.get().dispatcher(), service.get().metrics());
  ImageRequest request = one_picture();
  request.pictures.resize(2);
  const auto job = store.add("", request);
  const auto first = std::make_shared<Job>(1, GenerationRequest(), JobTicket());
  const auto second = std::make_shared<Job>(2, GenerationRequest(), JobTicket());
  job->follow({first, second});

  EXPECT_EQ(job->document()["status"], "queued");
  first->start();
  EXPECT_EQ(job->document()["status"], "running");
  first->succeed(GeneratedImage());
  EXPECT_EQ(job->document()["status"], "running");
  second->fail({ErrorCode::NonFiniteOutput, "not finite", 0});
  EXPECT_EQ(job->document()["status"], "failed");
  EXPECT_EQ(job->document()["error"]["code"], "non_finite_output");
}

TEST(TrackedJob, AnAnswerThatFailedIsMadeAgainOfTheSamePictures) {
  const JobOfOnePicture held;
  TrackedJob* job = held.job.get();
  Job* picture = held.picture.get();
  GeneratedImage image;
  image.image = {1, 1, {7, 8, 9}};
  picture->succeed(image);
  int calls = 0;
  const auto make = [&](const std::vector<GeneratedImage>& images) {
    ++calls;
    EXPECT_EQ(images.at(0).image.rgb, image.image.rgb) << "call " << calls;
    if (calls == 1) throw Error(ErrorCode::OutOfMemory, "no memory for a PNG file");
    HttpReply reply;
    reply.body = "made";
    return reply;
  };

  EXPECT_THROW(job->answer(make), Error);
  EXPECT_EQ(job->answer(make).body, "made");
  EXPECT_EQ(job->answer(make).body, "made");

  EXPECT_EQ(calls, 2);
}

TEST(JobEvents, SayInASecondThatTheyGoOn) {
  TestService service;
  service.wait_until_ready();
  const HttpReply posted = service.call("POST", "/v1/jobs", R"({"prompt": "delay=30s"})");
  const std::string job = header_of(posted, "Location");
  const auto began = Clock::now();

  service.call("GET", job + "/events").stream([](const std::string& piece) {
    return piece.rfind(": keep-alive", 0) != 0;  // the listener has gone
  });

  EXPECT_LT(Clock::now() - began, std::chrono::seconds(3));
  service.call("DELETE", job);
}

}  // namespace
}  // namespace ssd1b
