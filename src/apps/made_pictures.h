#pragma once

#include <string>

#include "options/options.h"
#include "ssd1b/engine.h"

namespace ssd1b {

/// The settings of a picture as JSON text for its file, as the server writes them; `model` is a
/// name.
std::string settings_text(const GenerationRequest& request, const std::string& model);

/// Makes the pictures of one command on an idle engine and writes their files, and the latents
/// where they are asked for. Says on standard error what was written and what is to be warned of.
/// Throws Error.
void make_pictures(Engine& engine, const GenerationRequest& first, const GenerateOptions& options);

}  // namespace ssd1b
