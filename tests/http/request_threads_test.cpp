#include "service/http/request_threads.h"

#include <gtest/gtest.h>
#include <pthread.h>

#include <future>

namespace ssd1b {
namespace {

/// While it lives the system gives no thread: it has no room for such a stack.
class NoThreads {
 public:
  NoThreads() {
    pthread_getattr_default_np(&before_);
    pthread_attr_t huge;
    pthread_attr_init(&huge);
    pthread_attr_setstacksize(&huge, std::size_t{1} << 46);
    pthread_setattr_default_np(&huge);
    pthread_attr_destroy(&huge);
  }
  ~NoThreads() {
    pthread_setattr_default_np(&before_);
    pthread_attr_destroy(&before_);
  }

 private:
  pthread_attr_t before_;
};

TEST(RequestThreads, RunATaskWhereTheSystemGivesNoThreadOnlyIfOneIsKept) {
  std::promise<void> first_may_end;
  std::promise<void> second_ran;
  RequestThreads none_kept(4);
  RequestThreads one_kept(4, /*keeps_one=*/true);
  const NoThreads refuses;

  EXPECT_FALSE(none_kept.run([] {}));
  EXPECT_TRUE(one_kept.run([&] { first_may_end.get_future().wait(); }));
  EXPECT_TRUE(one_kept.run([&] { second_ran.set_value(); }));  // waits for the one
  first_may_end.set_value();

  second_ran.get_future().wait();
}

}  // namespace
}  // namespace ssd1b
