"""Concepts, scenes, captions, the tokenizer and the latents' whitening of models/icons/training."""

import random

import numpy as np
import pytest
import torch
from batches import batches
from captions import caption, caption_words, plain_caption, plural
from colours import BACKGROUNDS, COLOURS, hue_body, oklab, recoloured
from concepts import PICTURES, held_out_pairs, load_concepts
from latents import whiten
from networks import SCALING_FACTOR, make_text_encoders, make_unet, make_vae
from presets import PRESETS
from scenes import Scene, SceneGenerator
from sprites import Sprites
from tokenizer import Tokenizer, write_tokenizers
from train_unet import stratified_timesteps
from transformers import CLIPTokenizer


@pytest.fixture(scope="module")
def scenes(tmp_path_factory):
    concepts = [concept for concept in load_concepts() if concept.name in ("apple", "cow", "ghost")]
    return SceneGenerator(Sprites(concepts, 64, tmp_path_factory.mktemp("sprites") / "sprites.npy"), 64)


def test_every_concept_has_its_picture_and_words_of_its_own():
    concepts = load_concepts()

    assert len(load_concepts("core")) >= 150
    assert all((PICTURES / concept.picture).exists() for concept in concepts)
    assert {path.name for path in PICTURES.glob("*.webp")} == {concept.picture for concept in concepts}
    words = [word for concept in concepts for word in concept.words]
    assert len(words) == len(set(words))


def test_each_recoloured_concept_keeps_one_pair_from_training():
    recoloured_names = {concept.name for concept in load_concepts() if concept.recolour != "no"}
    own = {concept.name: concept.own_colour for concept in load_concepts()}

    pairs = held_out_pairs()

    assert {name for name, _ in pairs} == recoloured_names and len(pairs) == len(recoloured_names)
    assert all(colour in COLOURS and colour != own[name] for name, colour in pairs)


def test_training_never_draws_a_held_out_pair(scenes):
    rng = random.Random(1)

    drawn = {scenes.choose(rng).sprite for _ in range(2000)}

    sprites = scenes.sprites
    pairs = {(sprites.concepts[sprites.index[n].concept].name, sprites.index[n].colour) for n in drawn}
    assert not pairs & held_out_pairs()
    assert len(drawn) == len(sprites.index) - 2  # of apple and ghost one each; the cow is never recoloured
    held = {scenes.choose_held_out(rng).sprite for _ in range(100)}
    assert len(held) == 2 and not held & drawn


def test_one_generator_makes_one_picture_and_another_one_another(scenes):
    scene = Scene(0, "blue", None, 1, (0, 0))

    first, again, other = (scenes.draw(scene, random.Random(seed)) for seed in (1, 1, 2))

    assert np.array_equal(first, again) and not np.array_equal(first, other)
    assert tuple(first[0, 0]) == BACKGROUNDS["blue"]


@pytest.mark.parametrize("size, least, most", [("small", 0.03, 0.25), (None, 0.25, 0.75), ("big", 0.45, 1)])
def test_the_size_word_is_the_size_drawn(scenes, size, least, most):
    for seed in range(20):
        picture = scenes.draw(Scene(0, "white", size, 1, (0, 0)), random.Random(seed))

        share = (picture.min(axis=2) < 200).mean()
        assert least < share < most, (seed, share)


@pytest.mark.parametrize("colour", [c for c in COLOURS if c not in ("black", "white")])
def test_recolouring_reaches_the_hue(colour):
    disc = np.zeros((32, 32, 4))
    disc[4:28, 4:28] = (0.8, 0.1, 0.1, 1)

    lab = oklab(recoloured(disc, hue_body(disc), colour)[16, 16, :3])

    hue = np.degrees(np.arctan2(lab[2], lab[1])) % 360
    assert abs((hue - COLOURS[colour][2] + 180) % 360 - 180) < 12
    assert abs(lab[0] - COLOURS[colour][0]) < 0.08


def test_captions_hold_known_words_only(scenes):
    words = caption_words(scenes.sprites.concepts)
    rng = random.Random(0)

    for _ in range(2000):
        scene = scenes.choose(rng)
        text = caption(rng, scene, scenes.sprites)
        assert set(text.replace(",", " ").split()) <= words, text
        assert scene.background == "white" or scene.background in text


