"""The things that the model learns: pictures, words, own colours, and the pairs kept from training."""
from __future__ import annotations

import csv
from dataclasses import dataclass
from pathlib import Path

from colours import COLOURS

HERE = Path(__file__).resolve().parent
PICTURES = HERE / "pictures"

# Words that stand without "a" and that there are no two of.
NO_ARTICLE = {"grapes", "cherries", "blueberries", "peanuts", "pancakes", "glasses", "sunglasses", "jeans",
               "shorts", "scissors", "gloves", "socks", "headphones", "fries", "french fries", "popcorn", "books",
               "lightning", "bacon", "cheese", "broccoli", "garlic", "lettuce", "corn", "coffee", "honey", "beer",
               "milk", "wine", "meat", "rice", "fire", "coral", "yarn", "thread", "soap", "spaghetti", "sushi",
               "chocolate", "butter", "soda", "sparkles", "earth", "bread", "bubble tea", "shaved ice"}


@dataclass(frozen=True)
class Concept:
    """One line of concepts.tsv."""

    picture: str  # file in pictures/
    words: tuple[str, ...]  # what captions call it; the first is its name
    own_colour: str | None  # the colour word that fits the picture as it is
    recolour: str  # "hue": its main hue, "hue:N": the hue N degrees, "tint": its grey body, "no"
    in_core: bool  # one of the concepts with the cleanest shapes, which the small presets use

    @property
    def name(self) -> str:
        return self.words[0]

    @property
    def is_countable(self) -> bool:
        return NO_ARTICLE.isdisjoint(self.words)

    @property
    def colours(self) -> list[str]:
        """The colour words it can be drawn in."""
        return [c for c in COLOURS if self.recolour != "no" or c == self.own_colour]


def load_concepts(which: str = "all") -> list[Concept]:
    """`which`: "all", "core", or a number of concepts spread evenly over "core"."""
    with open(HERE / "concepts.tsv", newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file, delimiter="\t"))
    concepts = [Concept(row["picture"], tuple(row["words"].split(", ")),
                        None if row["own_colour"] == "-" else row["own_colour"],
                        row["recolour"], row["set"] == "core") for row in rows]
    if which == "all":
        return concepts
    core = [concept for concept in concepts if concept.in_core]
    if which == "core":
        return core
    step = len(core) / int(which)
    return [core[int(i * step)] for i in range(int(which))]


def held_out_pairs() -> set[tuple[str, str]]:
    """(concept, colour) pairs that training never draws: one for each concept that has all colours."""
    with open(HERE / "held_out_pairs.tsv", newline="", encoding="utf-8") as file:
        return {(row["concept"], row["colour"]) for row in csv.DictReader(file, delimiter="\t")}
