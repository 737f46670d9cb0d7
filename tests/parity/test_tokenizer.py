"""Our tokenizer against transformers' CLIPTokenizer, live, id by id.

`ssd1b-tokenize` (tests/tokenizer) is looked for in $SSD1B_BIN_DIR, else in build/bin.
"""

import gzip
import json
import random
import shutil
import subprocess
import unicodedata

import pytest
from programs import BIN_DIR, REPO
from transformers import CLIPTokenizer

TOKENIZE = BIN_DIR / "ssd1b-tokenize"
MERGES_GZ = REPO / "models" / "clip-tokenizer" / "bpe_simple_vocab_16e6.txt.gz"
ICONS = REPO / "models" / "icons"
BEGIN, END = "<|startoftext|>", "<|endoftext|>"
PADS = {"tokenizer": END, "tokenizer_2": "!"}
LONG = 4096  # ids: room for texts that hold many code points

SCRIPTS = [
    (0x20, 0x7E), (0xA0, 0xFF), (0x100, 0x24F), (0x250, 0x2FF), (0x300, 0x36F), (0x370, 0x3FF),
    (0x400, 0x52F), (0x530, 0x58F), (0x590, 0x5FF), (0x600, 0x6FF), (0x700, 0x74F), (0x900, 0x97F),
    (0x980, 0x9FF), (0xB80, 0xBFF), (0xE00, 0xE7F), (0xF00, 0xFFF), (0x1000, 0x109F),
    (0x10A0, 0x10FF), (0x1100, 0x11FF), (0x1200, 0x137F), (0x13A0, 0x13FF), (0x1780, 0x17FF),
    (0x1AB0, 0x1AFF), (0x1DC0, 0x1DFF), (0x1E00, 0x1EFF), (0x1F00, 0x1FFF), (0x2000, 0x206F),
    (0x2070, 0x20CF), (0x20D0, 0x20FF), (0x2100, 0x218F), (0x2190, 0x23FF), (0x2460, 0x24FF),
    (0x2500, 0x27BF), (0x2C00, 0x2DFF), (0x3000, 0x30FF), (0x3130, 0x318F), (0x3200, 0x33FF),
    (0x4E00, 0x9FFF), (0xA640, 0xA69F), (0xA720, 0xA7FF), (0xAC00, 0xD7A3), (0xD7B0, 0xD7FF),
    (0xE000, 0xE0FF), (0xF900, 0xFAFF), (0xFB00, 0xFB4F), (0xFE00, 0xFE0F), (0xFF00, 0xFFEF),
    (0x10000, 0x1007F), (0x10400, 0x1044F), (0x10D00, 0x10DFF), (0x11080, 0x110CF),
    (0x1D100, 0x1D1FF), (0x1D400, 0x1D7FF), (0x1E900, 0x1E95F), (0x1F000, 0x1FAFF),
    (0x20000, 0x2A6DF), (0x2F800, 0x2FA1F), (0xE0000, 0xE01EF), (0x100000, 0x100FFF),
]  # fmt: skip
WORDS = (
    "a photo of red Apple the CAT dog's don't we'll I'm they've you're he'd it's O'Neill "
    "rock'n'roll "
    "1024x768 3d 4K t-shirt re-do état naïve ﬁne ſtraße Straße İstanbul ΟΔΟΣ ǅ Ⅷ ½ ²³ １２３ ＡＢＣ "
    "日本 写真 猫 고양이 각 각 кошка кот الرجل ครับ กำ हिन्दी नमस्ते বাংলা תמונה ’s 'S 'LL '' \"quoted\" "
    "(weighted:1.2) [alternate|words] <lora:x:1> BREAK AND , . ; : ! !! ?! ... "
    "— – _ __ # $ % & * + = ~ ` ^ | \\ /"
).split()
EMOJI = ["😀", "👍🏽", "👨‍👩‍👧‍👦", "🏳️‍🌈", "🇩🇪", "❤️", "☺", "1️⃣", "🧑🏿‍🚀", "🏴󠁧󠁢󠁥󠁮󠁧󠁿", "\u200d", "\ufe0f"]
SPACES = [" ", "  ", "\t", "\n", "\r\n", "\u00a0", "\u2003", "\u3000", "\u2028", "\u0085", "\u200b", "\x1c"]
SPECIALS = [
    BEGIN, END, "<|STARTOFTEXT|>", "<|EndOfText|>", "<|startoftext|", "|endoftext|>", "<|endoftext|>!",
    "!!<|endoftext|>", "<||endoftext|>", "<|endoftext|>>", "<|end of text|>", "!", "<|ſtartoftext|>",
    "a<|endoftext|>b", "<|endoftext|><|startoftext|>", "<|startoftext|>\u0301", "</w>", "a</w>",
]  # fmt: skip


