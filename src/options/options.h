#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <vector>

namespace ssd1b {

/// Flags that the server, ssd1b-generate and ssd1b-bench share; the worker gets them from the
/// server. Names and defaults are the README's.
struct PipelineOptions {
  std::filesystem::path model;  // the model that comes with the project where none is given
  std::string variant;
  std::string device = "auto";  // auto, cpu, cuda, or a list: cuda:0,cuda:1
  std::string dtype = "auto";
  std::string vae_dtype = "auto";
  int threads = 0;    // 0: physical cores within affinity and the cgroup's limit
  int max_batch = 0;  // 0: 4 on the CPU, 8 on CUDA
  bool batch_invariant = false;
  std::vector<std::string> loras;  // FILE[:SCALE]
  std::optional<std::int64_t> device_memory_limit_bytes;
};

struct LogOptions {
  std::string level = "info";   // error, warn, info, debug
  std::string format = "text";  // text, json
};

/// Where each option that was given came from, by its name: `on the command line`, `variable
/// SSD1B_PORT`, `server.toml:3, key port`.
using OptionSources = std::map<std::string, std::string>;

/// As messages show it; `the default` where the option was not given.
std::string source_of(const OptionSources& sources, const std::string& option);

struct ServerOptions {
  PipelineOptions pipeline;
  LogOptions log;
  std::string host = "127.0.0.1";
  int port = 5000;
  std::optional<int> management_port;
  int queue_size = 64;
  std::optional<double> request_timeout_s;  // absent: 600 on CUDA, 7200 on the CPU
  double drain_timeout_s = 25.0;
  double drain_grace_s = 0.0;
  int max_connections = 2048;
  std::optional<int> max_connections_per_address;
  std::optional<std::filesystem::path> api_key_file;
  std::vector<std::string> cors_origins;
  std::filesystem::path worker;  // ssd1b-worker beside the server where none is given
  std::vector<std::string> served_model_names;
  std::int64_t max_pixels = 2359296;
  int max_images = 8;
  /// `--healthcheck [URL]`: ask a running server instead of being one. Never empty: without a URL
  /// that of a server with these options.
  std::optional<std::string> healthcheck_url;
  std::optional<std::string> text_to_print;  // what --help or --version asks for: print it and end
  OptionSources sources;
};

/// What ssd1b-worker is started with: flags only, so that what the server decided holds.
struct WorkerOptions {
  PipelineOptions pipeline;  // `device` is one device: cpu or cuda:N
  LogOptions log;
  int descriptor = -1;  // --fd: the socket to the server
  bool lists_devices = false;
  std::optional<std::string> text_to_print;
};

/// One picture as flags describe it; what is absent is the model's default.
struct PictureOptions {
  std::string prompt;
  std::optional<std::string> negative_prompt;
  bool has_no_negative_prompt = false;  // null, whatever the model's default is
  std::optional<int> width_px;
  std::optional<int> height_px;
  std::optional<int> steps;
  std::optional<double> guidance_scale;
  std::optional<std::uint64_t> seed;  // absent: a random one below 2^32
  std::optional<std::string> scheduler;
  std::optional<int> original_width_px;
  std::optional<int> original_height_px;
  std::optional<int> target_width_px;
  std::optional<int> target_height_px;
  std::optional<int> crop_top_px;
  std::optional<int> crop_left_px;
  std::optional<int> clip_skip;
};

struct GenerateOptions {
  PipelineOptions pipeline;  // `device` is auto or one device
  LogOptions log;
  PictureOptions picture;
  int num_images = 1;
  std::filesystem::path output = "picture.png";
  std::string output_format;  // png, jpeg, webp: as given, else as `output` ends, else png
  int quality = 90;
  bool embed_metadata = false;
  std::optional<std::filesystem::path> latents;
  std::optional<std::string> text_to_print;
};

struct BenchOptions {
  PipelineOptions pipeline;  // `device` is auto or one device
  LogOptions log;
  PictureOptions picture;
  int runs = 5;
  int warmup = 1;
  std::optional<std::string> text_to_print;
};

// Each reads flags, variables and the config file of one program. Throws Error(Usage) that names
// the option and where it came from, what must hold and what came.
ServerOptions parse_server(int argc, const char* const* argv);
WorkerOptions parse_worker(int argc, const char* const* argv);
GenerateOptions parse_generate(int argc, const char* const* argv);
BenchOptions parse_bench(int argc, const char* const* argv);

/// The arguments (without the program's name and --fd) that make a worker of `pipeline` on one
/// device: parse_worker reads them back to the same values.
std::vector<std::string> worker_arguments(const PipelineOptions& pipeline,
                                          const std::string& device, const LogOptions& log = {});

/// What the model is called where nobody named it: its folder's name, or its file's without the
/// ending.
std::string model_name(const PipelineOptions& pipeline);

/// A host as a URL has it: an IPv6 address in brackets.
std::string host_in_url(const std::string& host);

/// The version of the programs, as 0.1.0.
const char* program_version();

}  // namespace ssd1b
