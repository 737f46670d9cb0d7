#pragma once

namespace ssd1b {

/// How glibc's malloc treats a process's memory. Both are to be called before other threads begin.

/// At most `count` heaps for all threads. Many would each have holes of their own, and resident
/// memory would creep with the luck of the draw.
void share_heaps(int count);

/// Freed memory, up to 1 GiB, stays for the next allocation. By itself malloc gives large blocks
/// back at once, and a tensor's every page is a fault again in each layer (tests/bench/README.md).
void keep_freed_memory();

}  // namespace ssd1b
