"""How many threads a step should use on a machine that others use too."""
from __future__ import annotations

import os

import torch


class ThreadChooser:
    """One thread while others keep a core busy, all of them on a free machine.

    With a core shared, every OpenMP barrier waits for the thread that lost it: on two cores two
    threads were measured three times slower than one.
    """

    def __init__(self, most: int | None = None):
        self._most = most or len(os.sched_getaffinity(0))
        self._others = [0.0]
        self._now = self._most
        torch.set_num_threads(self._now)

    def choose(self) -> int:
        """Call once before each step; returns the number of threads now set."""
        try:
            with open("/proc/loadavg", encoding="ascii") as file:
                runnable = int(file.read().split()[3].split("/")[0]) - 1
        except OSError:  # not Linux
            return self._now
        self._others = (self._others + [min(runnable, 2)])[-10:]
        busy = sum(self._others) / len(self._others)
        wanted = 1 if busy > (0.6 if self._now > 1 else 0.3) else self._most
        if wanted != self._now:
            self._now = wanted
            torch.set_num_threads(wanted)
        return self._now
