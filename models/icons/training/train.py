#!/usr/bin/env python3
"""Makes the model from nothing, or goes on where an earlier run with the same --out stopped."""
from __future__ import annotations

import argparse
import sys
from dataclasses import replace
from pathlib import Path

import replicas
from concepts import load_concepts
from export import export_model
from latents import finished_vae, load_bank, take_vae
from presets import PRESETS, Preset
from scenes import SceneGenerator
from sprites import Sprites
from tokenizer import Tokenizer, write_tokenizers
from train_decoder import train_decoder
from train_unet import train_unet
from training_loop import Stopped


def main() -> None:
    arguments = parse_arguments()
    preset = changed(PRESETS[arguments.preset], arguments.set)
    processes = arguments.processes or replicas.default_count(arguments.device)
    arguments.out.mkdir(parents=True, exist_ok=True)
    if arguments.vae:
        take_vae(preset, arguments.vae, arguments.out)

    def make() -> None:
        try:
            make_model(preset, arguments.out, arguments.device)
        except Stopped as stopped:
            if replicas.rank() == 0:
                print(f"{stopped}; the same command goes on", flush=True)
            sys.exit(143)

    with replicas.replicas(processes, make):
        make()


def make_model(preset: Preset, folder: Path, device: str) -> None:
    """Every phase in turn; each takes up what is in the folder."""
    concepts = load_concepts(preset.concepts)
    tokenizers = folder / "tokenizers"
    if replicas.rank() == 0:
        Sprites(concepts, preset.size_px, folder / "sprites.npy")
        if not tokenizers.exists():
            write_tokenizers(tokenizers)
    replicas.wait_for_all()
    scenes = SceneGenerator(Sprites(concepts, preset.size_px, folder / "sprites.npy"), preset.size_px)
    vae = finished_vae(preset, scenes, folder, device)
    bank = load_bank(preset, scenes, vae, folder)
    denoiser = train_unet(preset, scenes, bank, Tokenizer(tokenizers / "tokenizer"), folder, device)
    if replicas.rank() == 0:  # who stops the run in its last phase has a model, too
        export_model(denoiser, vae, tokenizers, concepts, folder / "model")
    train_decoder(preset, scenes, vae, folder, device)
    if replicas.rank() == 0:
        export_model(denoiser, vae, tokenizers, concepts, folder / "model")
        print(f"the model is in {folder / 'model'}", flush=True)


def changed(preset: Preset, settings: list[str]) -> Preset:
    values = {}
    for setting in settings:
        name, _, value = setting.partition("=")
        old = getattr(preset, name, None)
        if not isinstance(old, (int, float, str)):
            sys.exit(f"--set takes a number or word of the preset, got {setting}")
        values[name] = type(old)(value)
    return replace(preset, **values)


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--preset", choices=PRESETS, required=True)
    parser.add_argument("--out", type=Path, required=True, help="folder of checkpoints and of the model")
    parser.add_argument("--device", default="cpu", help="cpu or cuda")
    parser.add_argument("--processes", type=int, metavar="N",
                        help="that share each batch; by itself 1, 2 or 4 by the number of cores, 1 on a GPU")
    parser.add_argument("--vae", type=Path, metavar="MODEL", help="the model folder whose VAE is taken, not trained anew")
    parser.add_argument("--set", nargs="+", default=[], metavar="NAME=VALUE",
                        help="numbers or words in place of the preset's, as unet_steps=30000 (see presets.py)")
    return parser.parse_args()


if __name__ == "__main__":
    main()
