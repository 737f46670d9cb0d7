#include "options/options.h"

#include <gmock/gmock.h>

#include "options/picture_request.h"
#include "options/program_input.h"
#include "options/shipped_files.h"
#include "ssd1b/error.h"

namespace ssd1b {
namespace {

ServerOptions server_of(const ProgramInput& input) {
  return parse_server(input.argc(), input.argv());
}

GenerateOptions generate_of(const ProgramInput& input) {
  return parse_generate(input.argc(), input.argv());
}

TEST(ServerOptions, HasTheDocumentedDefaults) {
  const ServerOptions options = server_of(ProgramInput({}));

  EXPECT_EQ(options.pipeline.model.filename(), "icons");
  EXPECT_EQ(options.pipeline.device, "auto");
  EXPECT_EQ(options.pipeline.dtype, "auto");
  EXPECT_EQ(options.host, "127.0.0.1");
  EXPECT_EQ(options.port, 5000);
  EXPECT_EQ(options.management_port, std::nullopt);
  EXPECT_EQ(options.queue_size, 64);
  EXPECT_EQ(options.request_timeout_s, std::nullopt);
  EXPECT_EQ(options.drain_timeout_s, 25.0);
  EXPECT_EQ(options.max_connections, 2048);
  EXPECT_EQ(options.max_pixels, 2359296);
  EXPECT_EQ(options.max_images, 8);
  EXPECT_EQ(options.log.level, "info");
  EXPECT_EQ(options.worker, program_folder() / "ssd1b-worker");
  EXPECT_EQ(options.text_to_print, std::nullopt);
}

TEST(ServerOptions, LetsFlagsWinOverVariablesAndThoseOverTheFile) {
  const std::string file = "port = 1\nqueue-size = 2\nmax-images = 3\n";
  const std::vector<std::pair<std::string, std::string>> variables = {{"SSD1B_PORT", "11"},
                                                                      {"SSD1B_QUEUE_SIZE", "12"}};

  const ServerOptions options = server_of(ProgramInput({"--port", "21"}, variables, file));

  EXPECT_EQ(options.port, 21);
  EXPECT_EQ(options.queue_size, 12);
  EXPECT_EQ(options.max_images, 3);
}

TEST(ServerOptions, TakesPortOnlyWhereItsOwnVariableIsAbsent) {
  EXPECT_EQ(server_of(ProgramInput({}, {{"PORT", "7"}})).port, 7);
  EXPECT_EQ(server_of(ProgramInput({}, {{"PORT", "x"}, {"SSD1B_PORT", "8"}})).port, 8);
  EXPECT_EQ(server_of(ProgramInput({}, {{"PORT", "7"}}, "port = 9\n")).port, 7);
}

TEST(ServerOptions, ReplacesRepeatedValuesOfALowerSource) {
  const std::string file = "cors-origin = [\"https://a.org\", 'http://b.org:81']\n";
  using testing::ElementsAre;

  EXPECT_THAT(server_of(ProgramInput({}, {}, file)).cors_origins,
              ElementsAre("https://a.org", "http://b.org:81"));
  EXPECT_THAT(
      server_of(ProgramInput({}, {{"SSD1B_CORS_ORIGIN", "https://c.org,https://d.org"}}, file))
          .cors_origins,
      ElementsAre("https://c.org", "https://d.org"));
  EXPECT_THAT(server_of(ProgramInput({"--cors-origin", "https://e.org"},
                                     {{"SSD1B_CORS_ORIGIN", "https://c.org"}}, file))
                  .cors_origins,
              ElementsAre("https://e.org"));
}

TEST(ServerOptions, TakesOriginsAsBrowsersSendThem) {
  for (const char* origin :
       {"https://a.example", "http://localhost:3000", "http://127.0.0.1:1", "https://a_b-c.org:80",
        "http://[::1]", "http://[2001:db8::1]:65535", "https://xn--bcher-kva.example:8443"}) {
    EXPECT_THAT(server_of(ProgramInput({"--cors-origin", origin})).cors_origins,
                testing::ElementsAre(origin));
  }
}

TEST(ServerOptions, ReadsTheWholeConfigLanguage) {
  const std::string file =
      "\xEF\xBB\xBF# all kinds\r\n"
      "model = \"/m\\u00e4 \\\"x\\\"\" # text\r\n"
      "\"queue-size\" = +1_000\n"
      "request-timeout = 1.5e1\n"
      "drain-timeout = 3\n"
      "batch-invariant = true\n"
      "log-level = 'debug'\n"
      "served-model-name = [ # names\n  'a',\n  \"b/c\",\n]\n"
      "device-memory-limit = \"5.5GiB\"";

  const ServerOptions options = server_of(ProgramInput({}, {}, file));

  EXPECT_EQ(options.pipeline.model, "/mä \"x\"");
  EXPECT_EQ(options.queue_size, 1000);
  EXPECT_EQ(options.request_timeout_s, 15.0);
  EXPECT_EQ(options.drain_timeout_s, 3.0);
  EXPECT_TRUE(options.pipeline.batch_invariant);
  EXPECT_EQ(options.log.level, "debug");
  EXPECT_THAT(options.served_model_names, testing::ElementsAre("a", "b/c"));
  EXPECT_EQ(options.pipeline.device_memory_limit_bytes, 5905580032);
}

TEST(ServerOptions, AcceptsTheEdgesOfRanges) {
  for (const char* port : {"0", "65535"}) {
    EXPECT_EQ(server_of(ProgramInput({"--port", port})).port, std::stoi(port));
  }
  for (const char* size : {"0", "100000"}) {
    EXPECT_EQ(server_of(ProgramInput({"--queue-size", size})).queue_size, std::stoi(size));
  }
  for (const char* device : {"auto", "cpu", "cuda", "cuda:0", "cuda:1,cuda:0", "cpu,cuda:11"}) {
    EXPECT_EQ(server_of(ProgramInput({"--device", device})).pipeline.device, device);
  }
  for (const char* size : {"1MiB", "1048576", "1048576B"}) {
    EXPECT_EQ(
        server_of(ProgramInput({"--device-memory-limit", size})).pipeline.device_memory_limit_bytes,
        1048576);
  }
}

TEST(ServerOptions, KnowsWhereToAskForHealth) {
  const auto url_of = [](std::vector<std::string> flags) {
    return server_of(ProgramInput(std::move(flags))).healthcheck_url;
  };

  EXPECT_EQ(url_of({"--healthcheck"}), "http://127.0.0.1:5000");
  EXPECT_EQ(url_of({"--healthcheck", "--port", "80", "--host", "0.0.0.0"}), "http://127.0.0.1:80");
  EXPECT_EQ(url_of({"--healthcheck", "--host", "::1"}), "http://[::1]:5000");
  EXPECT_EQ(url_of({"--healthcheck", "http://other:1"}), "http://other:1");
  EXPECT_EQ(url_of({"--healthcheck=http://other:1"}), "http://other:1");
  EXPECT_EQ(url_of({}), std::nullopt);
}

TEST(ServerOptions, ExplainsEveryOption) {
  const auto help = server_of(ProgramInput({"--help"})).text_to_print;

  ASSERT_TRUE(help);
  for (const char* part :
       {"--queue-size N", "0 to 100000", "pictures waiting", "SSD1B_QUEUE_SIZE", "default 64",
        "SSD1B_PORT, else PORT", "600 on CUDA, 7200 on the CPU", "in seconds", "--config FILE",
        "--healthcheck [URL]", "--lora FILE[:SCALE]   (repeatable)"}) {
    EXPECT_THAT(*help, testing::HasSubstr(part));
  }
  EXPECT_THAT(*server_of(ProgramInput({"--version"})).text_to_print,
              testing::HasSubstr(program_version()));
}

TEST(GenerateOptions, TakesValuesAsTheyAre) {
  const GenerateOptions options =
      generate_of(ProgramInput({"--prompt", "-- [a, b]; \"c\"\n", "--negative-prompt=", "--seed",
                                "-1", "--output", "x.JPG", "--clip-skip=1"}));

  EXPECT_EQ(options.picture.prompt, "-- [a, b]; \"c\"\n");
  EXPECT_EQ(options.picture.negative_prompt, "");
  EXPECT_EQ(options.picture.seed, std::nullopt);
  EXPECT_EQ(options.picture.clip_skip, 1);
  EXPECT_EQ(options.output_format, "jpeg");
  EXPECT_EQ(options.quality, 90);
  EXPECT_EQ(
      generate_of(ProgramInput({"--prompt", "x", "--seed", "18446744073709551615"})).picture.seed,
      18446744073709551615U);
  EXPECT_EQ(generate_of(ProgramInput({"--prompt=--steps"})).picture.prompt, "--steps");
}

TEST(WorkerArguments, AreReadBackToTheSameOptions) {
  PipelineOptions given;
  given.model = "/models/with space";
  given.variant = "fp16";
  given.dtype = "bfloat16";
  given.vae_dtype = "float32";
  given.threads = 3;
  given.max_batch = 2;
  given.batch_invariant = true;
  given.loras = {"a.safetensors:0.5", "--odd"};
  given.device_memory_limit_bytes = 5905580032;

  std::vector<std::string> arguments = worker_arguments(given, "cuda:1", {"debug", "json"});
  arguments.insert(arguments.end(), {"--fd", "3"});
  const ProgramInput input(arguments, {{"SSD1B_DTYPE", "float16"}});
  const WorkerOptions worker = parse_worker(input.argc(), input.argv());

  EXPECT_EQ(worker.pipeline.model, given.model);
  EXPECT_EQ(worker.pipeline.variant, given.variant);
  EXPECT_EQ(worker.pipeline.device, "cuda:1");
  EXPECT_EQ(worker.pipeline.dtype, given.dtype);
  EXPECT_EQ(worker.pipeline.vae_dtype, given.vae_dtype);
  EXPECT_EQ(worker.pipeline.threads, given.threads);
  EXPECT_EQ(worker.pipeline.max_batch, given.max_batch);
  EXPECT_EQ(worker.pipeline.batch_invariant, given.batch_invariant);
  EXPECT_EQ(worker.pipeline.loras, given.loras);
  EXPECT_EQ(worker.pipeline.device_memory_limit_bytes, given.device_memory_limit_bytes);
  EXPECT_EQ(worker.log.level, "debug");
  EXPECT_EQ(worker.log.format, "json");
  EXPECT_EQ(worker.descriptor, 3);
}

TEST(PictureRequest, TakesTheModelsDefaultsAndTheFlags) {
  ModelInfo model;
  model.schedulers = {{"euler", "EulerDiscreteScheduler", 150}, {"lcm", "LCMScheduler", 50}};
  model.negative_prompt = "blurry";
  PictureOptions picture;
  picture.prompt = "x";
  picture.width_px = 512;
  picture.scheduler = "LCMScheduler";
  picture.seed = 5;

  GenerationRequest request = picture_request(picture, model);

  EXPECT_EQ(request.width_px, 512);
  EXPECT_EQ(request.height_px, 1024);
  EXPECT_EQ(request.original_width_px, 512);
  EXPECT_EQ(request.scheduler, "lcm");
  EXPECT_EQ(request.negative_prompt, "blurry");
  EXPECT_EQ(request.seed, 5u);

  picture.has_no_negative_prompt = true;
  EXPECT_EQ(picture_request(picture, model).negative_prompt, std::nullopt);

  picture.steps = 51;
  try {
    picture_request(picture, model);
    FAIL() << "51 steps of lcm were accepted";
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::Usage);
    EXPECT_THAT(error.what(), testing::HasSubstr("--steps"));
  }
}

TEST(OneDevice, FallsBackToTheCpuOnlyForAuto) {
  const std::vector<DeviceInfo> none = {{"cpu", "", 0, true, ""},
                                        {"cuda", "", 0, false, "no driver"}};
  const std::vector<DeviceInfo> two = {
      {"cpu", "", 0, true, ""}, {"cuda:0", "", 0, false, "too old"}, {"cuda:1", "", 0, true, ""}};

  EXPECT_EQ(one_device("auto", none), "cpu");
  EXPECT_EQ(one_device("auto", two), "cuda:1");
  EXPECT_EQ(one_device("cuda", two), "cuda:1");
  EXPECT_EQ(one_device("cuda:1", two), "cuda:1");
  EXPECT_EQ(one_device("cpu", two), "cpu");
  EXPECT_EQ(one_device("cuda", none), "cuda:0");
  EXPECT_EQ(one_device("cuda:0", two), "cuda:0");
}

}  // namespace
}  // namespace ssd1b
