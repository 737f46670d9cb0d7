#include <unistd.h>

#include <filesystem>
#include <sstream>
#include <string>
#include <system_error>
#include <utility>

#include "options/option_lists.h"
#include "options/option_values.h"
#include "options/read_options.h"
#include "options/shipped_files.h"
#include "ssd1b/error.h"

namespace ssd1b {
namespace {

constexpr int kMaxPort = 65535;
constexpr double kDayS = 86400.0;

bool is_name(const std::string& text) {
  return !text.empty() && text.size() <= 256 && is_plain_text(text) &&
         text.find_first_of("\t\n") == std::string::npos;
}

bool is_host(const std::string& text) {
  return !text.empty() && text.size() <= 255 &&
         text.find_first_not_of(
             "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789.:-_%") ==
             std::string::npos;
}

bool is_http_url(const std::string& text) {
  return text.empty() || (text.compare(0, 7, "http://") == 0 && text.size() > 7 && is_name(text));
}

bool is_file_with(int access, const std::string& path) {
  std::error_code ignored;
  return std::filesystem::is_regular_file(path, ignored) && ::access(path.c_str(), access) == 0;
}

Option key_file(std::optional<std::filesystem::path>& to) {
  Option option = path("api-key-file", to)
                      .says(
                          "a line a key: NAME:KEY [rate=N/s] [burst=N] [concurrency=N]; without "
                          "it no key is asked for");
  option.must_be = "a file that can be read";
  option.set = [set = option.set](const std::string& given) {
    return is_file_with(R_OK, given) && set(given);
  };
  return option;
}

std::vector<Option> listener_list(ServerOptions& to) {
  return {
      text("host", "ADDRESS", to.host, {"an address or a host's name", is_host})
          .says("listening address"),
      whole_number("port", to.port, {0, kMaxPort})
          .or_variable("PORT")
          .says("listening port; 0: any free one"),
      whole_number("management-port", to.management_port, {0, kMaxPort})
          .by_default("off")
          .says("a second listener with health and metrics, without keys; /metrics is then only "
                "there"),
      whole_number("max-connections", to.max_connections, {1, 1000000})
          .in("connections")
          .says("beyond it 503 at once"),
      whole_number("max-connections-per-address", to.max_connections_per_address, {1, 1000000})
          .in("connections")
          .by_default("off")
          .says("likewise, of one client's address"),
      key_file(to.api_key_file),
      texts("cors-origin", "ORIGIN", to.cors_origins,
            {"an exact origin as browsers send it, in lower case and without the scheme's own "
             "port, as https://example.org",
             is_origin})
          .says("pages of this origin may ask"),
  };
}

Option worker_program(std::filesystem::path& to) {
  Option option =
      path("worker", to).by_default("ssd1b-worker beside the server").says("the worker program");
  option.must_be = "a program that can be run";
  option.set = [set = option.set](const std::string& given) {
    return is_file_with(X_OK, given) && set(given);
  };
  return option;
}

std::vector<Option> service_list(ServerOptions& to) {
  return {
      whole_number("queue-size", to.queue_size, {0, 100000})
          .in("pictures")
          .says("pictures waiting; beyond it 429. 0: none waits"),
      number("request-timeout", to.request_timeout_s, {0.001, 7 * kDayS})
          .in("seconds")
          .by_default("600 on CUDA, 7200 on the CPU")
          .says("longest a request may take from arrival to reply"),
      number("drain-timeout", to.drain_timeout_s, {0.0, kDayS})
          .in("seconds")
          .says(
              "after SIGTERM: longest to finish what runs; then 503, and a second for replies that "
              "are on their way"),
      number("drain-grace", to.drain_grace_s, {0.0, kDayS})
          .in("seconds")
          .says("after SIGTERM: keep accepting this long while already not ready; part of "
                "--drain-timeout, so shorter"),
      worker_program(to.worker),
      texts("served-model-name", "NAME", to.served_model_names,
            {"1 to 256 bytes of UTF-8 without control characters", is_name})
          .by_default("the stem of the model's folder or file")
          .says("what the model is called; the first is what replies show"),
      whole_number("max-pixels", to.max_pixels, {4096, 4194304})
          .in("pixels")
          .says("width times height of one picture"),
      whole_number("max-images", to.max_images, {1, 128})
          .in("pictures")
          .says("pictures of one request"),
  };
}

Option healthcheck(std::optional<std::string>& to) {
  Option option =
      text("healthcheck", "URL", to, {"an address as http://127.0.0.1:5000", is_http_url})
          .only_as_flag()
          .by_default("off; without URL that of a server with these options")
          .says(
              "ask a running server for its health (/healthz, unless URL has a path) and exit with "
              "0 or 1");
  option.may_lack_value = true;
  return option;
}

/// Where a server with these options is asked from the same machine.
std::string local_url(const ServerOptions& options) {
  const bool is_any = options.host == "0.0.0.0" || options.host == "::";
  return "http://" + host_in_url(is_any ? "127.0.0.1" : options.host) + ":" +
         std::to_string(options.port);
}

std::string shown(double seconds) {
  std::ostringstream text;
  text << seconds << " s";
  return text.str();
}

void check(const ServerOptions& options) {
  if (options.management_port && *options.management_port != 0 &&
      *options.management_port == options.port) {
    throw Error(ErrorCode::Usage,
                "--management-port must differ from --port, got " + std::to_string(options.port) +
                    " (" + source_of(options.sources, "management-port") + ") and " +
                    std::to_string(options.port) + " (" + source_of(options.sources, "port") + ")");
  }
  // Pictures would be accepted only to be ended at once.
  if (options.drain_grace_s > 0 && options.drain_grace_s >= options.drain_timeout_s) {
    throw Error(ErrorCode::Usage, "--drain-grace must be shorter than --drain-timeout, got " +
                                      shown(options.drain_grace_s) + " (" +
                                      source_of(options.sources, "drain-grace") + ") and " +
                                      shown(options.drain_timeout_s) + " (" +
                                      source_of(options.sources, "drain-timeout") + ")");
  }
}

}  // namespace

std::string host_in_url(const std::string& host) {
  return host.find(':') == std::string::npos ? host : "[" + host + "]";
}

ServerOptions parse_server(int argc, const char* const* argv) {
  ServerOptions options;
  const std::vector<Option> list = joined({pipeline_list(options.pipeline),
                                           listener_list(options),
                                           service_list(options),
                                           log_list(options.log),
                                           {healthcheck(options.healthcheck_url)}});
  const Program program{"ssd1b-server", "text to image over HTTP"};
  ReadOptions read = read_options(program, list, argc, argv);
  options.text_to_print = std::move(read.text_to_print);
  options.sources = std::move(read.sources);
  if (options.text_to_print) return options;
  if (options.healthcheck_url) {
    if (options.healthcheck_url->empty()) options.healthcheck_url = local_url(options);
    return options;  // the rest is the running server's business
  }
  check(options);
  complete(options.pipeline);
  if (options.worker.empty()) options.worker = program_folder() / "ssd1b-worker";
  return options;
}

}  // namespace ssd1b
