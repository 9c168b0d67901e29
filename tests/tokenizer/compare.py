#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""mien's tokenizer against Hugging Face tokenizers itself: compare.py DRIVER VOCAB [TOKENIZER_JSON]...

DRIVER is the program tokenizer_driver. Every scalar value in contexts, random mixtures of difficult characters and
random bytes become the same ids, under several options of the normalizer; texts are cut alike. Exits with 77 where the
package is missing.
"""
import random
import struct
import subprocess
import sys
import tempfile
import unicodedata

try:
    import tokenizers
except ImportError:
    print("skipped: the package tokenizers is not installed")
    sys.exit(77)

SCALARS = [chr(c) for c in range(0x110000) if not 0xD800 <= c < 0xE000]
SPECIALS = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]


def reference(vocabulary, max_characters=100, added=(), strip=False, **options):
    """A tokenizer as BERT's, made by the reference."""
    model = tokenizers.models.WordPiece(vocabulary, unk_token="[UNK]", max_input_chars_per_word=max_characters)
    made = tokenizers.Tokenizer(model)
    made.normalizer = tokenizers.normalizers.BertNormalizer(**options)
    made.pre_tokenizer = tokenizers.pre_tokenizers.BertPreTokenizer()
    ids = [(token, vocabulary[token]) for token in ("[CLS]", "[SEP]")]
    made.post_processor = tokenizers.processors.TemplateProcessing(single="[CLS] $A [SEP]", special_tokens=ids)
    made.add_special_tokens(SPECIALS)
    made.add_tokens([tokenizers.AddedToken(token, normalized=False, lstrip=strip, rstrip=strip) for token in added])
    return made


def mien(driver, path, texts, max_ids=None):
    frames = b"".join(struct.pack("=I", len(text)) + text for text in texts)
    command = [driver, path] + ([str(max_ids)] if max_ids else [])
    out = subprocess.run(command, input=frames, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, check=True).stdout
    found, at = [], 0
    while at < len(out):
        count, = struct.unpack_from("=I", out, at)
        found.append(list(struct.unpack_from(f"={count}i", out, at + 4)))
        at += 4 + 4 * count
    return found


def difficult_characters(generator):
    """Characters of every kind that the normalizer treats in its own way, and the letters that hide among them."""
    marks = [c for c in SCALARS if unicodedata.category(c)[0] == "M"]
    kept = [c for c in marks if unicodedata.combining(c) and unicodedata.category(c) != "Mn"]
    kinds = [marks, kept + list("\u08d4\u1dfb\U0001e000"), *map(list, (
        "abcxyzABCXYZ0189", " \t\n\r\x0b\x0c\x00\x1c\x7f\x85\xa0\u2028\u3000\ufffd", ".,!?'\"-_$+<=>^`|~[]#@",
        "\u4e00\u9fff\uf900\U0002f800\u3400\U00020000", "\uac00\uac01\ud7a3\u1100\u1161\u11a8", "İıſßẞΣςéÉÅŞǅǄ",
        "\U0001d15e\U0001d15f\U0001d160\u0344\u0f73\u0f76\u0c48\u0cc0\u09cb\u0ddd\u226e\u2260\u037e\u1fef",
        "\u200b\u200d\ufeff\xad\ue000\U000f0000\u0378\U0010ffff", "’“”…—€™😀👩🏽"))]
    return [generator.choice(kinds[generator.randrange(len(kinds))]) for _ in range(4096)]


def mixtures(generator, n):
    characters = difficult_characters(generator)
    for _ in range(n):
        parts = [generator.choice(characters) for _ in range(generator.randrange(1, 24))]
        if generator.random() < 0.3:
            others = ["[MASK", "[[SEP]]", "[cls]", "newtok", " new ", "日本x"]
            parts.insert(generator.randrange(len(parts)), generator.choice(SPECIALS + others))
        if generator.random() < 0.1:
            parts.insert(generator.randrange(len(parts)), generator.choice(characters) * generator.randrange(90, 130))
        yield "".join(parts).encode()


def runs_of_marks(generator, n):
    """What NFD sorts: marks that stay without accents among others and among characters that are cleaned away."""
    marks = [c for c in SCALARS if unicodedata.category(c)[0] == "M"]
    sorted_marks = [c for c in marks if unicodedata.combining(c)]
    kept = [c for c in sorted_marks if unicodedata.category(c) != "Mn"]
    kept += list("\u08d4\u1dfb\U00011442\U0001e000\U0001e94a")
    kinds = [kept, kept, sorted_marks, marks, ["\u200b", "\ue000", "\u1100", "\U0001d160"]]
    for _ in range(n):
        parts = [generator.choice(generator.choice(kinds)) for _ in range(generator.randrange(2, 12))]
        yield (generator.choice(["", "a", "\uac00"]) + "".join(parts)).encode()


