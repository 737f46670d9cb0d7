#pragma once

#include "options/options.h"
#include "ssd1b/engine.h"

namespace ssd1b {

/// Makes the pictures of one command on an idle engine and writes their files, and the latents
/// where they are asked for. Says on standard error what was written and what is to be warned of.
/// Throws Error.
void make_pictures(Engine& engine, const GenerationRequest& first, const GenerateOptions& options);

}  // namespace ssd1b