def composing_code_points():
    """Marks, and what decomposes or composes: where canonical composition can go wrong."""
    found = []
    for c in range(0x80, 0x110000):
        if 0xAC00 <= c <= 0xD7A3 or 0xD800 <= c <= 0xDFFF:
            continue
        ch = chr(c)
        if unicodedata.combining(ch) or unicodedata.normalize("NFD", ch) != ch:
            found.append(ch)
    hangul = [chr(c) for c in [*range(0x1100, 0x1200), 0xAC00, 0xAC01, 0xAC1C, 0xD788, 0xD7A3]]
    young = "\u0897\u1ac1\U00010efd\U0001e5ee\U000105d2\U000105da\U000113c2\U000113c9"
    young += "\U0001611e\U00016d67"
    return found + hangul + list(young) + list("aeiouqAEIOU") * 40


def random_text(rng, composing):
    kind = rng.randrange(9)
    if kind == 0:
        return " ".join(rng.choices(WORDS, k=rng.randrange(1, 12)))
    if kind == 1:
        return "".join(rng.choices(WORDS + SPACES + EMOJI, k=rng.randrange(1, 15)))
    if kind == 2:
        first, last = rng.choice(SCRIPTS)
        return "".join(chr(rng.randint(first, last)) for _ in range(rng.randrange(1, 25)))
    if kind == 3:
        return "".join(
            chr(rng.randint(*rng.choice(SCRIPTS))) for _ in range(rng.randrange(1, 25))
        )
    if kind == 4:
        return "".join(rng.choices(composing, k=rng.randrange(1, 20)))
    if kind == 5:
        return "".join(rng.choices(SPECIALS + WORDS + SPACES, k=rng.randrange(1, 8)))
    if kind == 6:
        return "".join(rng.choices("'sStTrReEvVmMlLdD!<|> 1a", k=rng.randrange(1, 30)))
    if kind == 7:
        text = "".join(chr(rng.randrange(0x110000)) for _ in range(rng.randrange(1, 12)))
        return text.encode("utf-8", "ignore").decode()
    return " ".join(rng.choices(WORDS + EMOJI, k=rng.randrange(60, 200)))


@pytest.fixture(scope="session")
def random_texts():
    rng = random.Random(20261124)
    composing = composing_code_points()
    texts = ["", " ", "\0", "a\0b", "'", "’", "a" * 4096, "ab" * 2000, "é" * 2048, "\u0301" * 2048]
    texts += WORDS + EMOJI + SPACES + SPECIALS
    texts += ["👨‍👩‍👧‍👦" * 160, "1" * 300, "!" * 300]
    texts += ["\u0301\u0327" * 500, "\uac00\u11a7\u11a8"]
    texts += [" ".join(["apple"] * n) for n in (74, 75, 76, 77, 78)]
    texts += [random_text(rng, composing) for _ in range(24000)]
    return texts


