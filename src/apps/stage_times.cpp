#include "apps/stage_times.h"

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <ctime>
#include <nlohmann/json.hpp>
#include <numeric>
#include <utility>

namespace ssd1b {
namespace {

double cpu_ms_now() {
  timespec now{};
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
  return static_cast<double>(now.tv_sec) * 1e3 + static_cast<double>(now.tv_nsec) / 1e6;
}

double median(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  const std::size_t middle = values.size() / 2;
  return values.size() % 2 == 1 ? values[middle] : (values[middle - 1] + values[middle]) / 2.0;
}

/// The stage that a unit belongs to, by what it ended with.
const char* stage_of(const std::vector<PictureEvent>& events) {
  const char* stage = "text_encoder";
  for (const PictureEvent& event : events) {
    if (std::holds_alternative<PictureFinished>(event.what)) return "vae";
    if (std::holds_alternative<PictureProgress>(event.what)) stage = "unet_call";
  }
  return stage;
}

}  // namespace

StageTime time_of(const std::function<void()>& work) {
  const double cpu_began_ms = cpu_ms_now();
  const auto began = std::chrono::steady_clock::now();
  work();
  const std::chrono::duration<double, std::milli> wall = std::chrono::steady_clock::now() - began;
  return {wall.count(), cpu_ms_now() - cpu_began_ms};
}

void StageTimes::add(const std::string& stage, const StageTime& time) {
  if (times_.count(stage) == 0) order_.push_back(stage);
  times_[stage].push_back(time);
}

std::vector<StageTimes::Summary> StageTimes::summaries() const {
  std::vector<Summary> result;
  for (const std::string& stage : order_) {
    std::vector<double> walls, cpus;
    for (const StageTime& time : times_.at(stage)) {
      walls.push_back(time.wall_ms);
      cpus.push_back(time.cpu_ms);
    }
    const auto [low, high] = std::minmax_element(walls.begin(), walls.end());
    const double wall_ms = std::accumulate(walls.begin(), walls.end(), 0.0);
    const double cpu_ms = std::accumulate(cpus.begin(), cpus.end(), 0.0);
    result.push_back({stage, median(walls), *low, *high, wall_ms > 0.0 ? cpu_ms / wall_ms : 0.0,
                      std::move(walls), std::move(cpus)});
  }
  return result;
}

std::string StageTimes::json() const {
  nlohmann::ordered_json object = nlohmann::ordered_json::object();
  for (const Summary& each : summaries()) {
    object[each.stage] = {{"runs", each.walls_ms.size()},
                          {"median_ms", each.median_ms},
                          {"min_ms", each.min_ms},
                          {"max_ms", each.max_ms},
                          {"cpu_per_wall", each.cpu_per_wall},
                          {"walls_ms", each.walls_ms},
                          {"cpus_ms", each.cpus_ms}};
  }
  return object.dump(/*indent=*/2);
}

std::string StageTimes::table() const {
  std::string text = "stage              runs   median ms      min ms      max ms   cpu/wall\n";
  for (const Summary& each : summaries()) {
    char line[160];
    std::snprintf(line, sizeof line, "%-16s %6zu %11.2f %11.2f %11.2f %10.2f\n", each.stage.c_str(),
                  each.walls_ms.size(), each.median_ms, each.min_ms, each.max_ms,
                  each.cpu_per_wall);
    text += line;
  }
  return text;
}

GeneratedImage time_picture(Engine& engine, const GenerationRequest& request, StageTimes& times) {
  constexpr PictureId kId = 1;
  engine.admit(kId, request);
  for (;;) {
    std::vector<PictureEvent> events;
    const StageTime time = time_of([&] { events = engine.step(); });
    times.add(stage_of(events), time);
    for (PictureEvent& event : events) {
      if (auto* finished = std::get_if<PictureFinished>(&event.what)) {
        return std::move(finished->result);
      }
      if (const auto* failed = std::get_if<PictureFailed>(&event.what)) {
        throw Error(failed->code, failed->message);
      }
    }
  }
}

}  // namespace ssd1b
