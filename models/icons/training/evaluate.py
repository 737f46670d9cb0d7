#!/usr/bin/env python3
"""Judges a model folder: does a picture show the thing, the colour and the background that were asked for?

Prompts are drawn by a seeded generator among the concepts whose words the model knows: --prompts of pairs
(concept, colour) that training drew, and as many of pairs that it never did (concepts.held_out_pairs).
"""
from __future__ import annotations

import argparse
import json
import random
from dataclasses import dataclass
from pathlib import Path

import torch

import replicas
from captions import plain_caption
from classifier import BACKGROUND_NAMES, COLOUR_NAMES, labelled, trained_classifier
from concepts import Concept, held_out_pairs, load_concepts
from drawing import Model, sheet
from scenes import SceneGenerator
from sprites import Sprites
from train_vae import as_tensor
from vae_quality import vae_quality


@dataclass(frozen=True)
class Question:
    concept: int
    colour: str | None  # None: not asked for
    background: str | None

    def prompt(self, concepts: list[Concept]) -> str:
        return plain_caption(concepts[self.concept], self.colour, self.background)


def main() -> None:
    arguments = parse_arguments()
    arguments.out.mkdir(parents=True, exist_ok=True)
    processes = replicas.default_count(arguments.device)
    with replicas.replicas(processes, lambda: evaluate(arguments)):
        result = evaluate(arguments)
    (arguments.out / "evaluation.json").write_text(json.dumps(result, indent=2) + "\n")
    print(json.dumps(result, indent=2))


def evaluate(arguments: argparse.Namespace) -> dict:
    """The figures, which the processes share in making."""
    model = Model(arguments.model, arguments.device, **arguments.set)
    concepts = known_concepts(arguments.concepts, set(model.defaults["known_words"]))
    size = model.defaults["width"]
    cache = arguments.out / "sprites.npy"
    if replicas.rank() == 0:
        Sprites(concepts, size, cache)
    replicas.wait_for_all()
    scenes = SceneGenerator(Sprites(concepts, size, cache), size)
    result = {"concepts": len(concepts), "seeds": arguments.seeds, "changed": arguments.set,
              "vae": vae_quality(arguments.model, scenes)}
    classifier = trained_classifier(scenes, arguments.classifier_steps, arguments.out, arguments.device).cpu()
    result["classifier on true pictures"] = classifier_ceiling(classifier, scenes)
    for name, held_out in (("seen pairs", False), ("unseen pairs", True)):
        questions = choose_questions(concepts, arguments.prompts, held_out)
        result[name] = ask(model, classifier, concepts, questions, arguments.seeds, arguments.out / name.split()[0])
    return result


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", type=Path, default=Path(__file__).resolve().parent.parent)
    parser.add_argument("--out", type=Path, required=True, help="folder of the classifier, sheets and figures")
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--concepts", default="all", help="core or all: what the model was trained on")
    parser.add_argument("--prompts", type=int, default=300)
    parser.add_argument("--seeds", type=int, default=4, help="pictures for each prompt")
    parser.add_argument("--classifier-steps", type=int, default=8000)
    parser.add_argument("--set", nargs="+", default=[], metavar="NAME=VALUE",
                        help="defaults of the model that are to be others, as guidance_scale=3 steps=12")
    arguments = parser.parse_args()
    arguments.set = {name: json.loads(value) for name, _, value in (each.partition("=") for each in arguments.set)}
    return arguments


def known_concepts(which: str, known_words: set[str]) -> list[Concept]:
    return [c for c in load_concepts(which) if known_words.issuperset(c.name.lower().split())]


def choose_questions(concepts: list[Concept], count: int, held_out: bool) -> list[Question]:
    """Half of them ask for a background. With held_out, for pairs that training never drew."""
    rng = random.Random(f"questions {held_out}")
    kept = held_out_pairs()
    pairs = [(number, colour) for number, concept in enumerate(concepts) for colour in concept.colours
             if ((concept.name, colour) in kept) == held_out]
    if not held_out:
        pairs += [(number, None) for number in range(len(concepts))]
    questions = []
    for _ in range(count if pairs else 0):
        number, colour = rng.choice(pairs)
        taken = colour or concepts[number].own_colour
        free = [b for b in BACKGROUND_NAMES if b != "white" and b.removeprefix("light ") != taken]
        questions.append(Question(number, colour, rng.choice(free) if rng.random() < 0.5 else None))
    return questions


def classifier_ceiling(classifier, scenes: SceneGenerator) -> dict[str, float]:
    """What the classifier says of the generator's own pictures, small things and pairs too."""
    pictures, labels = labelled(scenes, random.Random("ceiling"), 500)
    said = torch.cat([classifier.judge(part) for part in pictures.split(50)])
    shares = {}
    for column, name in enumerate(("concept", "colour", "background")):
        asked = labels[:, column] >= 0
        shares[name] = (said[asked, column] == labels[asked, column]).float().mean().item()
    return shares


def ask(model: Model, classifier, concepts: list[Concept], questions: list[Question], seeds: int,
        sheet_path: Path) -> dict[str, float]:
    """Shares of pictures that are right, and the concepts that went wrong most often."""
    if not questions:
        return {}
    asked = [question for question in questions for _ in range(seeds)]
    prompts = [question.prompt(concepts) for question in asked]
    mine = slice(replicas.rank(), None, replicas.count())
    drawn = list(model.draw(prompts[mine], ([*range(seeds)] * len(questions))[mine]))
    said = replicas.gather(classifier.judge(as_tensor(drawn)).tolist())
    pictures = replicas.gather(drawn)
    right: dict[str, list[bool]] = {"concept": [], "colour": [], "background": [], "concept and colour": []}
    wrong: dict[str, int] = {}
    for question, (concept, colour, background) in zip(asked, said):
        is_concept = concept == question.concept
        is_colour = question.colour is None or COLOUR_NAMES[colour] == question.colour
        right["concept"].append(is_concept)
        right["background"].append(BACKGROUND_NAMES[background] == (question.background or "white"))
        if question.colour:
            right["colour"].append(is_colour)
            right["concept and colour"].append(is_concept and is_colour)
        if not is_concept:
            name = concepts[question.concept].name
            wrong[name] = wrong.get(name, 0) + 1
    if replicas.rank() == 0:
        sheet(pictures[:96], prompts[:96], columns=12).save(sheet_path.with_suffix(".png"))
    shares = {name: sum(values) / len(values) for name, values in right.items() if values}
    worst = sorted(wrong, key=wrong.get, reverse=True)[:10]
    return {"pictures": len(pictures), **shares, "most often wrong": worst}


if __name__ == "__main__":
    main()
