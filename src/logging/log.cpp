#include "logging/log.h"

#include <fcntl.h>
#include <spdlog/async.h>
#include <spdlog/async_logger.h>
#include <spdlog/sinks/base_sink.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <chrono>
#include <csignal>
#include <cstdlib>
#include <memory>
#include <mutex>

#include "logging/log_record.h"
#include "logging/patient_writer.h"
#include "memory/out_of_memory.h"
#include "ssd1b/error.h"

namespace ssd1b {
namespace {

constexpr std::size_t kQueueRecords = 4096;
constexpr int kShutDownMs = 500;

struct LevelName {
  const char* name;
  spdlog::level::level_enum level;
};
constexpr std::array<LevelName, 4> kLevels{{{"error", spdlog::level::err},
                                            {"warn", spdlog::level::warn},
                                            {"info", spdlog::level::info},
                                            {"debug", spdlog::level::debug}}};

/// The end of the queue: finished lines to standard error.
class StandardErrorSink : public spdlog::sinks::base_sink<spdlog::details::null_mutex> {
 public:
  std::uint64_t failed_records() const { return failed_; }
  void give_up_soon(int wait_ms) { writer_.give_up_soon(wait_ms); }

 protected:
  void sink_it_(const spdlog::details::log_msg& message) override {
    const OutOfMemory waits(OutOfMemory::Means::Wait);
    if (!writer_.write(std::string(message.payload.data(), message.payload.size()) + "\n")) {
      ++failed_;
    }
  }
  void flush_() override {}

 private:
  PatientWriter writer_{STDERR_FILENO};
  std::atomic<std::uint64_t> failed_{0};
};

using Pool = spdlog::details::thread_pool;

/// Queue, thread and settings. Never destroyed: a thread may log while the process exits.
struct Logging {
  std::atomic<LogFormat> format{LogFormat::Text};
  std::atomic<spdlog::level::level_enum> level{spdlog::level::info};
  std::atomic<std::uint64_t> reported_drops{0};

  std::mutex mutex;  // guards what follows
  std::shared_ptr<StandardErrorSink> sink;
  std::shared_ptr<spdlog::async_logger> logger;
  std::shared_ptr<Pool> pool;  // absent before the first record and after the last
};

/// The one exception to "no globals": standard error is one, and every room logs.
Logging& logging() {
  static auto* const state = new Logging;
  return *state;
}

/// A closed descriptor would be given to the next file or socket that is opened, and lines would go
/// into it.
void keep_standard_descriptors_taken() {
  for (int descriptor = STDIN_FILENO; descriptor <= STDERR_FILENO; ++descriptor) {
    if (::fcntl(descriptor, F_GETFD) >= 0) continue;
    const int opened = ::open("/dev/null", O_RDWR);
    if (opened >= 0 && opened != descriptor) ::close(opened);
  }
}

/// Signals are for other threads; a reader of the log that goes away is no reason to end (SIGPIPE).
void block_signals() {
  sigset_t all;
  sigfillset(&all);
  pthread_sigmask(SIG_BLOCK, &all, nullptr);
}

/// Starts the thread once. The caller holds the mutex.
void start(Logging& state) {
  if (state.logger != nullptr) return;
  state.sink = std::make_shared<StandardErrorSink>();
  state.pool = std::make_shared<Pool>(kQueueRecords, /*threads_n=*/1, block_signals);
  state.logger = std::make_shared<spdlog::async_logger>(
      "ssd1b", state.sink, state.pool, spdlog::async_overflow_policy::overrun_oldest);
  state.logger->set_level(spdlog::level::trace);               // filtered before a line is made
  state.logger->set_error_handler([](const std::string&) {});  // spdlog's own would block on stderr
  std::atexit(shut_down_logging);
}

/// What a call that logs works with; `pool` is null once logging has ended.
struct Running {
  std::shared_ptr<Pool> pool;
  spdlog::async_logger* logger = nullptr;
  StandardErrorSink* sink = nullptr;

  std::uint64_t drops() const { return pool->overrun_counter() + sink->failed_records(); }
};

Running running(Logging& state) {
  const std::lock_guard<std::mutex> lock(state.mutex);
  return {state.pool, state.logger.get(), state.sink.get()};
}

void enqueue(const Running& to, LogFormat format, const LogRecord& record, LevelName level) {
  const std::string line = log_line(format, record);
  to.logger->log(level.level, spdlog::string_view_t(line.data(), line.size()));
}

void log_at(const LevelName& level, std::string_view what, LogFields fields) noexcept {
  Logging& state = logging();
  if (level.level < state.level) return;
  try {
    static std::once_flag once;
    std::call_once(once, [&] {
      const std::lock_guard<std::mutex> lock(state.mutex);
      start(state);
    });
    const Running to = running(state);
    if (to.pool == nullptr) return;
    const auto now = std::chrono::system_clock::now();
    const std::uint64_t drops = to.drops();
    // Another thread may have counted, and reported, more since.
    std::uint64_t reported = state.reported_drops;
    while (drops > reported && !state.reported_drops.compare_exchange_weak(reported, drops)) {
    }
    if (drops > reported) {
      const LogFields count = {{"count", drops - reported}};
      enqueue(to, state.format, {now, "warn", "log records were dropped", count}, kLevels[1]);
    }
    enqueue(to, state.format, {now, level.name, what, fields}, level);
  } catch (const std::exception&) {
    // No memory for a line: the record is lost, the caller goes on.
  }
}

}  // namespace

void set_up_logging(const std::string& level, const std::string& format) {
  if (format != "text" && format != "json") {
    throw Error(ErrorCode::Usage, "log-format must be text or json, got " + format);
  }
  const LevelName* found = nullptr;
  for (const LevelName& candidate : kLevels) {
    if (level == candidate.name) found = &candidate;
  }
  if (found == nullptr) {
    throw Error(ErrorCode::Usage, "log-level must be error, warn, info or debug, got " + level);
  }
  keep_standard_descriptors_taken();
  Logging& state = logging();
  const std::lock_guard<std::mutex> lock(state.mutex);
  state.level = found->level;
  state.format = format == "json" ? LogFormat::Json : LogFormat::Text;
  start(state);
}

void log_error(std::string_view what, LogFields fields) { log_at(kLevels[0], what, fields); }
void log_warn(std::string_view what, LogFields fields) { log_at(kLevels[1], what, fields); }
void log_info(std::string_view what, LogFields fields) { log_at(kLevels[2], what, fields); }
void log_debug(std::string_view what, LogFields fields) { log_at(kLevels[3], what, fields); }

std::uint64_t dropped_log_records() {
  const Running at = running(logging());
  return at.pool == nullptr ? 0 : at.drops();
}

void shut_down_logging() {
  Logging& state = logging();
  std::shared_ptr<Pool> pool;
  {
    const std::lock_guard<std::mutex> lock(state.mutex);
    pool.swap(state.pool);
    if (pool != nullptr) state.sink->give_up_soon(kShutDownMs);
  }
  // The logger knows the pool only weakly: this writes what waits and joins the thread.
  pool.reset();
}

void write_last_line(const std::string& line) {
  PatientWriter writer(STDERR_FILENO);
  writer.give_up_soon(kShutDownMs);
  writer.write(line + "\n");
}

}  // namespace ssd1b
