#!/usr/bin/env python3
"""Draws a sheet: each prompt with the seeds 0 to 3, two prompts a row."""
from __future__ import annotations

import argparse
from pathlib import Path

from drawing import Model, sheet

PROMPTS = ["a red apple", "a blue car on a yellow background", "a green frog", "a cat",
           "a pink rocket on a light blue background", "two yellow stars", "a small purple fish", "a big white rabbit",
           "a penguin on a red background", "an orange butterfly", "a black umbrella on a green background", "two ghosts"]
SEEDS = range(4)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", type=Path, default=Path(__file__).resolve().parent.parent)
    parser.add_argument("--out", type=Path, required=True, help="PNG file")
    parser.add_argument("--device", default="cpu")
    parser.add_argument("prompts", nargs="*", default=PROMPTS)
    arguments = parser.parse_args()
    prompts = [prompt for prompt in arguments.prompts for _ in SEEDS]
    seeds = [*SEEDS] * len(arguments.prompts)
    pictures = list(Model(arguments.model, arguments.device).draw(prompts, seeds))
    sheet(pictures, prompts, columns=2 * len(SEEDS)).save(arguments.out)


if __name__ == "__main__":
    main()