@pytest.fixture(scope="session")
def clip_folder(tmp_path_factory):
    """CLIP's own vocabulary as SDXL's two tokenizer folders, each with 77 and with LONG ids."""
    lines = gzip.decompress(MERGES_GZ.read_bytes()).decode().split("\n")
    merges = [tuple(line.split()) for line in lines[1 : 49152 - 256 - 2 + 1]]
    printable = [*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)]
    signs = [chr(b) for b in printable] + [chr(0x100 + i) for i in range(256 - len(printable))]
    tokens = signs + [sign + "</w>" for sign in signs] + ["".join(m) for m in merges] + [BEGIN, END]
    root = tmp_path_factory.mktemp("clip")
    for name, pad in PADS.items():
        for suffix, length in (("", 77), ("_long", LONG)):
            folder = root / (name + suffix)
            folder.mkdir()
            (folder / "vocab.json").write_text(json.dumps({t: i for i, t in enumerate(tokens)}))
            (folder / "merges.txt").write_text(
                "\n".join(["#version: 0.2", *(" ".join(m) for m in merges), ""])
            )
            write_config(folder, pad, length)
    return root


def write_config(folder, pad, length):
    flags = {"lstrip": False, "normalized": True, "rstrip": False, "single_word": False}
    named = {
        "bos_token": {"content": BEGIN, **flags},
        "eos_token": {"content": END, **flags},
        "unk_token": {"content": END, **flags},
    }
    (folder / "special_tokens_map.json").write_text(json.dumps({**named, "pad_token": pad}))
    written = {name: {"__type": "AddedToken", **token} for name, token in named.items()}
    config = {"model_max_length": length, "pad_token": pad, "tokenizer_class": "CLIPTokenizer"}
    (folder / "tokenizer_config.json").write_text(json.dumps({**written, **config}))


def run_ours(texts, *arguments):
    """[(needed, ids)] or the text of an error, of texts as str or bytes."""
    blobs = [t if isinstance(t, bytes) else t.encode() for t in texts]
    stdin = b"".join(b"%d\n%s" % (len(blob), blob) for blob in blobs)
    done = subprocess.run([TOKENIZE, *arguments], input=stdin, capture_output=True, check=False)
    assert done.returncode == 0, done.stderr.decode()
    lines = done.stdout.decode().splitlines()
    assert len(lines) == len(texts)
    answers = []
    for line in lines:
        if line.startswith("error "):
            answers.append(line)
        else:
            needed, *ids = map(int, line.split())
            answers.append((needed, ids))
    return answers


def expect_same(folder, texts, *arguments, oracle=None):
    """Every text gives the reference's ids, padded and cut, and needs what the reference needs."""
    theirs = oracle or CLIPTokenizer.from_pretrained(folder)
    length = theirs.model_max_length
    ours = run_ours(texts, *(arguments or [folder]))
    padded = theirs(texts, padding="max_length", max_length=length, truncation=True)
    assert len(ours) == len(padded.input_ids) > 0
    for text, got, want, mask in zip(texts, ours, padded.input_ids, padded.attention_mask):
        needed = sum(mask)
        if needed == length:  # perhaps cut
            needed = len(theirs(text, padding=False, truncation=False).input_ids)
        assert got == (needed, want), f"{text!r} ({text.encode('unicode_escape')})"


def expect_same_of_packed(folder, pieces, per_text):
    """As expect_same, of many pieces a text and one pass of the reference: none is cut."""
    texts = [" ".join(pieces[i : i + per_text]) for i in range(0, len(pieces), per_text)]
    ours = run_ours(texts, folder)
    theirs = CLIPTokenizer.from_pretrained(folder)(texts, padding=False).input_ids
    for text, (needed, got), want in zip(texts, ours, theirs):
        assert needed == len(want) <= LONG
        assert got[:needed] == want, text.encode("unicode_escape")


@pytest.mark.parametrize("name", PADS)
def test_clip_vocabulary_on_random_texts(clip_folder, random_texts, name):
    assert len(random_texts) >= 20000
    expect_same(clip_folder / name, random_texts)


@pytest.mark.parametrize("name", PADS)
def test_icons_vocabulary_on_random_texts(random_texts, name):
    expect_same(ICONS / name, random_texts[:6000])


