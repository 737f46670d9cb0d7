#include "service/workers/child_process.h"

#include <fcntl.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <cstring>
#include <fstream>
#include <thread>

#include "ssd1b/error.h"

namespace ssd1b {
namespace {

constexpr int kMostLikelyKilled = 1000;  // the end of oom_score_adj's scale
constexpr int kMoreLikelyThanServer = 500;
constexpr int kCannotRun = 71;
constexpr std::chrono::seconds kLastWait{1};

/// Everything that the child needs between fork and exec, where memory may not be allocated.
struct Preparation {
  std::vector<std::string> arguments;
  std::vector<char*> argv;
  std::string oom_score;
  pid_t parent = -1;
};

Preparation prepare(const std::filesystem::path& program,
                    const std::vector<std::string>& arguments) {
  Preparation prepared;
  prepared.arguments.push_back(program.string());
  prepared.arguments.insert(prepared.arguments.end(), arguments.begin(), arguments.end());
  for (std::string& each : prepared.arguments) prepared.argv.push_back(each.data());
  prepared.argv.push_back(nullptr);
  int own_score = 0;
  std::ifstream("/proc/self/oom_score_adj") >> own_score;
  prepared.oom_score =
      std::to_string(std::min(own_score + kMoreLikelyThanServer, kMostLikelyKilled));
  prepared.parent = getpid();
  return prepared;
}

/// A process inherits from its own parent that the ends of its children are thrown away. Ours are
/// to be known.
void keep_ends_of_children() {
  struct sigaction now {};
  if (sigaction(SIGCHLD, nullptr, &now) == 0 && now.sa_handler == SIG_IGN) {
    std::signal(SIGCHLD, SIG_DFL);
  }
}

// The functions below run in the child of a process with several threads: system calls only.

void close_from(unsigned first) {
  if (syscall(SYS_close_range, first, ~0U, 0U) == 0) return;
  rlimit limit{};
  getrlimit(RLIMIT_NOFILE, &limit);
  const auto end = static_cast<unsigned>(std::min<rlim_t>(limit.rlim_cur, 1 << 20));
  for (unsigned each = first; each < end; ++each) close(static_cast<int>(each));
}

void arrange_signals() {
  for (const int each : {SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGPIPE}) std::signal(each, SIG_IGN);
  sigset_t none;
  sigemptyset(&none);
  sigprocmask(SIG_SETMASK, &none, nullptr);
}

void arrange_limits(const Preparation& prepared) {
  const rlimit no_core{0, 0};
  setrlimit(RLIMIT_CORE, &no_core);
  const int file = open("/proc/self/oom_score_adj", O_WRONLY | O_CLOEXEC);
  if (file < 0) return;
  [[maybe_unused]] const ssize_t written =
      write(file, prepared.oom_score.data(), prepared.oom_score.size());
  close(file);
}

/// dup2 clears close-on-exec, but not where both are the same.
bool move_descriptor(int from, int to) {
  return from == to ? fcntl(to, F_SETFD, 0) == 0 : dup2(from, to) >= 0;
}

bool arrange_descriptors(const ChildDescriptors& descriptors) {
  int first_foreign = STDERR_FILENO + 1;
  if (descriptors.socket >= 0) {
    if (!move_descriptor(descriptors.socket, ChildProcess::kSocket)) return false;
    first_foreign = ChildProcess::kSocket + 1;
  }
  const int output = descriptors.output >= 0 ? descriptors.output : STDERR_FILENO;
  if (!move_descriptor(output, STDOUT_FILENO)) return false;
  close_from(first_foreign);
  // Only now, where the table was full there is room for one.
  const int null = open("/dev/null", O_RDONLY | O_CLOEXEC);
  return null >= 0 && move_descriptor(null, STDIN_FILENO);
}

[[noreturn]] void become(const Preparation& prepared, const ChildDescriptors& descriptors) {
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (getppid() != prepared.parent) _exit(kCannotRun);  // the server ended before the line above
  arrange_signals();
  if (!arrange_descriptors(descriptors)) _exit(kCannotRun);
  arrange_limits(prepared);  // opens a file
  execv(prepared.argv[0], prepared.argv.data());
  _exit(kCannotRun);
}

ExitStatus exit_status_from(int wait_status) {
  ExitStatus end;
  if (WIFSIGNALED(wait_status)) {
    end.signal = WTERMSIG(wait_status);
  } else {
    end.status = WEXITSTATUS(wait_status);
  }
  return end;
}

}  // namespace

std::string ExitStatus::text() const {
  if (!signal) return "exit status " + std::to_string(status);
  const char* name = sigdescr_np(*signal);
  return "signal " + std::to_string(*signal) + (name ? " (" + std::string(name) + ")" : "");
}

ChildProcess::ChildProcess(const std::filesystem::path& program,
                           const std::vector<std::string>& arguments,
                           const ChildDescriptors& descriptors) {
  const Preparation prepared = prepare(program, arguments);
  keep_ends_of_children();
  pid_ = fork();
  if (pid_ == 0) become(prepared, descriptors);
  if (pid_ < 0) {
    throw Error(ErrorCode::SystemRefused,
                std::string("no process for a worker: ") + std::strerror(errno));
  }
}

ChildProcess::~ChildProcess() {
  kill();
  // One inside a call that a driver never ends is left: it ends, of the same signal, when it can.
  const auto until = std::chrono::steady_clock::now() + kLastWait;
  while (!try_reap() && std::chrono::steady_clock::now() < until) {
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
}

void ChildProcess::kill() {
  // Until it is reaped its id belongs to nobody else.
  if (!end_) ::kill(pid_, SIGKILL);
}

std::optional<ExitStatus> ChildProcess::try_reap() {
  int wait_status = 0;
  if (!end_ && waitpid(pid_, &wait_status, WNOHANG) == pid_) end_ = exit_status_from(wait_status);
  return end_;
}

std::int64_t ChildProcess::memory_bytes() const {
  if (end_) return 0;
  std::int64_t all_pages = 0, resident_pages = 0;
  std::ifstream("/proc/" + std::to_string(pid_) + "/statm") >> all_pages >> resident_pages;
  return resident_pages * sysconf(_SC_PAGESIZE);
}

std::int64_t ChildProcess::bytes_read() const {
  if (end_) return 0;
  std::ifstream counters("/proc/" + std::to_string(pid_) + "/io");
  std::int64_t bytes = 0;
  std::string name;
  std::int64_t value = 0;
  while (counters >> name >> value) {
    // By read(), and from the disk: what is mapped into memory is in the second alone.
    if (name == "rchar:" || name == "read_bytes:") bytes += value;
  }
  return bytes;
}

}  // namespace ssd1b
