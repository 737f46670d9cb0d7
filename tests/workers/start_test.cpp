// Starting workers: devices, statuses, restarts, and no orphans.
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <ctime>
#include <fstream>
#include <sstream>

#include "workers/dispatcher_fixture.h"

namespace ssd1b {
namespace {

class WorkerStartTest : public DispatcherTest {
 protected:
  Error fatal_error() {
    EXPECT_TRUE(eventually([&] { return dispatcher->fatal().has_value(); }));
    return dispatcher->fatal().value_or(Error(ErrorCode::InternalError, "none"));
  }

  static std::string gpu(const std::string& name, bool usable) {
    return "{\"name\": \"" + name + "\", \"usable\": " + (usable ? "true" : "false") +
           ", \"why_not\": " + (usable ? "null" : "\"the driver is too old\"") +
           ", \"description\": \"\", \"memory_bytes\": 1}";
  }

  void list_gpus(bool first_usable, bool second_usable) {
    tuning.has_gpu_driver = true;
    variables.set("SSD1B_FAKE_DEVICES",
                  "[" + gpu("cuda:0", first_usable) + "," + gpu("cuda:1", second_usable) + "]");
  }
};

TEST_F(WorkerStartTest, ABadModelEndsTheServiceAtOnce) {
  variables.set("SSD1B_FAKE_LOAD_STATUS", "65");
  start();

  const Error error = fatal_error();

  EXPECT_EQ(error.code(), ErrorCode::BadModel);
  EXPECT_EQ(exit_status_of(error.code()), 65);
  EXPECT_STREQ(error.what(), "unet/config.json was ordered to be wrong");
  EXPECT_FALSE(dispatcher->state().ready);
  EXPECT_EQ(restarts("crash"), 0);
}

TEST_F(WorkerStartTest, AFirstPictureThatIsNotFiniteIsABadModel) {
  variables.set("SSD1B_FAKE_FIRST_NAN", "1");
  start();

  const Error error = fatal_error();

  EXPECT_EQ(error.code(), ErrorCode::BadModel);
  EXPECT_NE(std::string(error.what()).find("not finite"), std::string::npos) << error.what();
}

TEST_F(WorkerStartTest, NoDeviceAndWrongFlagsEndTheServiceAtOnce) {
  variables.set("SSD1B_FAKE_LOAD_STATUS", "69");
  start();
  EXPECT_EQ(fatal_error().code(), ErrorCode::NoDevice);

  dispatcher.reset();
  variables.set("SSD1B_FAKE_LOAD_STATUS", "64");
  start();
  EXPECT_EQ(fatal_error().code(), ErrorCode::Usage);
}

TEST_F(WorkerStartTest, FiveStartsThatFailInARowAreEnough) {
  variables.set("SSD1B_FAKE_LOAD_STATUS", "1");
  start();

  const Error error = fatal_error();

  EXPECT_EQ(exit_status_of(error.code()), 70);
  EXPECT_NE(std::string(error.what()).find("five times"), std::string::npos) << error.what();
  EXPECT_NE(std::string(error.what()).find("exit status 1"), std::string::npos) << error.what();
  EXPECT_EQ(restarts("crash"), 5);
}

TEST_F(WorkerStartTest, AServiceThatHasGivenUpIsIdle) {
  variables.set("SSD1B_FAKE_LOAD_STATUS", "65");
  start();
  fatal_error();

  const std::clock_t began = std::clock();
  std::this_thread::sleep_for(milliseconds(300));

  EXPECT_LT(std::clock() - began, CLOCKS_PER_SEC / 10);
}

TEST_F(WorkerStartTest, FourStartsThatFailAreNot) {
  remember_faults();
  variables.set("SSD1B_FAKE_FAILING_STARTS", "4");
  start_ready();

  EXPECT_EQ(restarts("crash"), 4);
  expect_right_picture(*submit("a red apple"));
}

TEST_F(WorkerStartTest, AProgramThatCannotBeRunEndsInStatus70) {
  options.worker = "/nowhere/ssd1b-worker";
  start();

  EXPECT_EQ(exit_status_of(fatal_error().code()), 70);
}

TEST_F(WorkerStartTest, ALoadThatHangsCountsAsAFailedStart) {
  variables.set("SSD1B_FAKE_HANGING_DEVICES", "cpu");
  tuning.hang_floor = milliseconds(100);
  start();

  EXPECT_EQ(exit_status_of(fatal_error().code()), 70);
  EXPECT_EQ(restarts("hung"), 5);
}

TEST_F(WorkerStartTest, ASlowLoadThatTicksIsNotAHungOne) {
  variables.set("SSD1B_FAKE_LOAD_TIME", "2500ms");
  tuning.hang_floor = seconds(1);
  start_ready();

  EXPECT_EQ(restarts("hung"), 0);
}

TEST_F(WorkerStartTest, ALoadFromASlowDiskIsNotAHungOne) {
  variables.set("SSD1B_FAKE_SLOW_DISK", "2500ms");
  tuning.hang_floor = seconds(1);
  start_ready();

  EXPECT_EQ(restarts("hung"), 0);
}

TEST_F(WorkerStartTest, AutomaticTakesEveryUsableGpu) {
  options.pipeline.device = "auto";
  list_gpus(true, true);
  start_ready();

  EXPECT_TRUE(eventually([&] {
    return metric("ssd1b_worker_ready{device=\"cuda:0\"}") == 1 &&
           metric("ssd1b_worker_ready{device=\"cuda:1\"}") == 1;
  }));
}

TEST_F(WorkerStartTest, AutomaticTakesTheCpuWhereTheListFails) {
  options.pipeline.device = "auto";
  tuning.has_gpu_driver = true;
  variables.set("SSD1B_FAKE_DEVICES", "no list");
  start_ready();

  EXPECT_FALSE(dispatcher->fatal());
  EXPECT_EQ(dispatcher->state().model->device, "cpu");
}

TEST_F(WorkerStartTest, AutomaticLeavesOutAGpuThatFails) {
  options.pipeline.device = "auto";
  list_gpus(true, true);
  variables.set("SSD1B_FAKE_BAD_DEVICES", "cuda:0");
  start_ready();

  EXPECT_FALSE(dispatcher->fatal());
  EXPECT_EQ(dispatcher->state().model->device, "cuda:1");
  expect_right_picture(*submit("a red apple"));
}

TEST_F(WorkerStartTest, AutomaticFallsBackToTheCpuWhenAllGpusFail) {
  options.pipeline.device = "auto";
  list_gpus(false, true);
  variables.set("SSD1B_FAKE_BAD_DEVICES", "cuda:1");
  start_ready();

  EXPECT_EQ(dispatcher->state().model->device, "cpu");
}

TEST_F(WorkerStartTest, CudaWithoutAUsableGpuEndsInStatus69) {
  options.pipeline.device = "cuda";
  list_gpus(false, false);
  start();

  const Error error = fatal_error();

  EXPECT_EQ(error.code(), ErrorCode::NoDevice);
  EXPECT_NE(std::string(error.what()).find("the driver is too old"), std::string::npos);
}

TEST_F(WorkerStartTest, CudaWithoutADriverEndsInStatus69WithoutAskingAnyone) {
  options.worker = "/nowhere/ssd1b-worker";
  options.pipeline.device = "cuda:0";
  tuning.has_gpu_driver = false;
  start();

  const Error error = fatal_error();

  EXPECT_EQ(error.code(), ErrorCode::NoDevice);
  EXPECT_NE(std::string(error.what()).find("driver 580 or newer"), std::string::npos);
}

TEST_F(WorkerStartTest, ADeviceThatKeepsFailingDoesNotEndAServiceThatHasAnother) {
  options.pipeline.device = "cpu,cuda:1";
  tuning.has_gpu_driver = true;
  tuning.first_restart_delay = milliseconds(5);
  variables.set("SSD1B_FAKE_EXITING_DEVICES", "cuda:1");
  start_ready();

  EXPECT_TRUE(eventually([&] { return restarts("crash", "cuda:1") >= 6; }));

  EXPECT_FALSE(dispatcher->fatal());
  expect_right_picture(*submit("a red apple"));
}

TEST_F(WorkerStartTest, WorkGoesWhereItIsDoneFirst) {
  options.pipeline.device = "cuda:0,cuda:1";
  tuning.has_gpu_driver = true;
  variables.set("SSD1B_FAKE_SLOW_DEVICES", "cuda:0");  // 200 ms a call
  variables.set("SSD1B_FAKE_STEP_TIME", "2ms");        // of the other
  start_ready();
  ASSERT_TRUE(eventually([&] {
    return metric("ssd1b_worker_ready{device=\"cuda:0\"}") == 1 &&
           metric("ssd1b_worker_ready{device=\"cuda:1\"}") == 1;
  }));
  // Both have been measured after these.
  const auto one = submit("first", 1), other = submit("second", 2);
  expect_right_picture(*one);
  expect_right_picture(*other);
  const auto start_time = Clock::now();

  std::vector<std::shared_ptr<Job>> jobs;
  for (int i = 0; i < 8; ++i) jobs.push_back(submit("a red apple", 10 + i));
  for (const auto& job : jobs) expect_right_picture(*job);

  // On the fast one they take 8 ms each; any on the slow one would take 800 ms.
  EXPECT_LT(Clock::now() - start_time, milliseconds(700));
}

TEST_F(WorkerStartTest, WorkersHaveNoCoresNoForeignDescriptorsAndDieFirst) {
  start_ready();
  std::string pid;  // other children may be left of other tests
  for (const auto& entry : std::filesystem::directory_iterator("/proc/self/task")) {
    std::ifstream children(entry.path() / "children");
    for (std::string child, name; children >> child;) {
      std::getline(std::ifstream("/proc/" + child + "/comm"), name);
      if (name == "ssd1b-fake-work") pid = child;
    }
  }
  ASSERT_FALSE(pid.empty());
  const std::string proc = "/proc/" + pid;

  std::ifstream limits(proc + "/limits");
  std::stringstream text;
  text << limits.rdbuf();
  EXPECT_NE(text.str().find("Max core file size        0                    0"), std::string::npos);
  int own = 0, score = 0;
  std::ifstream("/proc/self/oom_score_adj") >> own;
  std::ifstream(proc + "/oom_score_adj") >> score;
  EXPECT_GT(score, own);
  // 0, 1, 2, the socket, and the event between the worker's own threads.
  int descriptors = 0;
  for ([[maybe_unused]] const auto& each : std::filesystem::directory_iterator(proc + "/fd")) {
    ++descriptors;
  }
  EXPECT_LE(descriptors, 5);
}

/// The server's process is killed and cannot say goodbye.
TEST_F(WorkerStartTest, NoWorkerOutlivesItsServer) {
  int ends[2];
  ASSERT_EQ(pipe(ends), 0);
  const std::string program = SSD1B_BIN_DIR "/../tests/workers_orphan_server";
  const pid_t server = fork();
  if (server == 0) {
    dup2(ends[1], STDOUT_FILENO);
    execl(program.c_str(), program.c_str(), options.worker.c_str(), nullptr);
    _exit(127);
  }
  close(ends[1]);
  pid_t worker = 0;
  ASSERT_EQ(read(ends[0], &worker, sizeof worker), ssize_t{sizeof worker});
  ASSERT_EQ(kill(worker, 0), 0);

  kill(server, SIGKILL);
  int status = 0;
  waitpid(server, &status, 0);

  // Somebody else reaps it: until then it is a zombie, which is dead enough.
  EXPECT_TRUE(eventually(
      [&] {
        std::ifstream stat("/proc/" + std::to_string(worker) + "/stat");
        std::string pid, name, state;
        return !(stat >> pid >> name >> state) || state == "Z" || state == "X";
      },
      seconds(2)));
  close(ends[0]);
}

}  // namespace
}  // namespace ssd1b
