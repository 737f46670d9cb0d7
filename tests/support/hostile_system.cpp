// libssd1b-hostile.so: put before the C library with LD_PRELOAD it makes of the system a worse one.
//
//   SSD1B_HOSTILE_EVERY=N   of calls that read, write and wait every Nth is interrupted, every
//   other
//                           Nth moves one byte only; every Nth thread is refused
//   SSD1B_HOSTILE_CLOCK=1   the calendar's clock jumps a day ahead and back from call to call
//   SSD1B_HOSTILE_MEMORY=N  every Nth allocation of ssd1b-server and its libraries fails, while
//                           there is a file at the path in SSD1B_HOSTILE_MEMORY_WHILE
//
// Only calls that go through the C library's public names are reached, which those of our own code
// are.
#include <dlfcn.h>
#include <poll.h>
#include <pthread.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <ctime>

namespace {

constexpr time_t kDayS = 86400;

long number(const char* variable) {
  const char* text = std::getenv(variable);
  return text != nullptr ? std::atol(text) : 0;
}

/// The C library's own function of that name.
template <typename Function>
Function* original(const char* name) {
  return reinterpret_cast<Function*>(dlsym(RTLD_NEXT, name));
}

/// Whether this allocation is one of those that fail. Reached before main and inside dlsym: it
/// allocates nothing.
bool lacks_memory() {
  static const bool is_server = std::strcmp(program_invocation_short_name, "ssd1b-server") == 0;
  static const long every = is_server ? number("SSD1B_HOSTILE_MEMORY") : 0;
  static const char* const path = std::getenv("SSD1B_HOSTILE_MEMORY_WHILE");
  static std::atomic<long> calls{0};
  if (every == 0 || path == nullptr || ++calls % every != 0 || access(path, F_OK) != 0)
    return false;
  errno = ENOMEM;
  return true;
}

enum class Trouble { None, Interrupted, OneByte };

Trouble trouble() {
  static const long every = number("SSD1B_HOSTILE_EVERY");
  static std::atomic<long> calls{0};
  if (every == 0) return Trouble::None;
  const long call = ++calls;
  if (call % every != 0) return Trouble::None;
  return call / every % 2 == 0 ? Trouble::OneByte : Trouble::Interrupted;
}

time_t jump_s() {
  static const bool jumps = number("SSD1B_HOSTILE_CLOCK") != 0;
  static std::atomic<long> calls{0};
  if (!jumps) return 0;
  return ++calls % 2 == 0 ? kDayS : -kDayS;
}

/// `call` with the size that the trouble leaves; -1 and EINTR where it is interrupted.
template <typename Call>
auto troubled(std::size_t size, const Call& call) -> decltype(call(size)) {
  switch (trouble()) {
    case Trouble::Interrupted:
      errno = EINTR;
      return -1;
    case Trouble::OneByte:
      return call(std::min<std::size_t>(size, 1));
    case Trouble::None:
      break;
  }
  return call(size);
}

template <typename Call>
int interrupted(const Call& call) {
  if (trouble() == Trouble::None) return call();
  errno = EINTR;
  return -1;
}

}  // namespace

extern "C" {

// The C library's own names for them.
void* __libc_malloc(size_t size);
void* __libc_calloc(size_t count, size_t size);
void* __libc_realloc(void* memory, size_t size);
void* __libc_memalign(size_t alignment, size_t size);

void* malloc(size_t size) { return lacks_memory() ? nullptr : __libc_malloc(size); }

void* calloc(size_t count, size_t size) {
  // The C library ends the process where it has no memory for the destructors of a thread's
  // objects.
  static const Dl_info c_library = [] {
    Dl_info info{};
    dladdr(reinterpret_cast<void*>(&__libc_calloc), &info);
    return info;
  }();
  Dl_info caller{};
  const bool is_for_itself =
      dladdr(__builtin_return_address(0), &caller) != 0 && caller.dli_fbase == c_library.dli_fbase;
  return !is_for_itself && lacks_memory() ? nullptr : __libc_calloc(count, size);
}

void* realloc(void* memory, size_t size) {
  return lacks_memory() ? nullptr : __libc_realloc(memory, size);
}

void* aligned_alloc(size_t alignment, size_t size) {
  return lacks_memory() ? nullptr : __libc_memalign(alignment, size);
}

int posix_memalign(void** memory, size_t alignment, size_t size) {
  *memory = aligned_alloc(alignment, size);
  return *memory == nullptr ? ENOMEM : 0;
}

ssize_t sendmsg(int fd, const msghdr* message, int flags) {
  static auto* const next = original<decltype(sendmsg)>("sendmsg");
  // One byte of the first piece that has any, or all.
  msghdr some = *message;
  iovec byte{};
  return troubled(SIZE_MAX, [&](size_t size) {
    if (size == 1) {
      for (size_t i = 0; i < message->msg_iovlen && byte.iov_len == 0; ++i) {
        byte = {message->msg_iov[i].iov_base, std::min<size_t>(message->msg_iov[i].iov_len, 1)};
      }
      some.msg_iov = &byte;
      some.msg_iovlen = 1;
    }
    return next(fd, &some, flags);
  });
}

ssize_t send(int fd, const void* data, size_t size, int flags) {
  static auto* const next = original<decltype(send)>("send");
  return troubled(size, [&](size_t some) { return next(fd, data, some, flags); });
}

ssize_t recv(int fd, void* data, size_t size, int flags) {
  static auto* const next = original<decltype(recv)>("recv");
  return troubled(size, [&](size_t some) { return next(fd, data, some, flags); });
}

int poll(pollfd* entries, nfds_t count, int timeout_ms) {
  static auto* const next = original<decltype(poll)>("poll");
  return interrupted([&] { return next(entries, count, timeout_ms); });
}

int epoll_wait(int fd, epoll_event* events, int count, int timeout_ms) {
  static auto* const next = original<decltype(epoll_wait)>("epoll_wait");
  return interrupted([&] { return next(fd, events, count, timeout_ms); });
}

int accept4(int fd, sockaddr* address, socklen_t* size, int flags) {
  static auto* const next = original<decltype(accept4)>("accept4");
  return interrupted([&] { return next(fd, address, size, flags); });
}

int pthread_create(pthread_t* thread, const pthread_attr_t* attributes, void* (*run)(void*),
                   void* argument) {
  static auto* const next = original<decltype(pthread_create)>("pthread_create");
  static std::atomic<long> threads{0};
  static const long every = number("SSD1B_HOSTILE_EVERY");
  constexpr long kOfTheProgram = 16;  // without which it cannot begin
  const long thread_number = ++threads;
  if (every != 0 && thread_number > kOfTheProgram && thread_number % every == 0) return EAGAIN;
  return next(thread, attributes, run, argument);
}

int clock_gettime(clockid_t clock, timespec* time) {
  static auto* const next = original<decltype(clock_gettime)>("clock_gettime");
  const int result = next(clock, time);
  if (clock == CLOCK_REALTIME) time->tv_sec += jump_s();
  return result;
}

int gettimeofday(timeval* time, void* zone) {
  static auto* const next = original<int(timeval*, void*)>("gettimeofday");
  const int result = next(time, zone);
  time->tv_sec += jump_s();
  return result;
}

time_t time(time_t* result) {
  static auto* const next = original<time_t(time_t*)>("time");
  const time_t now = next(nullptr) + jump_s();
  if (result != nullptr) *result = now;
  return now;
}

}  // extern "C"
