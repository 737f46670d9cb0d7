// Requests whose reply is a stream of events.
#include <gtest/gtest.h>

#include <chrono>
#include <sstream>
#include <string>
#include <utility>
#include <vector>

#include "routes/test_service.h"
#include "service/dialects/json_text.h"

namespace ssd1b {
namespace {

/// What an event stream's reply writes until it ends.
std::string written(const HttpReply& reply) {
  std::string text;
  reply.stream([&](const std::string& piece) {
    text += piece;
    return true;
  });
  return text;
}

/// The names of its events, and the data of its last one.
std::pair<std::vector<std::string>, Json> events_in(const std::string& text) {
  std::vector<std::string> names;
  std::istringstream lines(text);
  std::string last;
  for (std::string line; std::getline(lines, line);) {
    if (line.rfind("event: ", 0) == 0) names.push_back(line.substr(7));
    if (line.rfind("data: ", 0) == 0) last = line.substr(6);
  }
  return {names, parse_json(last)};
}

TEST(StreamedPicture, EndsWithThePictureOfTheSameRequestWithoutAStream) {
  TestService service;
  service.wait_until_ready();
  const std::string fields = R"("prompt": "a b", "seed": 7, "num_inference_steps": 8)";
  const HttpReply plain = service.call("POST", "/v1/images/generations", "{" + fields + "}");

  const HttpReply reply = service.call("POST", "/v1/images/generations",
                                       "{" + fields + R"(, "stream": true, "partial_images": 2})");

  EXPECT_EQ(reply.content_type, "text/event-stream");
  EXPECT_EQ(header_of(reply, "X-Seed"), "7");
  const auto [names, last] = events_in(written(reply));
  EXPECT_EQ(names, (std::vector<std::string>{"image_generation.partial_image",
                                             "image_generation.partial_image",
                                             "image_generation.completed"}));
  EXPECT_EQ(last["b64_json"], parse_json(plain.body)["data"][0]["b64_json"]);
  EXPECT_EQ(last["type"], names.back());
  EXPECT_EQ(last["usage"]["input_tokens"], 4);
}

TEST(StreamedPicture, AFaultOnTheWayIsAnEvent) {
  TestService service;
  service.wait_until_ready();

  const HttpReply reply = service.call("POST", "/v1/images/generations",
                                       R"({"prompt": "nan@2", "seed": 7, "stream": true})");

  EXPECT_EQ(reply.status, 200);
  const auto [names, last] = events_in(written(reply));
  EXPECT_EQ(names, (std::vector<std::string>{"error"}));
  EXPECT_EQ(last["error"]["code"], "non_finite_output");
}

TEST(StreamedPicture, WhatIsRefusedAtOnceHasItsStatus) {
  TestService service(TestService::Worker::NeverReady);

  const HttpReply reply =
      service.call("POST", "/v1/images/generations", R"({"prompt": "a", "stream": true})");

  EXPECT_EQ(reply.status, 503);
  EXPECT_FALSE(reply.stream);
}

TEST(StreamedPicture, IsCancelledWithItsClient) {
  TestService service;
  service.wait_until_ready();
  SentRequest request =
      service.request("POST", "/v1/images/generations",
                      R"({"prompt": "delay=50ms", "num_inference_steps": 100, "stream": true})");
  const auto gone_at = Clock::now() + std::chrono::milliseconds(200);
  request.is_client_gone = [gone_at] { return Clock::now() >= gone_at; };

  written(service.call(request));

  EXPECT_LT(Clock::now() - gone_at, std::chrono::milliseconds(150));
  service.wait_for_metric("ssd1b_cancelled_total{state=\"running\"} 1");
}

TEST(StreamedPicture, IsCancelledWhereItsReplyIsNeverBegun) {
  TestService service;
  service.wait_until_ready();
  SentRequest request =
      service.request("POST", "/v1/images/generations",
                      R"({"prompt": "delay=20ms", "num_inference_steps": 150, "stream": true})");
  const std::weak_ptr<void> place = request.key_place = std::make_shared<int>();

  HttpReply reply = service.call(request);
  request.key_place.reset();
  EXPECT_TRUE(place.expired()) << "the edge's is the only one";
  reply.stream = nullptr;

  service.wait_for_metric("ssd1b_pictures_ended_total{outcome=\"cancelled\"} 1");
}

TEST(StreamedPicture, IsCancelledWhereNothingCanBeWritten) {
  TestService service;
  service.wait_until_ready();
  const HttpReply reply =
      service.call("POST", "/v1/images/generations",
                   R"({"prompt": "delay=20ms", "num_inference_steps": 150, "stream": true,)"
                   R"( "partial_images": 3})");

  reply.stream([](const std::string&) { return false; });

  service.wait_for_metric("ssd1b_cancelled_total{state=\"running\"} 1");
}

}  // namespace
}  // namespace ssd1b
