#include "support/fake_engine.h"

#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <cstdlib>
#include <new>
#include <thread>
#include <utility>

namespace ssd1b {
namespace {

constexpr std::chrono::milliseconds kTickEvery{5};

/// What an encoder's tokenizer would count, near enough: one token a word and two specials.
int prompt_tokens_of(const std::string& prompt) {
  int words = 0;
  bool is_in_word = false;
  for (const char c : prompt) {
    const bool is_space = c == ' ' || c == '\t' || c == '\n';
    if (!is_space && !is_in_word) ++words;
    is_in_word = !is_space;
  }
  return words + 2;
}

}  // namespace

FakeEngine::FakeEngine(FakeEngineOptions options)
    : options_(std::move(options)), model_(fake_model(options_.device, options_.max_pictures)) {
  if (!options_.is_first_time) {
    options_.is_first_time = [this](const std::string& key) {
      return seen_faults_.insert(key).second;
    };
  }
}

bool FakeEngine::has_room_for(const GenerationRequest& request) const {
  // `noroom`: a picture that no memory holds.
  return request.prompt.find("noroom") == std::string::npos;
}

void FakeEngine::admit(PictureId id, const GenerationRequest& request) {
  check_request(request, model_);
  Picture picture;
  picture.id = id;
  picture.request = request;
  picture.words = fault_words_of(request.prompt);
  picture.calls = work_of(request, model_).unet_calls;
  pictures_.push_back(std::move(picture));
}

void FakeEngine::cancel(PictureId id) {
  const auto is_it = [&](const Picture& each) { return each.id == id; };
  pictures_.erase(std::remove_if(pictures_.begin(), pictures_.end(), is_it), pictures_.end());
}

void FakeEngine::finish(PictureId id) {
  for (Picture& each : pictures_) {
    if (each.id == id) each.is_to_finish = true;
  }
}

FakeEngine::Picture& FakeEngine::next_picture() {
  const int patience = 4 * static_cast<int>(pictures_.size());
  const auto comes_first = [&](const Picture& a, const Picture& b) {
    const bool a_waited = a.passed_over >= patience, b_waited = b.passed_over >= patience;
    if (a_waited != b_waited) return a_waited;
    return a.calls - a.calls_done < b.calls - b.calls_done;
  };
  Picture& next = *std::min_element(pictures_.begin(), pictures_.end(), comes_first);
  for (Picture& each : pictures_) ++each.passed_over;
  next.passed_over = 0;
  return next;
}

std::vector<PictureEvent> FakeEngine::step() {
  if (pictures_.empty()) return {};
  ++steps_taken_;
  Picture& picture = next_picture();
  if (!picture.is_encoded) {
    picture.is_encoded = true;
    return {};
  }
  if (picture.is_to_finish || picture.calls_done == picture.calls) return decode(picture);
  const int previews_due =
      picture.calls_done * (picture.request.previews + 1) / std::max(picture.calls, 1);
  if (picture.previews_made < previews_due) {
    picture.previews_made = previews_due;
    return preview(picture);
  }
  return call_unet(picture);
}

FakeEngine::Outcome FakeEngine::preview(const Picture& picture) {
  Outcome outcome;
  outcome.push_back({picture.id, PicturePreview{fake_picture(picture.request, picture.calls_done),
                                                picture.calls_done, picture.calls}});
  return outcome;
}

FakeEngine::Outcome FakeEngine::call_unet(Picture& picture) {
  spend(picture.words.delay + options_.step_time);
  ++picture.calls_done;
  if (std::optional<Outcome> outcome = commit_faults(picture)) return *outcome;
  return {{picture.id, PictureProgress{picture.calls_done, picture.calls}}};
}

void FakeEngine::spend(std::chrono::microseconds time) const {
  const auto until = std::chrono::steady_clock::now() + time;
  for (;;) {
    if (options_.tick) options_.tick();
    const auto left = until - std::chrono::steady_clock::now();
    if (left <= left.zero()) return;
    std::this_thread::sleep_for(std::min<std::chrono::nanoseconds>(left, kTickEvery));
  }
}

std::optional<FakeEngine::Outcome> FakeEngine::commit_faults(const Picture& picture) {
  for (const Fault& fault : picture.words.faults) {
    if (fault.at_step != picture.calls_done) continue;
    const std::string key = fault.word + "-" + std::to_string(picture.request.seed);
    if (fault.is_once && !options_.is_first_time(key)) continue;
    return commit(fault, picture);
  }
  return std::nullopt;
}

FakeEngine::Outcome FakeEngine::commit(const Fault& fault, const Picture& picture) {
  const PictureId id = picture.id;
  if (fault.word == "oom") {
    return end(id, {id, PictureFailed{ErrorCode::OutOfMemory, "the device's memory ran out"}});
  }
  if (fault.word == "nan") {
    return end(id, {id, PictureFailed{ErrorCode::NonFiniteOutput, "latents hold NaN"}});
  }
  if (fault.word == "fail") {
    return end(id, {id, PictureFailed{ErrorCode::InternalError, "this is a bug"}});
  }
  if (fault.word == "lost") throw Error(ErrorCode::DeviceLost, "the device does not answer");
  if (fault.word == "throw") throw std::runtime_error("not expected\nwith a second line");
  if (fault.word == "new") throw std::bad_alloc();
  if (fault.word == "abort") std::abort();
  if (fault.word == "segv") std::raise(SIGSEGV);
  if (fault.word == "exit") _exit(fault.status);
  if (fault.word == "garbage" && options_.garble) options_.garble();
  if (fault.word == "wrong") {
    Picture other = picture;
    ++other.request.seed;
    return decode(other);
  }
  if (fault.word == "strange") {
    Picture other = picture;
    other.request.width_px *= 2;
    return preview(other);
  }
  if (fault.word == "quiet") {
    std::this_thread::sleep_for(std::chrono::milliseconds(300));  // no tick, but it ends
  }
  while (fault.word == "hang") std::this_thread::sleep_for(std::chrono::hours(1));
  return {};
}

FakeEngine::Outcome FakeEngine::decode(const Picture& picture) {
  if (options_.is_first_picture_nan && !std::exchange(has_made_one_, true)) {
    return end(picture.id,
               {picture.id, PictureFailed{ErrorCode::NonFiniteOutput, "the picture holds NaN"}});
  }
  GeneratedImage made;
  made.image = fake_picture(picture.request, picture.calls_done);
  made.seed = picture.request.seed;
  made.prompt_tokens = prompt_tokens_of(picture.request.prompt);
  made.prompt_token_limit = model_.prompt_token_limit;
  if (made.prompt_tokens > made.prompt_token_limit) {
    made.warnings.push_back({"prompt_truncated", "the prompt is longer than the encoders read"});
  }
  return end(picture.id, {picture.id, PictureFinished{std::move(made)}});
}

FakeEngine::Outcome FakeEngine::end(PictureId id, PictureEvent event) {
  cancel(id);
  Outcome outcome;
  outcome.push_back(std::move(event));
  return outcome;
}

}  // namespace ssd1b
