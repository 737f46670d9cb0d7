"""Words that textual inversion added to a model, of one vector or several, against diffusers."""


import pytest
import torch
from criterion import compare
from diffusers.loaders import TextualInversionLoaderMixin
from test_lora import fresh_pipe
from test_pictures import ours, request_of, theirs
from test_tokenizer import ICONS, run_ours
from transformers import AddedToken, CLIPTokenizer

TEXTS = [
    "a photo of <toy>, red", "<toy>", "<toy><toy> <TOY>", "a <toy>_1 and <toy>_2", "<toy>_1 <toy>", "<one> <toy>",
    "<One> <one>", "a <Big> thing, <big>", "x  <spaced>  y", "x<spaced>y", "no word of these <toy", "", "<toy> " * 40,
    "<toy>_3 <toy>_1_1", "a <nothing>_1",
]  # fmt: skip


def test_words_of_several_vectors_become_all_of_them(tmp_path):
    tokenizer = CLIPTokenizer.from_pretrained(ICONS / "tokenizer")
    tokenizer.add_tokens(["<one>", "<toy>", "<toy>_1", "<toy>_2", "<Big>", "<Big>_1", "<nothing>_1"])
    tokenizer.add_tokens([
        AddedToken("<spaced>", lstrip=True, rstrip=True, normalized=False),
        AddedToken("<spaced>_1", normalized=False),
    ])  # fmt: skip
    tokenizer.save_pretrained(tmp_path / "tokenizer")
    expand = TextualInversionLoaderMixin().maybe_convert_prompt
    wanted = tokenizer(expand(TEXTS, tokenizer), padding="max_length", max_length=77, truncation=True)

    answers = run_ours(TEXTS, tmp_path / "tokenizer")

    for text, (_, ids), want in zip(TEXTS, answers, wanted.input_ids):
        assert ids == want, text


def with_words(folder, saved):
    """The model as diffusers saves it with a word of three vectors and one of a single vector."""
    pipe = fresh_pipe(folder)
    generator = torch.Generator("cpu").manual_seed(23)
    for suffix in ("", "_2"):
        encoder, tokenizer = getattr(pipe, f"text_encoder{suffix}"), getattr(pipe, f"tokenizer{suffix}")
        width = encoder.config.hidden_size
        for word, vectors in (("<toy>", 3), ("<one>", 1)):
            pipe.load_textual_inversion(
                0.7 * torch.randn(vectors, width, generator=generator),
                token=word, text_encoder=encoder, tokenizer=tokenizer,
            )  # fmt: skip
    pipe.save_pretrained(saved)
    return saved


@pytest.mark.parametrize("words", [("a <toy> on grass", "blurry"), ("a red <one>", "<toy>, blurry")])
def test_pictures_with_added_words(model_folder, tmp_path, words):
    folder = with_words(model_folder("ssd1b"), tmp_path / "model")
    request = request_of("plain", "ssd1b") | {"prompt": words[0], "negative_prompt": words[1]}

    picture, latents = ours(folder, request, tmp_path)

    difference = compare(picture, latents, *theirs(fresh_pipe(folder), request))
    assert difference.is_within, difference
