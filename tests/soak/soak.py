#!/usr/bin/env python3
"""The long form of the tests of load and faults: python3 tests/soak/soak.py SCENARIO [--option N]...

`all` runs every scenario one after the other. --short runs it as scripts/test does. README.md has what
each promises and what was found."""

import argparse
import inspect
import json
import sys
import time

from behind_proxies import proxies, rolling
from going_away import hang, sigterm
from many_requests import kills, replies
from short import SHORT
from timing import descriptors, overhead, overload, slow_heads

SCENARIOS = {
    each.__name__: each
    for each in (replies, kills, sigterm, overload, slow_heads, descriptors, overhead, hang, proxies,
                 rolling)
}


def parse(arguments):
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    commands = parser.add_subparsers(dest="scenario", required=True)
    for name in ["all", *SCENARIOS]:
        function = SCENARIOS.get(name)
        command = commands.add_parser(name, help=inspect.getdoc(function) if function else None)
        command.add_argument("--short", action="store_true", help="as scripts/test runs it")
        for option in inspect.signature(function).parameters.values() if function else ():
            flag = "--" + option.name.replace("_", "-")
            command.add_argument(flag, type=type(option.default), default=argparse.SUPPRESS,
                                 help=f"default {option.default}")
    return vars(parser.parse_args(arguments))


def run(name, options):
    began = time.monotonic()
    report = SCENARIOS[name](**options)
    figures = {"scenario": name, **options, **report.figures,
               "minutes": round((time.monotonic() - began) / 60, 1)}
    print(json.dumps(figures), flush=True)
    for miss in report.misses:
        print(f"{name}: does not hold: {miss}", flush=True)
    return not report.misses


def main():
    options = parse(sys.argv[1:])
    scenario, is_short = options.pop("scenario"), options.pop("short")
    names = [scenario] if scenario != "all" else list(SHORT if is_short else SCENARIOS)
    holds = [run(name, {**(SHORT[name] if is_short else {}), **options}) for name in names]
    return 0 if all(holds) else 1


if __name__ == "__main__":
    sys.exit(main())
