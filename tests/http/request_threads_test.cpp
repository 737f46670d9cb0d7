#include "service/http/request_threads.h"

#include <gtest/gtest.h>
#include <pthread.h>

#include <chrono>
#include <future>
#include <set>
#include <thread>

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

  const RequestThreads::Ending nothing = [] {};
  EXPECT_FALSE(none_kept.run([&] { return nothing; }));
  EXPECT_TRUE(one_kept.run([&] {
    first_may_end.get_future().wait();
    return nothing;
  }));
  EXPECT_TRUE(one_kept.run([&]() -> RequestThreads::Ending {  // waits for the one
    return [&] { second_ran.set_value(); };
  }));
  first_may_end.set_value();

  second_ran.get_future().wait();
}

/// A client that sends its next request as soon as it has its reply.
TEST(RequestThreads, NeedNoMoreThreadsThanThereAreRequestsAtATime) {
  std::set<std::thread::id> used;
  std::promise<void> all_ran;
  RequestThreads threads(64);
  int left = 500;
  RequestThreads::Task task;
  task = [&]() -> RequestThreads::Ending {
    used.insert(std::this_thread::get_id());
    return [&] {
      if (--left == 0) return all_ran.set_value();
      threads.run(task);
      std::this_thread::sleep_for(std::chrono::microseconds(100));  // others would be as fast
    };
  };

  threads.run(task);
  all_ran.get_future().wait();

  EXPECT_EQ(used.size(), 1);
}

}  // namespace
}  // namespace ssd1b
