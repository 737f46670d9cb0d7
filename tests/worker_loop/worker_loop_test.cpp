#include "worker_loop/worker_loop.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <memory>
#include <thread>

#include "support/fake_engine.h"
#include "support/variables.h"
#include "wire/channel.h"
#include "wire/messages.h"

namespace ssd1b {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using Clock = std::chrono::steady_clock;

/// The server's end of a worker.
class Peer {
 public:
  explicit Peer(int descriptor) : channel_(descriptor) {}

  void send(ServerMessage message) {
    channel_.send(encode(std::move(message)));
    channel_.flush();
  }

  /// The next message of this kind, others skipped; none within ten seconds or at the end.
  template <typename Message>
  std::optional<Message> wait_for(milliseconds within = seconds(10)) {
    const auto until = Clock::now() + within;
    while (Clock::now() < until) {
      while (!messages_.empty()) {
        WorkerMessage message = std::move(messages_.front());
        messages_.pop_front();
        ticks_ += std::holds_alternative<TickMessage>(message);
        if (auto* wanted = std::get_if<Message>(&message)) return std::move(*wanted);
      }
      if (is_closed_) return std::nullopt;
      pollfd entry{channel_.descriptor(), POLLIN, 0};
      poll(&entry, 1, 20);
      Channel::Received received = channel_.receive();
      is_closed_ = received.is_closed;
      for (Frame& each : received.frames)
        messages_.push_back(decode_worker_message(std::move(each)));
    }
    return std::nullopt;
  }

  void send_garbage() {
    channel_.send(Frame{FrameType::Admit, 1, "nonsense", {}});
    channel_.flush();
  }
  int ticks() const { return ticks_; }

 private:
  Channel channel_;
  std::deque<WorkerMessage> messages_;
  bool is_closed_ = false;
  int ticks_ = 0;
};

GenerationRequest request(const std::string& prompt, int steps = 4) {
  GenerationRequest request = default_request(fake_model());
  request.prompt = prompt;
  request.steps = steps;
  return request;
}

/// run_worker in a thread of the test: for everything that ends in an orderly way.
class WorkerThread {
 public:
  explicit WorkerThread(OpenEngine open_engine) {
    const auto [one, other] = make_socket_pair();
    peer = std::make_unique<Peer>(one);
    thread_ = std::thread([this, descriptor = other, open = std::move(open_engine)] {
      status = run_worker(descriptor, open);
    });
  }
  ~WorkerThread() { stop(); }

  int stop() {
    if (!thread_.joinable()) return status;
    peer->send(StopMessage{});
    thread_.join();
    return status;
  }
  int join() {
    thread_.join();
    return status;
  }

  std::unique_ptr<Peer> peer;
  std::atomic<int> status{-1};