@pytest.mark.parametrize(
    "name,padding", [("tokenizer", "end-of-text"), ("tokenizer_2", "exclamation-mark")]
)
def test_merge_list_equals_the_folder(clip_folder, random_texts, name, padding):
    oracle = CLIPTokenizer.from_pretrained(clip_folder / name)
    expect_same(None, random_texts[:4000], "--clip", MERGES_GZ, padding, oracle=oracle)


def test_every_code_point(clip_folder):
    chars = [chr(c) for c in range(0x110000) if not 0xD800 <= c <= 0xDFFF]
    expect_same_of_packed(clip_folder / "tokenizer_long", [f"a{c}b" for c in chars], 500)


def test_every_code_point_next_to_a_token_that_stands_alone(clip_folder, tmp_path):
    folder = tmp_path / "tokenizer"
    shutil.copytree(clip_folder / "tokenizer_long", folder)
    config = json.loads((folder / "tokenizer_config.json").read_text())
    decoder = {
        "49407": flags(END),
        "49408": flags("Zqz", single_word=True),
        "49409": flags("qzq", single_word=True, normalized=True, special=False),
    }
    config["added_tokens_decoder"] = decoder
    (folder / "tokenizer_config.json").write_text(json.dumps(config))
    chars = [chr(c) for c in range(0x110000) if not 0xD800 <= c <= 0xDFFF]
    for pattern in ["{0}Zqz", "qzq{0}"]:
        expect_same_of_packed(folder, [pattern.format(c) for c in chars], 250)


def test_every_assigned_code_point_among_marks_letters_and_numbers(clip_folder):
    chars = [
        chr(c)
        for c in range(0x80, 0x110000)
        if not 0xAC10 <= c <= 0xD7A0
        and not 0xD800 <= c <= 0xF8FF
        and not 0x3400 <= c <= 0x9FFF
        and not 0x17000 <= c <= 0x18AFF
        and not 0x20000 <= c <= 0x2F7FF
        and not 0x2FA1E <= c
    ]
    patterns = ["q{0}\u0334", "q\u0345{0}", "{0}\u0301\u0327", "o\u0307{0}\u0301", "{0}{0}"]
    for pattern in [*patterns, "'{0}s1{0}!{0}"]:
        pieces = [pattern.format(c) for c in chars]
        expect_same_of_packed(clip_folder / "tokenizer_long", pieces, 200)


@pytest.mark.parametrize("name", PADS)
def test_saved_by_transformers_5(clip_folder, random_texts, tmp_path, name):
    for source in (clip_folder / name, ICONS / name):
        saved = tmp_path / source.parent.name
        CLIPTokenizer.from_pretrained(source).save_pretrained(saved)
        assert (saved / "tokenizer.json").exists()
        assert not (saved / "vocab.json").exists()
        expect_same(saved, random_texts[:1500])

        tokenizer = json.loads((saved / "tokenizer.json").read_text())
        merges = tokenizer["model"]["merges"]
        tokenizer["model"]["merges"] = [" ".join(merge) for merge in merges]
        (saved / "tokenizer.json").write_text(json.dumps(tokenizer))
        expect_same(saved, random_texts[:1000])


def flags(content, **changed):
    plain = dict.fromkeys(["lstrip", "rstrip", "single_word", "normalized"], False)
    return {"content": content, "special": True, **plain, **changed}


