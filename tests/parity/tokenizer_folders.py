"""Writes tokenizer folders as SDXL's models have them, with CLIP's vocabulary or the start of it."""

import gzip
import json
from pathlib import Path

REPO = Path(__file__).resolve().parents[2]
MERGES_GZ = REPO / "models" / "clip-tokenizer" / "bpe_simple_vocab_16e6.txt.gz"
BEGIN, END = "<|startoftext|>", "<|endoftext|>"
PADS = {"tokenizer": END, "tokenizer_2": "!"}
CLIP_SIZE = 49408
BYTES = 256
SPECIALS = 2


def write_tokenizers(folder, size):
    """`tokenizer` and `tokenizer_2` under `folder`, with `size` ids; 49408 is CLIP's own."""
    lines = gzip.decompress(MERGES_GZ.read_bytes()).decode().split("\n")
    merges = lines[1 : 1 + size - 2 * BYTES - SPECIALS]
    printable = [*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)]
    signs = [chr(b) for b in printable] + [chr(0x100 + i) for i in range(BYTES - len(printable))]
    tokens = [*signs, *(sign + "</w>" for sign in signs)]
    tokens += [merge.replace(" ", "") for merge in merges]
    tokens += [BEGIN, END]
    assert len(tokens) == size
    for name, pad in PADS.items():
        target = Path(folder) / name
        target.mkdir(parents=True)
        vocabulary = {token: i for i, token in enumerate(tokens)}
        (target / "vocab.json").write_text(json.dumps(vocabulary, ensure_ascii=False))
        (target / "merges.txt").write_text("\n".join(["#version: 0.2", *merges, ""]))
        write_config(target, pad)


def write_config(folder, pad):
    flags = {"lstrip": False, "normalized": True, "rstrip": False, "single_word": False}
    named = {
        "bos_token": {"content": BEGIN, **flags},
        "eos_token": {"content": END, **flags},
        "unk_token": {"content": END, **flags},
        "pad_token": pad,
    }
    (folder / "special_tokens_map.json").write_text(json.dumps(named))
    added = {"__type": "AddedToken"}
    config = {
        name: {**added, **token} if isinstance(token, dict) else token
        for name, token in named.items()
    }
    config |= {
        "add_prefix_space": False,
        "do_lower_case": True,
        "errors": "replace",
        "model_max_length": 77,
        "tokenizer_class": "CLIPTokenizer",
    }
    (folder / "tokenizer_config.json").write_text(json.dumps(config))
