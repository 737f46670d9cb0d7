#pragma once

#include <initializer_list>
#include <vector>

#include "options/option.h"
#include "options/options.h"

namespace ssd1b {

// Parts of the programs' lists, bound to the structs; those must outlive the lists.
std::vector<Option> pipeline_list(PipelineOptions& to);
std::vector<Option> log_list(LogOptions& to);
std::vector<Option> picture_list(PictureOptions& to);

/// One list of several.
std::vector<Option> joined(std::initializer_list<std::vector<Option>> lists);

/// Fills in what depends on where the program is installed. Throws Error(Usage) where no model is
/// given and none comes with the program.
void complete(PipelineOptions& pipeline);

/// What a prompt must be in every dialect.
TextRule prompt_rule(bool may_be_empty);

}  // namespace ssd1b
