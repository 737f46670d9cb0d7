#pragma once

#include <sys/types.h>

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

namespace ssd1b {

/// How a process has ended.
struct ExitStatus {
  int status = 0;             // where it ended by itself
  std::optional<int> signal;  // that killed it

  std::string text() const;  // as "exit status 3" or "signal 9 (Killed)"
};

/// What a child inherits; everything else of the server's is closed in it.
struct ChildDescriptors {
  int socket = -1;  // becomes descriptor 3
  int output = -1;  // becomes its standard output; else that is the server's standard error
};

/// A worker program as a child of this process. It dies with the thread that started it, has no
/// core files, ignores the signals that a terminal or an init system sends to a whole group (the
/// server says when it ends), and is what the kernel kills first when memory runs out. Used by one
/// thread, which must live as long as the process.
class ChildProcess {
 public:
  /// The descriptor number that ChildDescriptors::socket has in the child.
  static constexpr int kSocket = 3;

  /// Throws Error(SystemRefused). A program that cannot be run ends with 71.
  ChildProcess(const std::filesystem::path& program, const std::vector<std::string>& arguments,
               const ChildDescriptors& descriptors);
  ~ChildProcess();  // kills it and waits for its end, for a second at most
  ChildProcess(const ChildProcess&) = delete;
  ChildProcess& operator=(const ChildProcess&) = delete;

  pid_t pid() const { return pid_; }

  void kill();

  /// Its end, once it has ended; does not block.
  std::optional<ExitStatus> try_reap();

  /// Resident memory; 0 where it has ended.
  std::int64_t memory_bytes() const;

  /// What it has read from files and disks so far; 0 where the system does not tell.
  std::int64_t bytes_read() const;

 private:
  pid_t pid_ = -1;
  std::optional<ExitStatus> end_;
};

}  // namespace ssd1b
