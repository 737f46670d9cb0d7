#pragma once

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "inference/schedulers/scheduler.h"
#include "inference/schedulers/scheduler_config.h"

namespace ssd1b {

/// One class of diffusers that is followed here.
struct SchedulerClass {
  const char* name;  // EulerDiscreteScheduler
  std::unique_ptr<Scheduler> (*make)(const SchedulerConfig&, const SchedulerStart&);
  int (*count_calls)(const SchedulerConfig&, int steps);  // call_count.h
  SchedulerKeys keys;
  SchedulerConfig defaults;
};

/// One name that a request can ask for: a class with some settings that its folder does not decide.
struct SchedulerName {
  const char* name;  // euler_karras
  const char* class_name;
  std::vector<std::pair<std::string, std::string>> settings;  // keys and their values as JSON
};

/// Whether the class is for models distilled to few steps, which were trained to skip those between
/// (LCM, TCD).
bool is_distilled(const SchedulerClass& of_class);

/// The class of a name of diffusers; nullptr: none of ours.
const SchedulerClass* find_scheduler_class(const std::string& class_name);

/// Every name, in the order in which they are listed.
const std::vector<SchedulerName>& scheduler_names();

}  // namespace ssd1b