def random_bytes(generator, n):
    pool = bytes.fromhex("00 20 41 61 7F 80 8F 90 9F A0 BF C0 C1 C2 C3 DF E0 E1 EC ED EE EF F0 F1 F3 F4 F5 FF")
    for _ in range(n):
        yield bytes(generator.choice(pool) if generator.random() < 0.9 else generator.randrange(256)
                    for _ in range(generator.randrange(1, 16)))


class Comparison:
    def __init__(self, driver):
        self.driver, self.n_texts, self.n_bad = driver, 0, 0

    def check(self, name, tokenizer, texts, path=None, max_ids=None):
        texts = list(texts)
        tokenizer.no_padding()
        tokenizer.no_truncation()
        with tempfile.NamedTemporaryFile("w", suffix=".json", encoding="utf-8") as file:
            file.write(tokenizer.to_str())
            file.flush()
            found = mien(self.driver, path or file.name, texts, max_ids)
        if max_ids:
            tokenizer.enable_truncation(max_ids)
        decoded = [text.decode("utf-8", "replace") for text in texts]
        expected = [encoding.ids for encoding in tokenizer.encode_batch_fast(decoded)]
        tokenizer.no_truncation()
        bad = [(t, e, f) for t, e, f in zip(texts, expected, found) if e != f]
        self.n_texts += len(texts)
        self.n_bad += len(bad) + abs(len(expected) - len(found))
        for text, wanted, got in bad[:5]:
            print(f"{name}: {text!r} ({[hex(ord(c)) for c in text.decode('utf-8', 'replace')][:40]}):\n"
                  f"  expected {wanted}\n  found    {got}")
        print(f"{name}: {len(texts)} texts, {len(bad)} differ", flush=True)


def main():
    driver, vocabulary_path, *others = sys.argv[1:]
    with open(vocabulary_path, encoding="utf-8", newline="\n") as file:
        vocabulary = {line.rstrip("\n"): i for i, line in enumerate(file)}
    # With letters that the real vocabulary lacks, what becomes of a character shows in the ids.
    letters = dict(vocabulary)
    for c in SCALARS:
        if unicodedata.category(c) not in ("Co", "Cn") and not c.isspace() and c != "\0":
            letters.setdefault(c, len(letters))
            letters.setdefault("##" + c, len(letters))
    generator = random.Random(20)
    run = Comparison(driver)
    every = lambda form: [form.format(c).encode() for c in SCALARS]
    variants = [{}, {"lowercase": False}, {"strip_accents": False}, {"strip_accents": True, "lowercase": False},
                {"clean_text": False}, {"handle_chinese_chars": False},
                {"clean_text": False, "handle_chinese_chars": False, "strip_accents": False, "lowercase": False}]
    for options in variants:
        name = str(options or "BERT uncased")
        tokenizer = reference(letters, **options)
        forms = ["{0}", "a{0}b", "x{0}", "a\u302e{0}\U0001d165{0}"] if not options else ["a{0}b"]
        for form in forms:
            run.check(f"{name}, every scalar in {form!a}", tokenizer, every(form))
        run.check(f"{name}, mixtures", tokenizer, mixtures(generator, 40000))
        run.check(f"{name}, marks", tokenizer, runs_of_marks(generator, 40000))
        run.check(f"{name}, bytes", tokenizer, random_bytes(generator, 20000))
    real = reference(vocabulary)
    run.check("vocab.txt, mixtures", real, mixtures(generator, 20000), path=vocabulary_path)
    for max_ids in (2, 3, 7):
        run.check(f"cut to {max_ids}", real, mixtures(generator, 5000), max_ids=max_ids)
    run.check("words of 5", reference(vocabulary, max_characters=5), mixtures(generator, 20000))
    run.check("words of 20", reference(letters, max_characters=20), mixtures(generator, 20000))
    added = ["newtok", "new", "日本", "[", "token2"]
    run.check("added tokens", reference(vocabulary, added=added), mixtures(generator, 20000))
    run.check("added tokens that strip", reference(vocabulary, added=added, strip=True), mixtures(generator, 20000))
    for path in others:
        run.check(path, tokenizers.Tokenizer.from_file(path), mixtures(generator, 20000), path=path)
    print(f"{run.n_texts} texts, {run.n_bad} differ from tokenizers {tokenizers.__version__}")
    return 1 if run.n_bad else 0


if __name__ == "__main__":
    sys.exit(main())
