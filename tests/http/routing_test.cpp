#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "service/http/cors.h"
#include "service/http/http.h"
#include "service/http/request_id.h"
#include "service/http/router.h"

namespace ssd1b {
namespace {

Route route(const std::string& method, const std::string& pattern) {
  return {method, pattern, [](const HttpRequest&) { return HttpReply(); }};
}

std::string pattern_of(const Router& router, const std::string& method, const std::string& path) {
  const RouteMatch match = router.match(method, path);
  if (match.route == nullptr) return "none; allowed: " + match.allowed;
  std::string text = match.route->method + " " + match.route->pattern;
  for (const std::string& parameter : match.path_parameters) text += " <" + parameter + ">";
  return text;
}

TEST(Router, FindsTheRouteOfAPath) {
  const Router router({route("GET", "/"), route("POST", "/"), route("GET", "/v1/jobs/{id}"),
                       route("DELETE", "/v1/jobs/{id}"), route("GET", "/v1/jobs/{id}/image"),
                       route("POST", "/models/{name...}")});

  EXPECT_EQ(pattern_of(router, "GET", "/"), "GET /");
  EXPECT_EQ(pattern_of(router, "HEAD", "/"), "GET /");
  EXPECT_EQ(pattern_of(router, "POST", "/"), "POST /");
  EXPECT_EQ(pattern_of(router, "GET", "/v1/jobs/7"), "GET /v1/jobs/{id} <7>");
  EXPECT_EQ(pattern_of(router, "GET", "/v1/jobs/7/image"), "GET /v1/jobs/{id}/image <7>");
  EXPECT_EQ(pattern_of(router, "POST", "/models/a/b"), "POST /models/{name...} <a/b>");
}

TEST(Router, TellsWhatAPathAllows) {
  const Router router({route("GET", "/a"), route("POST", "/a"), route("DELETE", "/b/{id}")});

  EXPECT_EQ(pattern_of(router, "PUT", "/a"), "none; allowed: GET, HEAD, POST");
  EXPECT_EQ(pattern_of(router, "GET", "/b/1"), "none; allowed: DELETE");
  for (const char* path : {"/A", "/a/", "//a", "/b", "/b/", "/b/1/2", "/c", "*", ""}) {
    EXPECT_EQ(pattern_of(router, "GET", path), "none; allowed: ") << path;
  }
}

TEST(Router, RefusesPatternsThatAreNone) {
  for (const char* pattern : {"", "a", "/{", "/{a", "/a}", "/{a{b}}"}) {
    EXPECT_THROW(Router({route("GET", pattern)}), Error) << pattern;
  }
  EXPECT_THROW(Router({{"GET", "/", nullptr}}), Error);
}

TEST(ErrorReply, HasTheOneShape) {
  const HttpReply reply =
      error_reply(Error(ErrorCode::InvalidValue, "width must be even", "width"), "id-1");
  const auto error = nlohmann::json::parse(reply.body).at("error");

  EXPECT_EQ(reply.status, 400);
  EXPECT_EQ(reply.content_type, "application/json");
  EXPECT_EQ(error, (nlohmann::json{{"message", "width must be even"},
                                   {"type", "invalid_request_error"},
                                   {"param", "width"},
                                   {"code", "invalid_value"},
                                   {"request_id", "id-1"}}));
}

TEST(ErrorReply, CarriesTheHeadersOfItsCode) {
  using Headers = std::vector<std::pair<std::string, std::string>>;

  EXPECT_EQ(error_reply(Error(ErrorCode::InvalidApiKey, "x"), "").headers,
            (Headers{{"WWW-Authenticate", "Bearer"}}));
  EXPECT_EQ(error_reply(Error(ErrorCode::QueueFull, "x"), "", 7).headers,
            (Headers{{"Retry-After", "7"}}));
  EXPECT_EQ(error_reply(Error(ErrorCode::NotReady, "x"), "", 0).headers,
            (Headers{{"Retry-After", "1"}}));
  EXPECT_TRUE(error_reply(Error(ErrorCode::DeadlineExceeded, "x"), "").headers.empty());
}

TEST(ErrorReply, SaysNothingOfFaultsOfOurs) {
  const HttpReply reply = error_reply(Error(ErrorCode::SystemRefused, "/etc/x is closed"), "");

  EXPECT_EQ(reply.status, 500);
  EXPECT_EQ(reply.body.find("/etc"), std::string::npos);
  EXPECT_EQ(nlohmann::json::parse(reply.body).at("error").at("code"), "internal_error");
}

TEST(ErrorReply, SurvivesBytesThatAreNoText) {
  const HttpReply reply = error_reply(Error(ErrorCode::InvalidValue, "got \xff\xfe"), "");

  EXPECT_TRUE(nlohmann::json::accept(reply.body));
}

TEST(RequestId, IsTheClientsWhereItIsWellFormed) {
  const std::string longest(64, 'a');

  EXPECT_EQ(request_id_of({{"x-request-id", "A.b_c-9"}}), "A.b_c-9");
  EXPECT_EQ(request_id_of({{"X-Request-ID", longest}}), longest);
  for (const std::string& bad : {std::string(), longest + "a", std::string("a b"),
                                 std::string("a\"b"), std::string("a/b")}) {
    EXPECT_EQ(request_id_of({{"X-Request-Id", bad}}).size(), 32u) << bad;
  }
  EXPECT_NE(request_id_of({}), request_id_of({}));
}

TEST(RequestId, PassesOnATraceparentOnly) {
  const std::string good = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

  EXPECT_EQ(traceparent_of({{"Traceparent", good}}), good);
  EXPECT_EQ(traceparent_of({{"traceparent", good + "0"}}), "");
  EXPECT_EQ(
      traceparent_of({{"traceparent", "00-4BF92f3577b34da6a3ce929d0e0e4736" + good.substr(35)}}),
      "");
  EXPECT_EQ(traceparent_of({}), "");
}

TEST(Cors, AllowsExactOriginsOnly) {
  const Cors cors({"https://a.example", "http://localhost:3000"});

  const Fields good = cors.headers_for({{"Origin", "https://a.example"}});
  ASSERT_NE(find_field(good, "access-control-allow-origin"), nullptr);
  EXPECT_EQ(*find_field(good, "access-control-allow-origin"), "https://a.example");
  for (const char* other : {"https://a.example:443", "http://a.example", "https://b.a.example",
                            "https://A.example", "null", "*", ""}) {
    const Fields headers = cors.headers_for({{"Origin", other}});
    EXPECT_EQ(headers, (Fields{{"Vary", "Origin"}})) << other;
  }
  EXPECT_TRUE(Cors({}).headers_for({{"Origin", "https://a.example"}}).empty());
}

TEST(Cors, LetsAllowedOriginsSendAnyHeader) {
  const Cors cors({"https://a.example"});
  const auto allowed_headers = [&](const std::string& origin) -> std::string {
    const Fields headers = cors.preflight_headers_for({{"Origin", origin}}, "GET, HEAD");
    EXPECT_EQ(find_field(headers, "access-control-allow-credentials"), nullptr);
    const std::string* value = find_field(headers, "access-control-allow-headers");
    return value != nullptr ? *value : "";
  };

  EXPECT_EQ(allowed_headers("https://a.example"), "*, Authorization");
  EXPECT_EQ(allowed_headers("https://b.example"), "");
}

}  // namespace
}  // namespace ssd1b
