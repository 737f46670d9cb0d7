#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

namespace ssd1b {

/// Flags that the server, ssd1b-generate and ssd1b-bench share; the worker gets them from the server.
/// Names and defaults are the README's.
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
  /// `--healthcheck [URL]`: ask a running server instead of being one.
  std::optional<std::string> healthcheck_url;
};

}  // namespace ssd1b
