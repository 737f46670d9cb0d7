"""A byte-pair vocabulary of CLIP's form, learned from the captions, in which each of their words is one token."""
from __future__ import annotations

import json
import re
from collections import Counter
from pathlib import Path

from captions import caption_words
from concepts import load_concepts
from networks import TOKENS

# What CLIP's own pattern splits ASCII text into.
_PIECES = re.compile(r"'s|'t|'re|'ve|'m|'ll|'d|[^\W\d_]+|\d|(?:[^\s\w]|_)+", re.IGNORECASE)
_START, _END = "<|startoftext|>", "<|endoftext|>"


def byte_symbols() -> dict[int, str]:
    """CLIP's printable stand-in for each byte."""
    plain = [*range(33, 127), *range(161, 173), *range(174, 256)]
    symbols = {byte: chr(byte) for byte in plain}
    for number, byte in enumerate(b for b in range(256) if b not in symbols):
        symbols[byte] = chr(256 + number)
    return symbols


def write_tokenizers(folder: Path) -> None:
    """folder/tokenizer and folder/tokenizer_2, which differ in what they pad with, as SSD-1B's do."""
    words = {piece for word in caption_words(load_concepts()) for piece in _PIECES.findall(word)}
    merges = _learn_merges(sorted(words))
    letters = list(byte_symbols().values())
    names = [*letters, *(f"{letter}</w>" for letter in letters), *("".join(pair) for pair in merges), _START, _END]
    for name, pad in (("tokenizer", _END), ("tokenizer_2", "!")):
        target = folder / name
        target.mkdir(parents=True, exist_ok=True)
        vocabulary = {token: number for number, token in enumerate(names)}
        (target / "vocab.json").write_text(json.dumps(vocabulary, ensure_ascii=False), encoding="utf-8")
        lines = ["#version: 0.2", *(" ".join(pair) for pair in merges), ""]
        (target / "merges.txt").write_text("\n".join(lines), encoding="utf-8")
        _write_settings(target, pad)


class Tokenizer:
    """The same ids as transformers' CLIPTokenizer, fast enough to caption every sample anew."""

    def __init__(self, folder: Path):
        self._ids = json.loads((folder / "vocab.json").read_text(encoding="utf-8"))
        lines = (folder / "merges.txt").read_text(encoding="utf-8").splitlines()[1:]
        self._ranks = {tuple(line.split()): rank for rank, line in enumerate(lines)}
        self._symbols = byte_symbols()
        self._seen: dict[str, list[int]] = {}
        self.end = self._ids[_END]

    def __len__(self) -> int:
        return len(self._ids)

    def __call__(self, text: str, pad: int, length: int = TOKENS) -> list[int]:
        """`length` ids: start, the text cut to what fits, end, padding."""
        pieces = _PIECES.findall(re.sub(r"\s+", " ", text).strip().lower())
        ids = [number for piece in pieces for number in self._piece(piece)][:length - 2]
        ids = [self._ids[_START], *ids, self.end]
        return ids + [pad] * (length - len(ids))

    def _piece(self, piece: str) -> list[int]:
        if piece not in self._seen:
            parts = [self._symbols[byte] for byte in piece.encode()]
            parts[-1] += "</w>"
            while len(parts) > 1:
                best = min(zip(parts, parts[1:]), key=lambda pair: self._ranks.get(pair, len(self._ranks)))
                if best not in self._ranks:
                    break
                parts = _merged(parts, best)
            self._seen[piece] = [self._ids[part] for part in parts]
        return self._seen[piece]


def _learn_merges(words: list[str]) -> list[tuple[str, str]]:
    """The commonest pair again and again, until each word is one token."""
    symbols = byte_symbols()
    split = []
    for word in words:
        parts = [symbols[byte] for byte in word.encode()]
        split.append([*parts[:-1], parts[-1] + "</w>"])
    merges: list[tuple[str, str]] = []
    while pairs := Counter(pair for parts in split for pair in zip(parts, parts[1:])):
        best = max(pairs, key=lambda pair: (pairs[pair], pair))
        merges.append(best)
        split = [_merged(parts, best) if best[0] in parts else parts for parts in split]
    return merges


def _merged(parts: list[str], pair: tuple[str, str]) -> list[str]:
    result: list[str] = []
    position = 0
    while position < len(parts):
        if tuple(parts[position:position + 2]) == pair:
            result.append(pair[0] + pair[1])
            position += 2
        else:
            result.append(parts[position])
            position += 1
    return result


def _write_settings(folder: Path, pad: str) -> None:
    def special(content: str) -> dict:
        return {"content": content, "lstrip": False, "normalized": True, "rstrip": False, "single_word": False}

    names = {"bos_token": special(_START), "eos_token": special(_END), "unk_token": special(_END)}
    settings = {name: {"__type": "AddedToken", **value} for name, value in names.items()}
    settings |= {"add_prefix_space": False, "clean_up_tokenization_spaces": True, "do_lower_case": True,
                 "errors": "replace", "model_max_length": TOKENS, "pad_token": pad,
                 "tokenizer_class": "CLIPTokenizer"}
    (folder / "tokenizer_config.json").write_text(json.dumps(settings, indent=2) + "\n")
    (folder / "special_tokens_map.json").write_text(json.dumps(names | {"pad_token": pad}, indent=2) + "\n")
