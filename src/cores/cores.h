#pragma once

namespace ssd1b {

/// How many threads should compute at once: the physical cores that this process may run on (its
/// affinity), but no more than its control group's CPU limit, and at least 1. Reads Linux's /sys
/// and /proc; what cannot be read does not limit.
int usable_cores();

}  // namespace ssd1b
