"""What a scenario found."""

import os
import pathlib

MIB = 1024 * 1024


class Report:
    """Figures, and the promises that did not hold."""

    def __init__(self):
        self.figures = {}
        self.misses = []

    def add(self, name, value):
        self.figures[name] = value

    def require(self, holds, promise):
        if not holds:
            self.misses.append(promise)

    def require_whole(self, outcome):
        """Every request was answered once, rightly, or refused in words."""
        self.require(not outcome.faults, f"0 lost, doubled or wrong, got {dict(outcome.faults)}")
        self.misses += outcome.examples
        answered = outcome.right + outcome.refused.total()
        self.require(answered == outcome.sent, f"{outcome.sent} sent, {answered} answered")


def resident_bytes(pid):
    return int(pathlib.Path(f"/proc/{pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def cpu_seconds(pid):
    fields = pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def workers_of(server):
    """The process ids of a server's workers."""
    children = pathlib.Path(f"/proc/{server.process.pid}/task").glob("*/children")
    found = []
    for each in children:
        try:
            found += [int(pid) for pid in each.read_text().split()]
        except OSError:  # the thread has ended
            continue
    return found
