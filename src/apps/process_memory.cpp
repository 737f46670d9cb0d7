#include "apps/process_memory.h"

#include <malloc.h>

namespace ssd1b {
namespace {

constexpr int kKeptBytes = 1 << 30;

}  // namespace

void share_heaps(int count) { mallopt(M_ARENA_MAX, count); }

void keep_freed_memory() {
  share_heaps(1);  // the heaps of other threads hold no more than 64 MiB in one piece
  mallopt(M_MMAP_THRESHOLD, kKeptBytes);
  mallopt(M_TRIM_THRESHOLD, kKeptBytes);
}

}  // namespace ssd1b
