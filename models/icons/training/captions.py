"""Captions of scenes, made from templates; a scene is captioned anew each time it is seen."""
from __future__ import annotations

import random
from collections.abc import Iterable

from colours import BACKGROUNDS, COLOURS
from concepts import NO_ARTICLE, Concept
from scenes import Scene
from sprites import Sprites

PREFIXES = ("a photo of ", "a picture of ", "an image of ", "an emoji of ", "a 3d icon of ", "a 3d render of ",
            "an illustration of ", "a drawing of ")
ADJECTIVES = ("a cute ", "a beautiful ", "one ", "the ")
SUFFIXES = (", high quality", ", 4k", ", detailed", ", 3d render", ", best quality", ", digital art", ", sharp",
            ", emoji", ", icon", ", cute")
SIZE_WORDS = {"small": ("small", "small", "little", "tiny"), "big": ("big", "big", "large")}
_IRREGULAR = {"fish": "fish", "tropical fish": "tropical fish", "mouse": "mice", "wolf": "wolves",
              "sheep": "sheep", "shrimp": "shrimp", "squid": "squid", "deer": "deer", "goose": "geese",
              "leaf": "leaves", "maple leaf": "maple leaves", "slice of pizza": "slices of pizza",
              "cup of coffee": "cups of coffee", "mug of beer": "mugs of beer", "glass of wine": "glasses of wine",
              "glass of milk": "glasses of milk", "bowl of rice": "bowls of rice", "knife": "knives"}


def caption(rng: random.Random, scene: Scene, sprites: Sprites) -> str:
    """Lower case. The picture's own colour is named in a third of the captions, white rarely."""
    sprite = sprites.index[scene.sprite]
    concept = sprites.concepts[sprite.concept]
    word = concept.name if rng.random() < 0.7 else rng.choice(concept.words)
    colour = sprite.colour or (concept.own_colour if rng.random() < 0.35 else None)
    size = rng.choice(SIZE_WORDS[scene.size]) if scene.size else None
    if scene.count == 2:
        thing = " ".join(filter(None, ["two", colour, plural(word)]))
    else:
        thing = _single(rng, word, " ".join(filter(None, [size, colour, word])))
    return thing + _background(rng, scene.background) + (rng.choice(SUFFIXES) if rng.random() < 0.12 else "")


def plain_caption(concept: Concept, colour: str | None, background: str | None, size: str | None = None) -> str:
    """As a user would ask: "a small red car on a blue background"."""
    words = " ".join(filter(None, [size, colour, concept.name]))
    text = with_article(words, concept.name)
    return text + (f" on {with_article(background + ' background')}" if background else "")


def with_article(words: str, noun: str = "") -> str:
    if noun in NO_ARTICLE:
        return words
    return ("an " if words[0] in "aeiou" and not words.startswith(("unicorn", "ufo")) else "a ") + words


def plural(word: str) -> str:
    if word in _IRREGULAR:
        return _IRREGULAR[word]
    if word in NO_ARTICLE:
        return word
    if word.endswith(("s", "x", "ch", "sh")):
        return word + "es"
    if word.endswith("y") and word[-2] not in "aeiou":
        return word[:-1] + "ies"
    if word in ("tomato", "potato"):
        return word + "es"
    return word + "s"


def caption_words(concepts: Iterable[Concept]) -> set[str]:
    """Every word that captions of these concepts can hold, as the service splits prompts: at spaces and commas."""
    texts = [*PREFIXES, *ADJECTIVES, *SUFFIXES, *COLOURS, *BACKGROUNDS, "a an on with two background"]
    texts += [word for words in SIZE_WORDS.values() for word in words]
    for concept in concepts:
        texts += [form for word in concept.words for form in (word, plural(word))]
    return {word for text in texts for word in text.lower().replace(",", " ").split()}


def _single(rng: random.Random, word: str, words: str) -> str:
    draw = rng.random()
    if draw < 0.5:
        return with_article(words, word)
    if draw < 0.75:
        return words
    if draw < 0.92:
        return rng.choice(PREFIXES) + with_article(words, word)
    return ("" if word in NO_ARTICLE else rng.choice(ADJECTIVES)) + words


def _background(rng: random.Random, background: str) -> str:
    if background == "white" and rng.random() > 0.12:
        return ""
    words = with_article(background + " background")
    draw = rng.random()
    return f" on {words}" if draw < 0.7 else f", {background} background" if draw < 0.85 else f" with {words}"