CHANGES = {
    "nothing": {},
    "decoder": {
        "added_tokens_decoder": {
            "0": flags("!"),
            "49406": flags(BEGIN, normalized=True),
            "49407": flags(END, normalized=True),
        }
    },
    "space around": {
        "added_tokens_decoder": {
            "49406": flags(BEGIN, lstrip=True),
            "49407": flags(END, lstrip=True, rstrip=True),
            "49408": flags("Apple", normalized=True, special=False, rstrip=True),
            "49409": flags("the", normalized=False, special=False),
        }
    },
    "words that stand alone": {
        "added_tokens_decoder": {
            "49406": flags(BEGIN, normalized=True),
            "49407": flags(END, single_word=True, lstrip=True),
            "49408": flags("Cat", single_word=True, special=False),
            "49409": flags("the", normalized=True, single_word=True, rstrip=True),
            "49410": flags("photo of", normalized=True, single_word=True, special=False),
            "49411": flags("photo", normalized=True, special=False),
        }
    },
    "left": {"padding_side": "left", "truncation_side": "left"},
    "specials are text": {"split_special_tokens": True},
    "extra": {"extra_special_tokens": ["<new>", "cat", "red"], "pad_token": "<pad>"},
    "former name": {"additional_special_tokens": ["<a>", "photo"], "mask_token": "a"},
    "a name of its own": {"trigger_token": "dog's"},
    "short": {"model_max_length": 5},
}


@pytest.mark.parametrize("change", CHANGES)
@pytest.mark.parametrize("has_map", [True, False])
@pytest.mark.parametrize("name", PADS)
def test_special_tokens_of_the_files(clip_folder, random_texts, tmp_path, change, has_map, name):
    folder = tmp_path / "tokenizer"
    shutil.copytree(clip_folder / name, folder)
    config = json.loads((folder / "tokenizer_config.json").read_text())
    (folder / "tokenizer_config.json").write_text(json.dumps({**config, **CHANGES[change]}))
    if not has_map:
        (folder / "special_tokens_map.json").unlink()
    extra = ["the <new> cat<pad>  red", "<a>photo a", "dog's"]
    extra += [" Apple  the  apple <|endoftext|>  x"]
    extra += ["Cat Cats _Cat Cat. (Cat) 日Cat Cat\u0301 ⓐCat ½Cat ²Cat Ⅷthe", "other the the", "Cat"]
    extra += ["photo of a photo off, photo of", "<|endoftext|>s  <|endoftext|>", "Cat<|endoftext|>"]
    expect_same(folder, extra + random_texts[:700])


@pytest.mark.parametrize("name", [None, "CLIPTokenizerFast", "PreTrainedTokenizerFast", "TokenizersBackend"])
@pytest.mark.parametrize("saved", [True, False])
def test_classes_that_the_files_name(clip_folder, random_texts, tmp_path, name, saved):
    """Saved: as transformers 5 does, in one tokenizer.json."""
    folder = tmp_path / "tokenizer"
    if saved:
        CLIPTokenizer.from_pretrained(clip_folder / "tokenizer_2").save_pretrained(folder)
    else:
        shutil.copytree(clip_folder / "tokenizer_2", folder)
    config = json.loads((folder / "tokenizer_config.json").read_text())
    (folder / "tokenizer_config.json").write_text(json.dumps({**config, "tokenizer_class": name}))
    expect_same(folder, random_texts[:700])


@pytest.mark.parametrize("has_map", [True, False])
def test_added_tokens_json(clip_folder, random_texts, tmp_path, has_map):
    folder = tmp_path / "tokenizer"
    shutil.copytree(clip_folder / "tokenizer", folder)
    added = {"<Thing>": 49408, "cat": 49409, END: 49407}
    (folder / "added_tokens.json").write_text(json.dumps(added))
    if not has_map:
        (folder / "special_tokens_map.json").unlink()
    expect_same(folder, ["<thing> <Thing> Cat concat", *random_texts[:700]])


@pytest.mark.parametrize(
    "broken",
    [
        b"\xff",
        b"a\x80",
        b"\xc3",
        b"\xc0\x80",
        b"\xed\xa0\x80",
        b"\xf4\x90\x80\x80",
        b"\xe2\x82",
        b"ok\xf8\x88\x80\x80\x80",
    ],
)
def test_bytes_that_are_no_utf8_are_refused(broken):
    with pytest.raises(UnicodeDecodeError):
        broken.decode()

    (answer,) = run_ours([broken], ICONS / "tokenizer")

    assert isinstance(answer, str) and "UTF-8" in answer