def test_captions_read_as_people_write():
    by_name = {concept.name: concept for concept in load_concepts()}

    assert plain_caption(by_name["apple"], None, None) == "an apple"
    assert plain_caption(by_name["apple"], "red", "orange") == "a red apple on an orange background"
    assert plain_caption(by_name["unicorn"], None, None, "big") == "a big unicorn"
    assert plain_caption(by_name["cherries"], "blue", None) == "blue cherries"
    assert [plural(w) for w in ("cat", "mouse", "fox", "cherry", "t-shirt")] == [
        "cats", "mice", "foxes", "cherries", "t-shirts"]


def test_our_tokenizer_gives_the_ids_of_transformers(tmp_path):
    write_tokenizers(tmp_path)
    ours = Tokenizer(tmp_path / "tokenizer")
    words = sorted(caption_words(load_concepts()))

    for folder, pad in (("tokenizer", ours.end), ("tokenizer_2", 0)):
        theirs = CLIPTokenizer.from_pretrained(tmp_path / folder)
        for text in ["a red apple", "", "A Green  Frog, 4k", "astronaut café 日本", " ".join(words[:100]), *words]:
            expected = theirs(text, padding="max_length", max_length=77, truncation=True).input_ids
            assert ours(text, pad) == expected, text
    assert all(ours(word, 0)[2] == ours.end for word in words if word.isalpha()), "a caption word is one token"


def test_worker_processes_draw_the_same_batches():
    def make_batch(step, rng):
        return step, rng.random(), torch.full((2,), step)

    here, there = (list(batches("any", make_batch, range(3, 8), device)) for device in ("cpu", "cuda"))

    assert [row[:2] for row in here] == [row[:2] for row in there]
    assert all(torch.equal(a[2], b[2]) for a, b in zip(here, there))
    assert here[0][0] == 3 and len({row[1] for row in here}) == 5


def test_there_are_no_two_of_what_cannot_be_counted():
    by_name = {concept.name: concept for concept in load_concepts()}

    assert by_name["cat"].is_countable and not by_name["fire"].is_countable
    assert not by_name["cup of coffee"].is_countable  # one of its words is "coffee"


def test_timesteps_are_one_of_each_part_of_the_thousand():
    drawn = stratified_timesteps(64, random.Random(1))

    assert drawn != sorted(drawn) and drawn != stratified_timesteps(64, random.Random(2))
    assert all(part * 1000 // 64 <= each <= (part + 1) * 1000 / 64 for part, each in enumerate(sorted(drawn)))


@torch.no_grad()
def test_whitening_makes_white_zero_and_changes_no_picture():
    torch.manual_seed(0)
    vae = make_vae((16, 16, 16, 32), latent_channels=8, size_px=64).eval()
    pictures = torch.rand(4, 3, 64, 64) * 2 - 1
    before = vae.decode(vae.encode(pictures).latent_dist.mean).sample
    deviation = vae.encode(pictures).latent_dist.std
    mean = vae.encode(pictures).latent_dist.mean

    whiten(vae, pictures)

    latents = vae.encode(pictures).latent_dist
    torch.testing.assert_close(vae.decode(latents.mean).sample, before, atol=1e-4, rtol=1e-4)
    scaled = latents.mean * SCALING_FACTOR
    torch.testing.assert_close(scaled.square().mean((0, 2, 3)).sqrt(), torch.ones(8), atol=1e-3, rtol=0)
    white = vae.encode(torch.ones(1, 3, 64, 64)).latent_dist.mean[0, :, 2:-2, 2:-2].mean((1, 2))
    torch.testing.assert_close(white, torch.zeros(8), atol=1e-3, rtol=0)
    scale = (latents.mean.std((0, 2, 3)) / mean.std((0, 2, 3)))[None, :, None, None]
    torch.testing.assert_close(latents.std, deviation * scale, atol=1e-3, rtol=1e-3)


@pytest.mark.parametrize("name", ["cpu128", "gpu128"])
def test_what_is_shipped_stays_under_30_megabytes(name):
    preset = PRESETS[name]
    with torch.device("meta"):
        networks = [make_unet(preset.unet_channels, preset.latent_channels, preset.size_px // 8),
                    make_vae(preset.vae_channels, preset.latent_channels, preset.size_px),
                    *make_text_encoders(vocabulary=2500)]

    float16_bytes = 2 * sum(p.numel() for network in networks for p in network.parameters())

    assert float16_bytes < 29.5e6
