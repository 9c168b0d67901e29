# SPDX-License-Identifier: Apache-2.0
"""Writes small packs, seeds of the fuzz target: write_packs.py FOLDER. By the standard library alone, from the format's
description and not with mien: what mien reads here is what it says that it reads."""

import json
import os
import random
import struct
import sys

HIDDEN, HEADS, INTERMEDIATE, MAX_TOKENS = 16, 1, 16, 4
VOCABULARY = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "a", "happy", "text", "##s"]
LABELS = ["joy", "love"]
MATRICES = {
    "query_key_value": (3 * HIDDEN, HIDDEN),
    "attention_output": (HIDDEN, HIDDEN),
    "up": (INTERMEDIATE, HIDDEN),
    "down": (HIDDEN, INTERMEDIATE),
}
# dtype: the format's type, bits of activations, bytes of an element, inputs side by side
DTYPES = {"f32": ("F32", 32, 4, 1), "f16": ("F16", 32, 2, 1), "bf16": ("BF16", 16, 2, 2), "int8": ("I8", 8, 1, 4)}


def number(dtype, value):
    if dtype == "int8":
        return struct.pack("<b", round(value * 127))
    if dtype == "bf16":
        return struct.pack("<f", value)[2:]
    return struct.pack({"f32": "<f", "f16": "<e"}[dtype], value)


def floats(values):
    return struct.pack(f"<{len(values)}f", *values)


def panels(dtype, outputs, inputs, numbers):
    """[outputs/16][depth/s][16][s], zeros behind the inputs."""
    _, _, bytes_, side = DTYPES[dtype]
    depth = inputs if side == 1 else -(-inputs // (64 // bytes_)) * (64 // bytes_)
    weights = [[numbers.uniform(-1, 1) for _ in range(inputs)] + [0.0] * (depth - inputs) for _ in range(outputs)]
    data = b"".join(
        number(dtype, weights[panel + output][line + beside])
        for panel in range(0, outputs, 16)
        for line in range(0, depth, side)
        for output in range(16)
        for beside in range(side)
    )
    shape = [outputs // 16, depth // side, 16] + ([side] if side > 1 else [])
    return shape, data


def tensors(dtype, with_head, numbers):
    type_ = DTYPES[dtype][0]
    some = lambda n: floats([numbers.uniform(0, 1) for _ in range(n)])
    for name, (outputs, inputs) in MATRICES.items():
        yield f"layers.0.{name}.panels", type_, *panels(dtype, outputs, inputs, numbers)
        yield f"layers.0.{name}.bias", "F32", [outputs], some(outputs)
        if dtype == "int8":
            yield f"layers.0.{name}.scales", "F32", [outputs], some(outputs)
        if dtype == "int8" and name in ("query_key_value", "up"):
            yield f"layers.0.{name}.multipliers", "F32", [inputs], some(inputs)
    for norm in ("layers.0.attention_norm", "layers.0.output_norm", "embeddings.norm"):
        yield f"{norm}.gamma", "F32", [HIDDEN], some(HIDDEN)
        yield f"{norm}.beta", "F32", [HIDDEN], some(HIDDEN)
    yield "embeddings.position", "F32", [MAX_TOKENS, HIDDEN], some(MAX_TOKENS * HIDDEN)
    words = b"".join(number(dtype, numbers.uniform(-1, 1)) for _ in range(len(VOCABULARY) * HIDDEN))
    yield "embeddings.word", type_, [len(VOCABULARY), HIDDEN], words
    if dtype == "int8":
        yield "embeddings.word.scales", "F32", [len(VOCABULARY)], some(len(VOCABULARY))
    if with_head:
        yield "head.weights", "F32", [len(LABELS), HIDDEN], some(len(LABELS) * HIDDEN)
        yield "head.bias", "F32", [len(LABELS)], some(len(LABELS))
        yield "thresholds", "F32", [len(LABELS)], some(len(LABELS))
    text = "".join(f"{token}\n" for token in VOCABULARY).encode()
    yield "tokenizer.vocabulary", "U8", [len(text)], text


def pack(dtype, with_head):
    config = {
        "layers": 1, "hidden": HIDDEN, "heads": HEADS, "intermediate": INTERMEDIATE, "vocabulary": len(VOCABULARY),
        "max_tokens": MAX_TOKENS, "layer_norm_eps": 1e-12, "pooling": "mean", "normalize": True,
        "tokenizer": {
            "clean_text": True, "handle_chinese_chars": True, "strip_accents": True, "lowercase": True,
            "max_input_chars_per_word": 100, "unk_token_id": 1, "cls_token_id": 2, "sep_token_id": 3,
            "added_tokens": [{"id": 3, "content": "[SEP]"}],
        },
    }  # fmt: skip
    if with_head:
        config["head"] = {"labels": LABELS, "producer": "write_packs"}
    header = {
        "__metadata__": {
            "format": "mien", "mien_pack_version": "1", "dtype": dtype, "activation_bits": str(DTYPES[dtype][1]),
            "attention": "f32", "config": json.dumps(config, separators=(",", ":")),
        }
    }  # fmt: skip
    data = b""
    for name, type_, shape, bytes_ in tensors(dtype, with_head, random.Random(dtype)):
        header[name] = {"dtype": type_, "shape": shape, "data_offsets": [len(data), len(data) + len(bytes_)]}
        data += bytes_
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-(len(text) + 8) % 64)
    return struct.pack("<Q", len(text)) + text + data


def main():
    for dtype in DTYPES:
        with open(os.path.join(sys.argv[1], f"{dtype}.safetensors"), "wb") as file:
            file.write(pack(dtype, dtype != "bf16"))
    return 0


if __name__ == "__main__":
    sys.exit(main())
