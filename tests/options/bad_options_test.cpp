#include <gmock/gmock.h>

#include "options/options.h"
#include "options/program_input.h"
#include "ssd1b/error.h"

namespace ssd1b {
namespace {

using Words = std::vector<std::string>;
using Variables = std::vector<std::pair<std::string, std::string>>;

struct BadCase {
  Words flags;
  Variables variables;
  std::string config;
  Words message_holds;  // `FILE` stands for the config file
};

template <typename Parse>
std::string message_of(const Parse& parse, const ProgramInput& input) {
  try {
    parse(input.argc(), input.argv());
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::Usage) << error.what();
    EXPECT_EQ(exit_status_of(error.code()), 64);
    return error.what();
  }
  return "was accepted";
}

template <typename Parse>
void expect_refused(const Parse& parse, const BadCase& bad) {
  const ProgramInput input(bad.flags, bad.variables, bad.config);

  const std::string message = message_of(parse, input);

  for (std::string word : bad.message_holds) {
    const std::size_t file = word.find("FILE");
    if (file != std::string::npos) word.replace(file, 4, input.file());
    EXPECT_THAT(message, testing::HasSubstr(word));
  }
  EXPECT_EQ(message.find('\n'), std::string::npos) << "one line: " << message;
  EXPECT_LT(message.size(), 600u) << message;
}

TEST(ServerOptions, RefusesBadFlags) {
  const std::vector<BadCase> cases = {
      {{"--no-such"}, {}, "", {"no option \"--no-such\""}},
      {{"--queue-sice", "5"}, {}, "", {"\"--queue-sice\"", "did you mean --queue-size"}},
      {{"-p", "5"}, {}, "", {"\"-p\""}},
      {{"5000"}, {}, "", {"\"5000\""}},
      {{"--"}, {}, "", {"\"--\""}},
      {{""}, {}, "", {"\"\""}},
      {{"--port"}, {}, "", {"--port must be followed by", "0 to 65535"}},
      {{"--port", "--host"}, {}, "", {"--port must be followed by", "\"--host\""}},
      {{"--port="}, {}, "", {"--port must be", "got \"\"", "on the command line"}},
      {{"--port", "http"}, {}, "", {"--port must be", "0 to 65535", "got \"http\""}},
      {{"--port", "-1"}, {}, "", {"got \"-1\""}},
      {{"--port", "65536"}, {}, "", {"got \"65536\""}},
      {{"--port", "80.0"}, {}, "", {"got \"80.0\""}},
      {{"--port", " 80"}, {}, "", {"got \" 80\""}},
      {{"--port", "0x50"}, {}, "", {"got \"0x50\""}},
      {{"--port", "99999999999999999999"}, {}, "", {"--port must be"}},
      {{"--port", "1", "--port=1"}, {}, "", {"--port is given twice"}},
      {{"--management-port", "5000"}, {}, "", {"--management-port must differ from --port"}},
      {{"--queue-size", "-1"}, {}, "", {"--queue-size", "0 to 100000"}},
      {{"--queue-size", "100001"}, {}, "", {"--queue-size", "100001"}},
      {{"--threads", "0"}, {}, "", {"--threads", "1 to 1024"}},
      {{"--max-batch", "0"}, {}, "", {"--max-batch"}},
      {{"--request-timeout", "0"}, {}, "", {"--request-timeout", "0.001"}},
      {{"--request-timeout", "nan"}, {}, "", {"--request-timeout", "\"nan\""}},
      {{"--request-timeout", "inf"}, {}, "", {"--request-timeout", "\"inf\""}},
      {{"--request-timeout", "10s"}, {}, "", {"--request-timeout", "\"10s\""}},
      {{"--drain-timeout", "-0.5"}, {}, "", {"--drain-timeout", "\"-0.5\""}},
      {{"--drain-grace", "1e9"}, {}, "", {"--drain-grace"}},
      {{"--drain-grace", "25"}, {}, "", {"--drain-grace", "--drain-timeout", "25 s"}},
      {{"--drain-grace", "3", "--drain-timeout", "2.5"}, {}, "", {"--drain-grace", "2.5 s"}},
      {{"--drain-grace", "9"},
       {{"SSD1B_DRAIN_TIMEOUT", "5"}},
       "",
       {"9 s (on the command line)", "5 s (variable SSD1B_DRAIN_TIMEOUT)"}},
      {{}, {}, "drain-grace = 30\n", {"30 s (FILE:1, key drain-grace)", "25 s (the default)"}},
      {{"--max-connections", "0"}, {}, "", {"--max-connections"}},
      {{"--max-connections-per-address", "0"}, {}, "", {"--max-connections-per-address"}},
      {{"--max-pixels", "100"}, {}, "", {"--max-pixels", "4096"}},
      {{"--max-images", "0"}, {}, "", {"--max-images"}},
      {{"--device", "gpu"}, {}, "", {"--device", "\"gpu\""}},
      {{"--device", "cuda:"}, {}, "", {"--device"}},
      {{"--device", "cuda:-1"}, {}, "", {"--device"}},
      {{"--device", "cuda:0,cuda:0"}, {}, "", {"--device", "doubles"}},
      {{"--device", "cuda:0,"}, {}, "", {"--device"}},
      {{"--device", "auto,cpu"}, {}, "", {"--device"}},
      {{"--device", ""}, {}, "", {"--device"}},
      {{"--dtype", "fp16"}, {}, "", {"--dtype", "auto, float32, float16, bfloat16"}},
      {{"--vae-dtype", "FLOAT32"}, {}, "", {"--vae-dtype"}},
      {{"--variant", "../x"}, {}, "", {"--variant"}},
      {{"--variant", ""}, {}, "", {"--variant"}},
      {{"--batch-invariant=maybe"}, {}, "", {"--batch-invariant", "true or false"}},
      {{"--log-level", "verbose"}, {}, "", {"--log-level", "error, warn, info, debug"}},
      {{"--log-format", "xml"}, {}, "", {"--log-format", "text, json"}},
      {{"--lora", "a.safetensors:much"}, {}, "", {"--lora", "FILE:SCALE"}},
      {{"--lora", ":0.5"}, {}, "", {"--lora"}},
      {{"--worker", "/no/such/worker"}, {}, "", {"--worker", "/no/such/worker"}},
      {{"--model", ""}, {}, "", {"--model"}},
      {{"--host", ""}, {}, "", {"--host"}},
      {{"--host", "a b"}, {}, "", {"--host"}},
      {{"--cors-origin", "*"}, {}, "", {"--cors-origin", "exact origin"}},
      {{"--cors-origin", "example.org"}, {}, "", {"--cors-origin"}},
      {{"--cors-origin", "https://example.org/"}, {}, "", {"--cors-origin"}},
      {{"--cors-origin", "https://a:99999"}, {}, "", {"--cors-origin", "on the command line"}},
      {{"--cors-origin", "https://A.example"}, {}, "", {"--cors-origin", "lower case"}},
      {{"--cors-origin", "https://a:443"}, {}, "", {"--cors-origin", "the scheme's own port"}},
      {{"--cors-origin", "http://a:080"}, {}, "", {"--cors-origin"}},
      {{"--cors-origin", "http://a:0x1"}, {}, "", {"--cors-origin"}},
      {{"--cors-origin", "http://a:"}, {}, "", {"--cors-origin"}},
      {{"--cors-origin", "http://:80"}, {}, "", {"--cors-origin"}},
      {{"--cors-origin", "http://a b"}, {}, "", {"--cors-origin"}},
      {{"--cors-origin", "http://[::1"}, {}, "", {"--cors-origin"}},
      {{"--cors-origin", ""}, {}, "", {"--cors-origin"}},
      {{"--cors-origin", "null"}, {}, "", {"--cors-origin"}},
      {{"--cors-origin", "ftp://a"}, {}, "", {"--cors-origin"}},
      {{"--cors-origin", "https://"}, {}, "", {"--cors-origin"}},
      {{"--cors-origin", "https://a/x"}, {}, "", {"--cors-origin"}},
      {{"--cors-origin", "http://a:-1"}, {}, "", {"--cors-origin"}},
      {{"--cors-origin", "http://a:1:2"}, {}, "", {"--cors-origin"}},
      {{"--cors-origin", "http://[]"}, {}, "", {"--cors-origin"}},
      {{"--cors-origin", "http://[::1]8080"}, {}, "", {"--cors-origin"}},
      {{"--served-model-name", ""}, {}, "", {"--served-model-name"}},
      {{"--served-model-name", "a\nb"}, {}, "", {"--served-model-name", "\\x0a"}},
      {{"--device-memory-limit", "5.5"}, {}, "", {"--device-memory-limit", "5.5GiB"}},
      {{"--device-memory-limit", "5.5 GiB"}, {}, "", {"--device-memory-limit"}},
      {{"--device-memory-limit", "-1GiB"}, {}, "", {"--device-memory-limit"}},
      {{"--device-memory-limit", "5gigs"}, {}, "", {"--device-memory-limit"}},
      {{"--healthcheck", "ftp://x"}, {}, "", {"--healthcheck"}},
      {{"--config", "/no/such/file"}, {}, "", {"--config", "/no/such/file", "not there"}},
      {{"--config", "/tmp"}, {}, "", {"--config (on the command line): \"/tmp\" is no file"}},
      {{"--port", std::string(10000, '9')}, {}, "", {"--port", "..."}},
      {{"--port", "\x1b[31m\n"}, {}, "", {"\\x1b[31m\\x0a"}},
  };
  for (const BadCase& bad : cases) expect_refused(parse_server, bad);
}

TEST(ServerOptions, RefusesBadVariablesAndNamesThem) {
  const std::vector<BadCase> cases = {
      {{}, {{"SSD1B_PORT", "tcp://10.0.0.1:5000"}}, "", {"--port", "variable SSD1B_PORT"}},
      {{}, {{"PORT", "x"}}, "", {"--port", "variable PORT"}},
      {{}, {{"SSD1B_PORT", ""}}, "", {"--port", "got \"\"", "variable SSD1B_PORT"}},
      {{}, {{"SSD1B_BATCH_INVARIANT", "yes please"}}, "", {"variable SSD1B_BATCH_INVARIANT"}},
      {{}, {{"SSD1B_CORS_ORIGIN", "https://a.org,b"}}, "", {"\"b\"", "variable SSD1B_CORS_ORIGIN"}},
      {{}, {{"SSD1B_CONFIG", "/no/such"}}, "", {"--config (variable SSD1B_CONFIG)", "/no/such"}},
      {{},
       {{"SSD1B_WORKER", "/no/such"}},
       "",
       {"--worker must be a program", "variable SSD1B_WORKER"}},
      {{}, {{"SSD1B_API_KEY_FILE", ""}}, "", {"variable SSD1B_API_KEY_FILE"}},
  };
  for (const BadCase& bad : cases) expect_refused(parse_server, bad);
}

TEST(ServerOptions, RefusesBadConfigFilesAndNamesTheLine) {
  const std::vector<BadCase> cases = {
      {{}, {}, "queue_size = 5\n", {"\"queue_size\"", "FILE:1", "did you mean queue-size"}},
      {{}, {}, "\n# x\nfoo = 1\n", {"\"foo\"", "FILE:3"}},
      {{}, {}, "config = \"x\"\n", {"\"config\""}},
      {{}, {}, "healthcheck = \"\"\n", {"\"healthcheck\"", "--help lists them"}},
      {{}, {}, "port = \"5000\"\n", {"--port must be an integer, got a text", "key port"}},
      {{}, {}, "port = 80.5\n", {"--port must be an integer", "\"80.5\"", "FILE:1"}},
      {{}, {}, "port = true\n", {"--port must be an integer"}},
      {{}, {}, "port = [1]\n", {"--port must be one value, not a list"}},
      {{}, {}, "port = 70000\n", {"--port must be", "\"70000\"", "FILE:1, key port"}},
      {{}, {}, "port = 1\nport = 2\n", {"FILE:2", "port"}},
      {{}, {}, "model = 5\n", {"--model must be a text in quotes"}},
      {{}, {}, "batch-invariant = 1\n", {"--batch-invariant must be true or false"}},
      {{}, {}, "cors-origin = [\"https://a.org\", 5]\n", {"--cors-origin"}},
      {{}, {}, "[server]\nport = 1\n", {"FILE:1", "tables"}},
      {{}, {}, "port\n", {"FILE:1"}},
      {{}, {}, "port =\n", {"FILE:1"}},
      {{}, {}, "port = 1 2\n", {"FILE:1"}},
      {{}, {}, "model = \"abc\nport = 1\n", {"FILE:1"}},
      {{}, {}, "model = abc\n", {"FILE:1"}},
      {{}, {}, "port = 1979-05-27\n", {"FILE:1", "key port must be a text, a number"}},
      {{}, {}, "cors-origin = [[\"https://a.org\"]]\n", {"FILE:1", "key cors-origin"}},
      {{}, {}, "model = \"\\q\"\n", {"FILE:1"}},
      {{}, {}, "model = \"\\uD800\"\n", {"FILE:1"}},
      {{}, {}, "cors-origin = [\"https://a.org\"\n", {"FILE:1"}},
      {{"--port", "5"}, {}, "port = -1\n", {"--port must be", "FILE:1"}},
      {{}, {}, "{\"port\": 5000}\n", {"FILE:1"}},
  };
  for (const BadCase& bad : cases) expect_refused(parse_server, bad);
}

TEST(GenerateOptions, RefusesWhatDoesNotGoTogether) {
  const std::vector<BadCase> cases = {
      {{}, {}, "", {"--prompt must be given"}},
      {{"--prompt", ""}, {}, "", {"--prompt", "1 to 4096 bytes"}},
      {{"--prompt", std::string(4097, 'x')}, {}, "", {"--prompt"}},
      {{"--prompt", "a\x01"}, {}, "", {"--prompt", "control characters"}},
      {{"--prompt", "\xff"}, {}, "", {"--prompt", "UTF-8"}},
      {{"--prompt", "x", "--seed", "-2"}, {}, "", {"--seed"}},
      {{"--prompt", "x", "--seed", "18446744073709551616"}, {}, "", {"--seed"}},
      {{"--prompt", "x", "--steps", "0"}, {}, "", {"--steps", "1 to 150"}},
      {{"--prompt", "x", "--width", "32"}, {}, "", {"--width", "64 to 2048"}},
      {{"--prompt", "x", "--guidance-scale", "51"}, {}, "", {"--guidance-scale", "0 to 50"}},
      {{"--prompt", "x", "--quality", "5"}, {}, "", {"--quality", "png"}},
      {{"--prompt", "x", "--quality", "0", "--output", "a.jpg"}, {}, "", {"--quality", "1 to 100"}},
      {{"--prompt", "x", "--output", "a.png", "--output-format", "webp"},
       {},
       "",
       {"--output-format"}},
      {{"--prompt", "x", "--output-format", "gif"}, {}, "", {"png, jpeg, webp"}},
      {{"--prompt", "x", "--output", "a.gif"}, {}, "", {"--output must end with", "a.gif"}},
      {{"--prompt", "x", "--device", "cuda:0,cuda:1"}, {}, "", {"--device"}},
      {{"--prompt", "x", "--negative-prompt", "", "--no-negative-prompt"}, {}, "", {"together"}},
      {{"--prompt", "x", "--port", "1"}, {}, "", {"no option \"--port\""}},
  };
  for (const BadCase& bad : cases) expect_refused(parse_generate, bad);
}

TEST(WorkerOptions, RefusesAllButOneDeviceAndASocket) {
  const std::vector<BadCase> cases = {
      {{"--device", "auto", "--fd", "3"}, {}, "", {"--device of a worker"}},
      {{"--device", "cpu,cuda:0", "--fd", "3"}, {}, "", {"--device of a worker"}},
      {{"--device", "cpu"}, {}, "", {"--fd must be given"}},
      {{"--fd", "-1"}, {}, "", {"--fd must be"}},
      {{"--config", "x"}, {}, "", {"no option \"--config\""}},
  };
  for (const BadCase& bad : cases) expect_refused(parse_worker, bad);
}

}  // namespace
}  // namespace ssd1b
