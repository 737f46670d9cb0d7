#pragma once

#include <exception>

#include "ssd1b/engine.h"

namespace ssd1b {

/// What an exception out of a unit of work means for its picture: the boundary where libtorch's
/// errors become ours. Another library's text never leaves: it goes to the log. Throws
/// Error(DeviceLost) for an error after which the device does not answer any more.
PictureFailed fault_of(const std::exception& error);

}  // namespace ssd1b
