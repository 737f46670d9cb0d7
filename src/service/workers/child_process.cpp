#include "service/workers/child_process.h"

#include <fcntl.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstring>
#include <fstream>

#include "ssd1b/error.h"

namespace ssd1b {
namespace {

constexpr int kMostLikelyKilled = 1000;  // the end of oom_score_adj's scale
constexpr int kMoreLikelyThanServer = 500;
constexpr int kCannotRun = 71;

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

bool arrange_descriptors(const ChildDescriptors& descriptors) {
  const int null = open("/dev/null", O_RDONLY);
  if (null < 0 || dup2(null, STDIN_FILENO) < 0) return false;
  if (dup2(descriptors.output >= 0 ? descriptors.output : STDERR_FILENO, STDOUT_FILENO) < 0) {
    return false;
  }
  if (descriptors.socket < 0) {
    close_from(STDERR_FILENO + 1);
    return true;
  }
  // dup2 clears close-on-exec, but not where both are the same.
  const bool is_there = descriptors.socket == ChildProcess::kSocket
                            ? fcntl(ChildProcess::kSocket, F_SETFD, 0) == 0
                            : dup2(descriptors.socket, ChildProcess::kSocket) >= 0;
  close_from(ChildProcess::kSocket + 1);
  return is_there;
}

[[noreturn]] void become(const Preparation& prepared, const ChildDescriptors& descriptors) {
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (getppid() != prepared.parent) _exit(kCannotRun);  // the server ended before the line above
  arrange_signals();
  arrange_limits(prepared);
  if (arrange_descriptors(descriptors)) execv(prepared.argv[0], prepared.argv.data());
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
  pid_ = fork();
  if (pid_ == 0) become(prepared, descriptors);
  if (pid_ < 0) {
    throw Error(ErrorCode::SystemRefused,
                std::string("no process for a worker: ") + std::strerror(errno));
  }
}

ChildProcess::~ChildProcess() {
  kill();
  int wait_status = 0;
  while (!end_ && waitpid(pid_, &wait_status, 0) < 0 && errno == EINTR) {
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