 private:
  std::thread thread_;
};

OpenEngine fake(FakeEngineOptions options = {}) {
  return [options](std::function<void()> tick) {
    FakeEngineOptions with_tick = options;
    with_tick.tick = std::move(tick);
    return std::make_unique<FakeEngine>(with_tick);
  };
}

TEST(WorkerLoop, IsReadyThenMakesPicturesThenStops) {
  WorkerThread worker(fake());

  const auto ready = worker.peer->wait_for<ReadyMessage>();
  ASSERT_TRUE(ready);
  EXPECT_EQ(ready->model.type, "fake");
  worker.peer->send(AdmitMessage{5, request("a red apple")});
  const auto finished = worker.peer->wait_for<FinishedMessage>();

  ASSERT_TRUE(finished);
  EXPECT_EQ(finished->id, 5u);
  EXPECT_EQ(finished->result.image.rgb, fake_picture(request("a red apple")).rgb);
  EXPECT_EQ(worker.stop(), 0);
}

TEST(WorkerLoop, MakesOneSmallPictureBeforeItIsReady) {
  FakeEngine* engine = nullptr;
  WorkerThread worker([&](std::function<void()>) {
    auto made = std::make_unique<FakeEngine>(FakeEngineOptions{});
    engine = made.get();
    return made;
  });

  ASSERT_TRUE(worker.peer->wait_for<ReadyMessage>());

  EXPECT_EQ(engine->steps_taken(), 4);  // an encoding, two UNet calls, a decode
}

TEST(WorkerLoop, ReportsProgressWithTheTimeOfItsUnit) {
  WorkerThread worker(fake());
  worker.peer->send(AdmitMessage{5, request("delay=30ms", 2)});

  const auto first = worker.peer->wait_for<ProgressMessage>();
  const auto second = worker.peer->wait_for<ProgressMessage>();

  ASSERT_TRUE(first && second);
  EXPECT_EQ(first->progress.step, 1);
  EXPECT_EQ(second->progress.step, 2);
  EXPECT_EQ(second->progress.steps, 2);
  EXPECT_GE(first->unit_ms, 30.0);
  EXPECT_LT(first->unit_ms, 200.0);
  EXPECT_EQ(first->unit_pictures, 1);
  EXPECT_TRUE(first->leads_unit);
}

TEST(WorkerLoop, PassesTicksOnWhileAUnitTakesLong) {
  WorkerThread worker(fake());
  ASSERT_TRUE(worker.peer->wait_for<ReadyMessage>());
  worker.peer->send(AdmitMessage{5, request("delay=400ms", 1)});

  ASSERT_TRUE(worker.peer->wait_for<FinishedMessage>());

  EXPECT_GE(worker.peer->ticks(), 5);  // at most one in 20 ms, however often the engine ticks
  EXPECT_LE(worker.peer->ticks(), 30);
}

TEST(WorkerLoop, MakesNoTickOfItsOwn) {
  WorkerThread worker(fake());
  ASSERT_TRUE(worker.peer->wait_for<ReadyMessage>());
  worker.peer->send(AdmitMessage{5, request("quiet@1", 2)});
  ASSERT_FALSE(worker.peer->wait_for<FinishedMessage>(milliseconds(200)));
  const int ticks = worker.peer->ticks();

  ASSERT_FALSE(worker.peer->wait_for<FinishedMessage>(milliseconds(80)));

  EXPECT_EQ(worker.peer->ticks(), ticks);
}

TEST(WorkerLoop, CancelEndsAPictureWithinAUnitAndWithoutAWord) {
  WorkerThread worker(fake());
  worker.peer->send(AdmitMessage{5, request("delay=20ms", 150)});
  ASSERT_TRUE(worker.peer->wait_for<ProgressMessage>());

  worker.peer->send(CancelMessage{5});
  worker.peer->send(AdmitMessage{6, request("a red apple", 150)});

  const auto finished = worker.peer->wait_for<FinishedMessage>();
  ASSERT_TRUE(finished);
  EXPECT_EQ(finished->id, 6u);
  EXPECT_EQ(worker.stop(), 0);
}

TEST(WorkerLoop, FinishDecodesAPictureAsItIs) {
  WorkerThread worker(fake());
  worker.peer->send(AdmitMessage{5, request("delay=10ms", 150)});
  ASSERT_TRUE(worker.peer->wait_for<ProgressMessage>());

  worker.peer->send(FinishMessage{5});

  EXPECT_TRUE(worker.peer->wait_for<FinishedMessage>(milliseconds(500)));
}

TEST(WorkerLoop, MessagesAboutUnknownPicturesAreNoFault) {
  WorkerThread worker(fake());
  worker.peer->send(CancelMessage{77});
  worker.peer->send(FinishMessage{78});
  worker.peer->send(AdmitMessage{5, request("a red apple")});

  EXPECT_TRUE(worker.peer->wait_for<FinishedMessage>());
}

TEST(WorkerLoop, MorePicturesThanPlacesWaitTheirTurn) {
  FakeEngineOptions options;
  options.max_pictures = 2;
  WorkerThread worker(fake(options));
  for (PictureId id = 1; id <= 5; ++id) {
    worker.peer->send(AdmitMessage{id, request("delay=2ms")});
  }

  for (int i = 0; i < 5; ++i) EXPECT_TRUE(worker.peer->wait_for<FinishedMessage>());
}

TEST(WorkerLoop, AFaultOfOnePictureIsAMessage) {
  WorkerThread worker(fake());
  worker.peer->send(AdmitMessage{1, request("nan@2")});
  const auto failed = worker.peer->wait_for<FailedMessage>();
  ASSERT_TRUE(failed);
  EXPECT_EQ(failed->code, ErrorCode::NonFiniteOutput);

  GenerationRequest wrong = request("a red apple");
  wrong.scheduler = "nonsense";
  worker.peer->send(AdmitMessage{2, wrong});
  const auto refused = worker.peer->wait_for<FailedMessage>();
  ASSERT_TRUE(refused);
  EXPECT_EQ(refused->id, 2u);
  EXPECT_EQ(refused->code, ErrorCode::InvalidValue);

  worker.peer->send(AdmitMessage{3, request("noroom")});
  const auto too_large = worker.peer->wait_for<FailedMessage>();
  ASSERT_TRUE(too_large);
  EXPECT_EQ(too_large->code, ErrorCode::OutOfMemory);
  EXPECT_EQ(worker.stop(), 0);
}

TEST(WorkerLoop, SaysWhyTheEngineCouldNotBeOpened) {
  const std::vector<std::pair<ErrorCode, int>> cases = {{ErrorCode::BadModel, 65},
                                                        {ErrorCode::NoDevice, 69},
                                                        {ErrorCode::Usage, 64},
                                                        {ErrorCode::OutOfMemory, 70}};
  for (const auto& [code, status] : cases) {
    WorkerThread worker([code = code](std::function<void()>) -> std::unique_ptr<Engine> {
      throw Error(code, "it was ordered so");
    });

    const auto fatal = worker.peer->wait_for<FatalMessage>();

    ASSERT_TRUE(fatal);
    EXPECT_EQ(fatal->code, code);
    EXPECT_EQ(fatal->message, "it was ordered so");
    EXPECT_EQ(worker.join(), status);
  }
}

TEST(WorkerLoop, SaysOnlyTheFirstLineOfAnotherLibrarysMessage) {
  WorkerThread worker([](std::function<void()>) -> std::unique_ptr<Engine> {
    throw std::runtime_error("no space\nbacktrace: #1");
  });

  const auto fatal = worker.peer->wait_for<FatalMessage>();

  ASSERT_TRUE(fatal);
  EXPECT_EQ(fatal->message, "no space");
  EXPECT_EQ(worker.join(), 70);
}

TEST(WorkerLoop, AFirstPictureThatIsNotFiniteIsABadModel) {
  FakeEngineOptions options;
  options.is_first_picture_nan = true;
  WorkerThread worker(fake(options));

  const auto fatal = worker.peer->wait_for<FatalMessage>();

  ASSERT_TRUE(fatal);
  EXPECT_EQ(fatal->code, ErrorCode::BadModel);
  EXPECT_EQ(worker.join(), 65);
}

/// ssd1b-fake-worker as a child: for ends that take the process along.
class WorkerProcessTest : public ::testing::Test {
 protected:
  WorkerProcessTest() {
    const auto [one, other] = make_socket_pair();
    const std::string descriptor = std::to_string(other);
    const std::string program = SSD1B_BIN_DIR "/ssd1b-fake-worker";
    pid = fork();
    if (pid == 0) {
      fcntl(other, F_SETFD, 0);
      execl(program.c_str(), program.c_str(), "--fd", descriptor.c_str(), nullptr);
      _exit(127);
    }
    close(other);
    peer = std::make_unique<Peer>(one);
  }

