#include <gtest/gtest.h>

#include <future>
#include <string>
#include <thread>

#include "routes/test_service.h"
#include "service/dialects/json_text.h"
#include "service/routes/running_requests.h"

namespace ssd1b {
namespace {

Json json_of(const HttpReply& reply) { return parse_json(reply.body); }

/// A request that is being answered on a thread of its own.
std::future<HttpReply> ask(const TestService& service, const std::string& client,
                           const std::string& body) {
  return std::async(std::launch::async, [&service, client, body] {
    SentRequest request = service.request("POST", "/sdapi/v1/txt2img", body);
    request.client = client;
    return service.call(request);
  });
}

Json call_as(const TestService& service, const std::string& client, const std::string& method,
             const std::string& path) {
  SentRequest request = service.request(method, "/sdapi/v1/" + path);
  request.client = client;
  return json_of(service.call(request));
}

void wait_for_step(const TestService& service, const std::string& client, int step) {
  const auto until = Clock::now() + std::chrono::seconds(30);
  while (call_as(service, client, "GET", "progress")["state"]["sampling_step"] < step) {
    ASSERT_LT(Clock::now(), until);
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
  }
}

constexpr const char* kLong = R"({"prompt": "delay=10ms", "steps": 100, "seed": 1})";

TEST(Automatic1111Routes, InterruptEndsTheCallersPicturesAlone) {
  TestService service;
  service.wait_until_ready();
  auto anns = ask(service, "ann", kLong);
  wait_for_step(service, "ann", 2);
  auto bobs = ask(service, "bob", R"({"prompt": "delay=10ms", "steps": 60, "seed": 2})");
  wait_for_step(service, "bob", 2);

  EXPECT_EQ(call_as(service, "ann", "POST", "interrupt"), Json::object());
  const Json state = call_as(service, "bob", "GET", "progress")["state"];

  EXPECT_EQ(state["job_count"], 1);
  EXPECT_EQ(state["interrupted"], false);
  const Json ann = json_of(anns.get());
  ASSERT_EQ(ann["images"].size(), 1u);
  EXPECT_EQ(json_of(bobs.get())["images"].size(), 1u);
  const Json whole = json_of(service.call("POST", "/sdapi/v1/txt2img", kLong));
  EXPECT_NE(ann["images"], whole["images"]);
}

TEST(Automatic1111Routes, WhatAnInterruptFindsWaitingIsLeftOut) {
  TestService service;
  service.wait_until_ready();
  auto other = ask(service, "bob", R"({"prompt": "delay=5ms", "steps": 100, "batch_size": 4})");
  wait_for_step(service, "bob", 1);
  auto request = ask(service, "ann", R"({"prompt": "p", "batch_size": 8})");
  while (call_as(service, "ann", "GET", "progress")["state"]["job_count"] == 0) {
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
  }

  call_as(service, "ann", "POST", "interrupt");

  const HttpReply reply = request.get();
  EXPECT_EQ(reply.status, 200);
  EXPECT_EQ(json_of(reply)["images"], Json::array());
  const Json info = parse_json(json_of(reply)["info"].get<std::string>());
  EXPECT_EQ(info["all_seeds"], Json::array());
  EXPECT_EQ(info["prompt"], "p");
  EXPECT_EQ(json_of(other.get())["images"].size(), 4u);
}

TEST(Automatic1111Routes, SkipLeavesWhatWaits) {
  TestService service;
  service.wait_until_ready();
  auto request =
      ask(service, "", R"({"prompt": "delay=5ms", "steps": 60, "batch_size": 6, "seed": 1})");
  wait_for_step(service, "", 2);

  EXPECT_EQ(call_as(service, "", "POST", "skip"), nullptr);
  EXPECT_EQ(call_as(service, "", "GET", "progress")["state"]["skipped"], true);

  const Json reply = json_of(request.get());
  ASSERT_EQ(reply["images"].size(), 6u);
  const Json whole =
      json_of(service.call("POST", "/sdapi/v1/txt2img",
                           R"({"prompt": "delay=5ms", "steps": 60, "batch_size": 6, "seed": 1})"));
  EXPECT_NE(reply["images"][0], whole["images"][0]);
  EXPECT_EQ(reply["images"][5], whole["images"][5]);
}

TEST(Automatic1111Routes, AFailedPictureFailsTheRequest) {
  TestService service;
  service.wait_until_ready();

  EXPECT_THROW(
      service.call("POST", "/sdapi/v1/txt2img", R"({"prompt": "fail@1", "batch_size": 2})"), Error);
  EXPECT_EQ(call_as(service, "", "GET", "progress")["state"]["job_count"], 0);
}

TEST(Automatic1111Routes, AClientThatIsGoneEndsItsPictures) {
  TestService service;
  service.wait_until_ready();
  SentRequest request = service.request("POST", "/sdapi/v1/txt2img", kLong);
  const auto gone_at = Clock::now() + std::chrono::milliseconds(200);
  request.is_client_gone = [gone_at] { return Clock::now() >= gone_at; };

  EXPECT_THROW(service.call(request), Error);

  service.wait_for_metric("ssd1b_cancelled_total{state=\"running\"} 1");
  EXPECT_EQ(call_as(service, "", "GET", "progress")["progress"], 0.0);
}

TEST(Automatic1111Routes, OptionsMayBeSetToWhatTheyAre) {
  TestService service;
  const std::string options = service.call("GET", "/sdapi/v1/options").body;

  EXPECT_EQ(service.call("POST", "/sdapi/v1/options", options).body, "null");
  for (const char* body :
       {"{}", R"({"CLIP_stop_at_last_layers": 2, "sd_vae": "None", "outdir_samples": "/tmp"})",
        R"({"sd_model_checkpoint": "icons [31e35c80fc]", "eta_ancestral": 1})"}) {
    EXPECT_EQ(service.call("POST", "/sdapi/v1/options", body).body, "null") << body;
  }
  const struct {
    const char* body;
    ErrorCode code;
    const char* param;
  } cases[] = {
      {R"({"sd_model_checkpoint": "other"})", ErrorCode::ModelNotFound, "sd_model_checkpoint"},
      {R"({"sd_model_checkpoint": 1})", ErrorCode::NotSupported, "sd_model_checkpoint"},
      {R"({"samples_format": "webp"})", ErrorCode::NotSupported, "samples_format"},
      {R"({"CLIP_stop_at_last_layers": 3})", ErrorCode::NotSupported, "CLIP_stop_at_last_layers"},
      {R"({"tiling": true})", ErrorCode::NotSupported, "tiling"},
      {R"([])", ErrorCode::InvalidValue, ""}};
  for (const auto& each : cases) {
    try {
      service.call("POST", "/sdapi/v1/options", each.body);
      ADD_FAILURE() << each.body << " was taken";
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), each.code) << each.body;
      EXPECT_EQ(error.param(), each.param) << each.body;
    }
  }
}

TEST(Automatic1111Routes, BeforeTheModelIsLoadedNobodyKnowsItsSamplers) {
  TestService service(TestService::Worker::NeverReady);

  for (const char* path : {"/sdapi/v1/samplers", "/sdapi/v1/schedulers"}) {
    EXPECT_EQ(service.call("GET", path).status, 503) << path;
  }
  EXPECT_EQ(service.call("GET", "/sdapi/v1/sd-models").status, 200);
}

}  // namespace
}  // namespace ssd1b
