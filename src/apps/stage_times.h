#pragma once

#include <functional>
#include <map>
#include <string>
#include <vector>

#include "ssd1b/engine.h"

namespace ssd1b {

/// What one piece of work took.
struct StageTime {
  double wall_ms = 0.0;
  double cpu_ms = 0.0;  // of all threads of the process
};

/// Runs `work` and takes its time.
StageTime time_of(const std::function<void()>& work);

/// Times by stage, in the order in which the stages came first. Used by one thread.
class StageTimes {
 public:
  void add(const std::string& stage, const StageTime& time);

  /// A JSON object: for each stage runs, median_ms, min_ms, max_ms of the wall's clock,
  /// cpu_per_wall, how many cores worked on average, and of each run walls_ms and cpus_ms.
  std::string json() const;

  /// The same as a table for people.
  std::string table() const;

 private:
  struct Summary {
    std::string stage;
    double median_ms, min_ms, max_ms, cpu_per_wall;
    std::vector<double> walls_ms, cpus_ms;
  };
  std::vector<Summary> summaries() const;

  std::vector<std::string> order_;
  std::map<std::string, std::vector<StageTime>> times_;
};

/// Makes one picture on an idle engine, unit by unit, and adds the time of each unit: text_encoder,
/// unet_call (one each) and vae. Throws the picture's fault.
GeneratedImage time_picture(Engine& engine, const GenerationRequest& request, StageTimes& times);

}  // namespace ssd1b