  /// The exit status; -1 where a signal ended it or it did not end within five seconds.
  int wait_for_end() const {
    const auto until = Clock::now() + seconds(5);
    int status = 0;
    while (waitpid(pid, &status, WNOHANG) == 0) {
      if (Clock::now() > until) return -1;
      std::this_thread::sleep_for(milliseconds(5));
    }
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
  }

  pid_t pid = -1;
  std::unique_ptr<Peer> peer;
};

TEST_F(WorkerProcessTest, EndsWithItsServerEvenInTheMiddleOfAUnit) {
  ASSERT_TRUE(peer->wait_for<ReadyMessage>());
  peer->send(AdmitMessage{1, request("hang@1")});
  std::this_thread::sleep_for(milliseconds(100));

  peer.reset();

  EXPECT_EQ(wait_for_end(), 0);
}

TEST_F(WorkerProcessTest, ALostDeviceEndsItWithStatus70) {
  peer->send(AdmitMessage{1, request("lost@2")});

  const auto fatal = peer->wait_for<FatalMessage>();

  ASSERT_TRUE(fatal);
  EXPECT_EQ(fatal->code, ErrorCode::DeviceLost);
  EXPECT_EQ(wait_for_end(), 70);
}

TEST_F(WorkerProcessTest, AnythingElseThatTheEngineThrowsIsALostDeviceToo) {
  peer->send(AdmitMessage{1, request("throw@1")});

  const auto fatal = peer->wait_for<FatalMessage>();

  ASSERT_TRUE(fatal);
  EXPECT_EQ(fatal->code, ErrorCode::DeviceLost);
  EXPECT_EQ(fatal->message, "not expected");
  EXPECT_EQ(wait_for_end(), 70);
}

TEST_F(WorkerProcessTest, MemoryThatRunsOutIsNoLostDevice) {
  peer->send(AdmitMessage{1, request("new@1")});

  const auto fatal = peer->wait_for<FatalMessage>();

  ASSERT_TRUE(fatal);
  EXPECT_EQ(fatal->code, ErrorCode::OutOfMemory);
  EXPECT_EQ(wait_for_end(), 70);
}

TEST_F(WorkerProcessTest, AGarbledServerEndsIt) {
  ASSERT_TRUE(peer->wait_for<ReadyMessage>());

  peer->send_garbage();

  EXPECT_EQ(wait_for_end(), 70);
}

}  // namespace
}  // namespace ssd1b
