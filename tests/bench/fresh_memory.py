"""What memory costs that nobody has touched: fresh_memory.py [GB] [ROUNDS]

Maps 4.5 GB, as much as the weights of SSD-1B in half precision, touches every page of 4 KiB once, and does so with
pages of 4 KiB and of 2 MiB in turn. The first round may pay for the host's own search for memory.
"""

import mmap
import sys
import time

import numpy as np


def seconds_of(size, huge):
    memory = mmap.mmap(-1, size, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
    memory.madvise(mmap.MADV_HUGEPAGE if huge else mmap.MADV_NOHUGEPAGE)
    pages = np.frombuffer(memory, np.uint8)[::4096]
    began = time.perf_counter()
    pages[:] = 1
    return time.perf_counter() - began


def main():
    size = int(float(sys.argv[1] if len(sys.argv) > 1 else 4.5) * 2**30)
    for _ in range(int(sys.argv[2] if len(sys.argv) > 2 else 4)):
        small, large = seconds_of(size, huge=False), seconds_of(size, huge=True)
        print(f"pages of 4 KiB {small:.2f} s, of 2 MiB {large:.2f} s", flush=True)


if __name__ == "__main__":
    main()
