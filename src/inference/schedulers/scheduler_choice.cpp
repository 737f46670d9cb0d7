#include "inference/schedulers/scheduler_choice.h"

#include <algorithm>
#include <utility>

#include "inference/schedulers/scheduler_config.h"
#include "inference/schedulers/scheduler_list.h"
#include "ssd1b/error.h"
#include "ssd1b/request_limits.h"

namespace ssd1b {
namespace {

SchedulerConfig config_of(const SchedulerClass& of_class, const ConfigDocument& document) {
  return read_scheduler_config(document, of_class.keys, of_class.defaults);
}

const SchedulerClass& own_class_of(const ConfigDocument& document, const std::string& class_name) {
  if (const SchedulerClass* found = find_scheduler_class(class_name)) return *found;
  std::string classes;
  for (const SchedulerName& each : scheduler_names()) {
    const std::string known = each.class_name;
    if (classes.find(known) == std::string::npos) classes += (classes.empty() ? "" : ", ") + known;
  }
  throw Error(ErrorCode::BadModel, document.file().string() +
                                       ": the class, as model_index.json has it, must be one of " +
                                       classes + ", got " + class_name);
}

int max_steps_of(const SchedulerClass& of_class, const SchedulerConfig& config) {
  const int most = std::min(kMaxSteps, config.num_train_timesteps);
  return is_distilled(of_class) ? std::min(most, config.original_inference_steps) : most;
}

SchedulerInfo info_of(const SchedulerName& name, const SchedulerClass& of_class,
                      const SchedulerConfig& config) {
  SchedulerInfo info;
  info.name = name.name;
  info.class_name = of_class.name;
  info.max_steps = max_steps_of(of_class, config);
  while (info.min_steps < info.max_steps && of_class.count_calls(config, info.min_steps) == 0) {
    ++info.min_steps;
  }
  bool is_one_a_step = true;
  for (int steps = info.min_steps; steps <= info.max_steps; ++steps) {
    info.unet_calls.push_back(of_class.count_calls(config, steps));
    is_one_a_step = is_one_a_step && info.unet_calls.back() == steps;
  }
  if (is_one_a_step) info.unet_calls.clear();
  return info;
}

}  // namespace

struct SchedulerChoice::Entry {
  const SchedulerClass* of_class = nullptr;
  SchedulerConfig config;
};

SchedulerChoice::SchedulerChoice(const ConfigDocument& scheduler_config,
                                 const std::string& class_name)
    : own_class_(class_name) {
  const ConfigDocument document = without_defaults(scheduler_config);
  const SchedulerClass& own_class = own_class_of(document, class_name);
  own_is_distilled_ = is_distilled(own_class);
  const SchedulerConfig own = config_of(own_class, document);
  for (const SchedulerName& name : scheduler_names()) {
    const SchedulerClass* of_class = find_scheduler_class(name.class_name);
    try {
      const SchedulerConfig config = config_of(*of_class, document.with(name.settings));
      entries_.push_back({of_class, config});
      list_.push_back(info_of(name, *of_class, config));
      const bool is_own = class_name == name.class_name && config.algorithm == own.algorithm;
      if (is_own && own_name_.empty()) own_name_ = name.name;
    } catch (const Error&) {
      // What diffusers' class of another name would refuse is no fault of the folder.
    }
  }
}

SchedulerChoice::~SchedulerChoice() = default;
SchedulerChoice::SchedulerChoice(SchedulerChoice&&) noexcept = default;
SchedulerChoice& SchedulerChoice::operator=(SchedulerChoice&&) noexcept = default;

std::string SchedulerChoice::name_of(const std::string& asked) const {
  if (asked == own_class_) return own_name_;
  std::string names;
  for (const SchedulerInfo& each : list_) {
    if (asked == each.name || asked == each.class_name) return each.name;
    names += (names.empty() ? "" : ", ") + each.name;
  }
  throw Error(ErrorCode::InvalidValue, "scheduler must be one of " + names, "scheduler");
}

std::unique_ptr<Scheduler> SchedulerChoice::make(const std::string& name,
                                                 const SchedulerStart& start) const {
  for (std::size_t i = 0; i < list_.size(); ++i) {
    if (list_[i].name != name) continue;
    if (start.steps < list_[i].min_steps || start.steps > list_[i].max_steps) {
      throw Error(ErrorCode::InvalidValue,
                  "steps must be between " + std::to_string(list_[i].min_steps) + " and " +
                      std::to_string(list_[i].max_steps) + ", got " + std::to_string(start.steps) +
                      " (scheduler " + name + ")",
                  "steps");
    }
    return entries_[i].of_class->make(entries_[i].config, start);
  }
  throw Error(ErrorCode::InvalidValue, "scheduler " + name + " is not one of this model's",
              "scheduler");
}

}  // namespace ssd1b
