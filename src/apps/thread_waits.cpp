// How OpenMP's threads wait for each other; linked into every program that computes.
#include <sys/auxv.h>
#include <unistd.h>

#include <array>
#include <string_view>

namespace {

// By itself libgomp lets a waiting thread spin 300,000 turns before it sleeps. Where other programs
// want the cores too, that takes them from the thread that is waited for. 10,000 turns cost nothing
// on cores at rest; fewer cost less on busy ones, but up to half of the speed at rest
// (tests/bench/README.md).
constexpr const char* kShortSpin = "GOMP_SPINCOUNT=10000";

constexpr std::size_t kMaxVariables = 4096;

bool begins_with(std::string_view text, std::string_view start) {
  return text.substr(0, start.size()) == start;
}

bool decides_on_waits(const char* variable) {
  return begins_with(variable, "OMP_WAIT_POLICY=") || begins_with(variable, "GOMP_SPINCOUNT=");
}

/// Starts the program anew with a short spin, unless its user has decided on one. libgomp reads its
/// variables in a constructor, and ours would come after it: so this runs before those of all
/// libraries (libtorch's take 0.3 s), where only system calls may be made.
void choose_waits(int, char** argv, char** variables) {
  static std::array<char*, kMaxVariables + 2> all;
  std::size_t count = 0;
  for (; variables[count] != nullptr; ++count) {
    if (count == kMaxVariables || decides_on_waits(variables[count])) return;
    all[count] = variables[count];
  }
  all[count] = const_cast<char*>(kShortSpin);
  const auto* program = reinterpret_cast<const char*>(getauxval(AT_EXECFN));
  if (program != nullptr) execve(program, argv, all.data());
  // Where that fails, threads wait as they always did.
}

[[gnu::section(".preinit_array"), gnu::used]] void (*const kBeforeLibraries)(int, char**,
                                                                             char**) = choose_waits;

}  // namespace
