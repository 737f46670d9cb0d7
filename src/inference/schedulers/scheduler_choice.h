#pragma once

#include <memory>
#include <string>
#include <vector>

#include "inference/schedulers/scheduler.h"
#include "inference/weights/config_document.h"
#include "ssd1b/engine.h"

namespace ssd1b {

/// The schedulers that one model folder can be sampled with. Immutable.
class SchedulerChoice {
 public:
  /// From the folder's scheduler_config.json and the class that model_index.json has of it; by
  /// which class the settings were saved does not matter. Throws Error(BadModel) that names the
  /// file where the class is none of ours or the folder's own settings are ones that cannot be
  /// followed.
  SchedulerChoice(const ConfigDocument& scheduler_config, const std::string& class_name);
  ~SchedulerChoice();
  SchedulerChoice(SchedulerChoice&&) noexcept;
  SchedulerChoice& operator=(SchedulerChoice&&) noexcept;

  /// Names, classes and limits; a scheduler that cannot follow the folder's settings (as diffusers'
  /// class would refuse them) is left out.
  const std::vector<SchedulerInfo>& list() const { return list_; }
  /// The name of the folder's own scheduler.
  const std::string& own_name() const { return own_name_; }
  /// Whether the folder's own scheduler is for models distilled to few steps.
  bool own_is_distilled() const { return own_is_distilled_; }
  /// The name of a scheduler asked for by its name or by its diffusers class
  /// (EulerDiscreteScheduler). Throws Error(InvalidValue, param "scheduler") for another.
  std::string name_of(const std::string& asked) const;
  /// `name` is one of list(). Throws Error(InvalidValue) for another name or steps out of range.
  std::unique_ptr<Scheduler> make(const std::string& name, const SchedulerStart& start) const;

 private:
  struct Entry;

  std::vector<Entry> entries_;  // as list_
  std::vector<SchedulerInfo> list_;
  std::string own_class_;
  std::string own_name_;
  bool own_is_distilled_ = false;
};

}  // namespace ssd1b
