#include "service/routes/routes.h"

#include <gtest/gtest.h>

#include <set>
#include <string>

#include "routes/test_service.h"
#include "service/routes/openapi.h"
#include "service/routes/picture_reply.h"

namespace ssd1b {
namespace {

std::string lower(std::string text) {
  for (char& c : text) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  return text;
}

/// A pattern as OpenAPI writes it: {name...} is {name}.
std::string path_of(std::string pattern) {
  const std::size_t dots = pattern.find("...");
  if (dots != std::string::npos) pattern.erase(dots, 3);
  return pattern;
}

TEST(Routes, TheOpenApiDocumentHasEachRouteAndNoOther) {
  TestService service;
  std::set<std::string> routes;
  for (const Route& route : all_routes(service.shared())) {
    routes.insert(lower(route.method) + " " + path_of(route.pattern));
  }

  std::set<std::string> documented;
  const Json document = openapi_document(service.get().rules(), nullptr);
  for (const auto& [path, operations] : document["paths"].items()) {
    for (const auto& [method, operation] : operations.items()) {
      documented.insert(method + " " + path);
    }
  }

  EXPECT_EQ(documented, routes);
}

TEST(Routes, EachOperationListsWhatTheEdgeMayAnswerForIt) {
  TestService service;
  const Json document = openapi_document(service.get().rules(), nullptr);

  for (const Route& route : all_routes(service.shared())) {
    const std::string method = lower(route.method);
    const Json& responses = document["paths"][path_of(route.pattern)][method]["responses"];
    for (const char* status : {"400", "408", "414", "415", "417", "431", "503", "505"}) {
      EXPECT_TRUE(responses.contains(status)) << status << method << route.pattern;
    }
    for (const char* status : {"401", "429"}) {
      EXPECT_EQ(responses.contains(status), route.needs_key) << status << method << route.pattern;
    }
    EXPECT_EQ(responses.contains("413"), method != "get") << method << route.pattern;
  }
}

TEST(Routes, TheDocumentTellsOfClientsThatCloseTheirSendingSide) {
  TestService service;
  const Json document = openapi_document(service.get().rules(), nullptr);

  for (const char* path :
       {"/generate-image", "/v1/images/generations", "/", "/models/{name}", "/v1/ssd-1b"}) {
    EXPECT_TRUE(document["paths"][path]["post"]["responses"].contains("499")) << path;
  }
  EXPECT_FALSE(document["paths"]["/v1/jobs"]["post"]["responses"].contains("499"));
}

TEST(Routes, OnlyThePageHealthAndTheDocumentNeedNoKey) {
  TestService service;

  std::set<std::string> open;
  for (const Route& route : all_routes(service.shared())) {
    if (!route.needs_key) open.insert(route.method + " " + route.pattern);
  }

  EXPECT_EQ(open, (std::set<std::string>{"GET /", "GET /healthz", "GET /ping", "GET /readyz",
                                         "GET /health", "GET /openapi.json"}));
}

TEST(Routes, RequestsForPicturesBeforeTheModelIsLoadedSayWhenToComeBack) {
  TestService service(TestService::Worker::NeverReady);

  const HttpReply reply = service.call("POST", "/generate-image", R"({"prompt": "a"})");

  EXPECT_EQ(reply.status, 503);
  EXPECT_EQ(parse_json(reply.body)["error"]["code"], "not_ready");
  EXPECT_GE(std::stoi(header_of(reply, "Retry-After")), 1);
}

TEST(Routes, APictureWithAllHeaders) {
  TestService service;
  service.wait_until_ready();

  const HttpReply reply =
      service.call("POST", "/generate-image", R"({"prompt": "a b", "seed": 7})");

  EXPECT_EQ(reply.status, 200) << reply.body;
  EXPECT_EQ(reply.content_type, "image/png");
  EXPECT_EQ(reply.body.substr(1, 3), "PNG");
  EXPECT_EQ(header_of(reply, "X-Seed"), "7");
  EXPECT_EQ(header_of(reply, "X-Prompt-Tokens"), "4/77");
  EXPECT_EQ(header_of(reply, "X-Warning"), "");
}

TEST(Routes, EveryStageOfAPictureIsMeasured) {
  TestService service;
  service.wait_until_ready();

  service.call("POST", "/generate-image",
               R"({"prompt": "a", "num_images": 2,)"
               R"( "response_format": "b64_json"})");

  for (const char* stage : {"queue", "text_encoder", "denoise", "vae", "encode"}) {
    const std::string series = std::string("ssd1b_stage_seconds_count{stage=\"") + stage + "\"} 2";
    EXPECT_NE(service.get().metrics().text().find(series), std::string::npos) << series;
  }
}

TEST(Routes, AClientThatIsGoneEndsItsPictures) {
  TestService service;
  service.wait_until_ready();
  SentRequest request =
      service.request("POST", "/generate-image", R"({"prompt": "delay=50ms", "steps": 100})");
  const auto gone_at = Clock::now() + std::chrono::milliseconds(200);
  request.is_client_gone = [gone_at] { return Clock::now() >= gone_at; };

  EXPECT_THROW(service.call(request), Error);

  EXPECT_LT(Clock::now() - gone_at, std::chrono::milliseconds(150));
  service.wait_for_metric("ssd1b_cancelled_total{state=\"running\"} 1");
}

TEST(PictureReply, EncodesNothingThatNobodyWaitsForAnyMore) {
  TestService service(TestService::Worker::NeverReady);
  ImageRequest wanted;
  wanted.pictures.resize(1);
  wanted.timeout = std::chrono::seconds(60);
  const auto encode = [&](ReplyTo kind, const HttpRequest& http) {
    std::vector<GeneratedImage> pictures(1);
    pictures.front().image = {1, 1, {7, 8, 9}};
    try {
      picture_reply(service.get(), native_dialect(), wanted, pictures, kind, http);
    } catch (const Error& error) {
      return std::string(name_of(error.code()));
    }
    return std::string("encoded");
  };
  const HttpRequest in_time = service.request("POST", "/generate-image");
  HttpRequest late = in_time;
  late.arrived_at -= wanted.timeout;
  HttpRequest gone = in_time;
  gone.is_client_gone = [] { return true; };

  EXPECT_EQ(encode(ReplyTo::PictureRequest, in_time), "encoded");
  EXPECT_EQ(encode(ReplyTo::PictureRequest, late), "deadline_exceeded");
  EXPECT_EQ(encode(ReplyTo::PictureRequest, gone), name_of(ErrorCode::Cancelled));
  EXPECT_EQ(encode(ReplyTo::JobRequest, late), "encoded") << "the time is that of its making";
}

TEST(Routes, ADeadlineThatPassesIsThatFault) {
  TestService service;
  service.wait_until_ready();

  try {
    service.call("POST", "/generate-image",
                 R"({"prompt": "delay=50ms", "steps": 100, "timeout_ms": 300})");
    FAIL() << "no error";
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::DeadlineExceeded);
  }
}

}  // namespace
}  // namespace ssd1b
