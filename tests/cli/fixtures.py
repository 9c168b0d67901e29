# SPDX-License-Identifier: Apache-2.0
"""What the command's tests run on: a small head and small embedding files, written by the standard library alone."""

import json
import os
import random
import struct
import tempfile
import unittest

D = 4
LABELS = ["joy", "love", "anger"]
# Weights, biases and rows are multiples of 1/8, so that every order of summation gives the same sums.
WEIGHTS = [[1.0, 0.0, 0.0, 0.0], [0.0, 1.0, 0.0, 0.0], [0.0, 0.0, 1.0, 0.5]]
BIAS = [0.0, 0.5, -1.0]
ROWS = [[2.0, -3.0, 0.5, 0.0], [1.0, 2.0, 3.0, 0.0], [-4.0, -4.0, -4.0, -4.0], [0.0, 0.25, 8.0, 0.0]]
NAN, INFINITY = float("nan"), float("inf")


# ---- ONNX: the few messages of a Gemm and a Sigmoid, in protobuf's wire format ----------------------------------


def _varint(number):
    out = bytearray()
    while number >= 0x80:
        out.append(number & 0x7F | 0x80)
        number >>= 7
    out.append(number)
    return bytes(out)


def _bytes(field, value):
    value = value.encode() if isinstance(value, str) else value
    return _varint(field << 3 | 2) + _varint(len(value)) + value


def _number(field, value):
    return _varint(field << 3) + _varint(value)


def _tensor(name, dims, values):
    data = struct.pack(f"<{len(values)}f", *values)
    return b"".join(_number(1, d) for d in dims) + _number(2, 1) + _bytes(8, name) + _bytes(9, data)


def _value_info(name, columns):
    shape = _bytes(1, _bytes(2, "N")) + _bytes(1, _number(1, columns))
    return _bytes(1, name) + _bytes(2, _bytes(1, _number(1, 1) + _bytes(2, shape)))


def _node(operator, inputs, output):
    return b"".join(_bytes(1, i) for i in inputs) + _bytes(2, output) + _bytes(3, operator + "_0") + _bytes(4, operator)


def fused_head(weights=WEIGHTS, bias=BIAS):
    """One output (N,L) without names: its labels come from a file."""
    columns = [row[d] for d in range(len(weights[0])) for row in weights]
    graph = (
        _bytes(1, _node("MatMul", ["x", "W"], "m"))
        + _bytes(1, _node("Add", ["m", "b"], "z"))
        + _bytes(1, _node("Sigmoid", ["z"], "scores"))
        + _bytes(2, "head")
        + _bytes(5, _tensor("W", [len(weights[0]), len(weights)], columns))
        + _bytes(5, _tensor("b", [len(bias)], bias))
        + _bytes(11, _value_info("x", len(weights[0])))
        + _bytes(12, _value_info("scores", len(weights)))
    )
    return _number(1, 8) + _bytes(2, "fixtures") + _bytes(3, "1.0") + _bytes(7, graph) + _bytes(8, _number(2, 13))


# ---- .npy -------------------------------------------------------------------------------------------------------


def npy(shape, descr="<f4", data=b"", fortran=False, version=1, raw_descr=None):
    descr = raw_descr or repr(descr)
    dims = ", ".join(str(n) for n in shape) + ("," if len(shape) == 1 else "")
    header = f"{{'descr': {descr}, 'fortran_order': {fortran}, 'shape': ({dims}), }}".encode()
    size = 2 if version == 1 else 4
    header += b" " * (-(len(header) + 8 + size + 1) % 64) + b"\n"
    return b"\x93NUMPY" + bytes([version, 0]) + len(header).to_bytes(size, "little") + header + data


def matrix(rows, descr="<f4", columns=D, **more):
    code = {"<f4": "f", "<f2": "e", "<f8": "d"}[descr]
    data = b"".join(struct.pack(f"<{columns}{code}", *row) for row in rows)
    return npy((len(rows), columns), descr, data, **more)


def raw(rows):
    return b"".join(struct.pack(f"<{len(row)}f", *row) for row in rows)


def read_npy(path):
    """(descr, shape, data) of a file that the command wrote; the header must be as NumPy writes it."""
    with open(path, "rb") as file:
        bytes_ = file.read()
    assert bytes_[:8] == b"\x93NUMPY\x01\x00", bytes_[:8]
    length = int.from_bytes(bytes_[8:10], "little")
    assert (10 + length) % 64 == 0 and bytes_[9 + length : 10 + length] == b"\n", length
    header = eval(bytes_[10 : 10 + length], {"__builtins__": {}})
    assert header["fortran_order"] is False
    return header["descr"], header["shape"], bytes_[10 + length :]


# ---- An encoder: a BERT of random weights in a sentence-transformers folder --------------------------------------

HIDDEN, INTERMEDIATE, POSITIONS = 32, 64, 16
WORDS = "i am so happy today thank you for this it is not what a the love hate joy text line".split()
VOCABULARY = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *WORDS, *"bcdefgh", *"!,.?", *(f"##{c}" for c in "sabcde")]
TEXT_WEIGHTS = [[float((i * (2 * j + 3)) % 7 - 3) for i in range(HIDDEN)] for j in range(3)]
TEXT_BIAS = [0.0, 0.0, 0.0]


def _bert_shapes():
    yield "embeddings.word_embeddings.weight", (len(VOCABULARY), HIDDEN)
    yield "embeddings.position_embeddings.weight", (POSITIONS, HIDDEN)
    yield "embeddings.token_type_embeddings.weight", (2, HIDDEN)
    yield from _norm_shapes("embeddings.LayerNorm")
    for layer in ("encoder.layer.0", "encoder.layer.1"):
        for name in ("query", "key", "value"):
            yield from _linear_shapes(f"{layer}.attention.self.{name}", HIDDEN, HIDDEN)
        yield from _linear_shapes(f"{layer}.attention.output.dense", HIDDEN, HIDDEN)
        yield from _norm_shapes(f"{layer}.attention.output.LayerNorm")
        yield from _linear_shapes(f"{layer}.intermediate.dense", INTERMEDIATE, HIDDEN)
        yield from _linear_shapes(f"{layer}.output.dense", HIDDEN, INTERMEDIATE)
        yield from _norm_shapes(f"{layer}.output.LayerNorm")


def _linear_shapes(name, outputs, inputs):
    yield f"{name}.weight", (outputs, inputs)
    yield f"{name}.bias", (outputs,)


def _norm_shapes(name):
    yield f"{name}.weight", (HIDDEN,)
    yield f"{name}.bias", (HIDDEN,)


def safetensors(shapes, seed=1):
    """Eight bytes of the header's length, the header in JSON, then the numbers."""
    numbers, header, data = random.Random(seed), {}, b""
    for name, shape in shapes:
        count = shape[0] * (shape[1] if len(shape) > 1 else 1)
        centre = 1.0 if name.endswith("LayerNorm.weight") else 0.0
        spread = 1.0 if "word_embeddings" in name else 0.15  # so that texts differ
        bytes_ = struct.pack(f"<{count}f", *(numbers.gauss(centre, spread) for _ in range(count)))
        header[name] = {"dtype": "F32", "shape": list(shape), "data_offsets": [len(data), len(data) + len(bytes_)]}
        data += bytes_
    text = json.dumps(header).encode()
    return struct.pack("<Q", len(text)) + text + data


def encoder_files(folder):
    config = {
        "model_type": "bert", "architectures": ["BertModel"], "vocab_size": len(VOCABULARY), "hidden_size": HIDDEN,
        "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": INTERMEDIATE, "hidden_act": "gelu",
        "max_position_embeddings": POSITIONS, "type_vocab_size": 2, "layer_norm_eps": 1e-12, "pad_token_id": 0,
    }  # fmt: skip
    modules = [
        {"idx": 0, "name": "0", "path": "", "type": "sentence_transformers.models.Transformer"},
        {"idx": 1, "name": "1", "path": "1_Pooling", "type": "sentence_transformers.models.Pooling"},
        {"idx": 2, "name": "2", "path": "2_Normalize", "type": "sentence_transformers.models.Normalize"},
    ]
    pooling = {"word_embedding_dimension": HIDDEN, "pooling_mode_cls_token": False, "pooling_mode_mean_tokens": True}
    texts = {
        "config.json": config,
        "modules.json": modules,
        "1_Pooling/config.json": pooling,
        "sentence_bert_config.json": {"max_seq_length": POSITIONS, "do_lower_case": False},
        "tokenizer_config.json": {"tokenizer_class": "BertTokenizer", "do_lower_case": True},
    }
    files = {f"{folder}/{name}": json.dumps(value, indent=2).encode() for name, value in texts.items()}
    files[f"{folder}/vocab.txt"] = "".join(f"{token}\n" for token in VOCABULARY).encode()
    files[f"{folder}/model.safetensors"] = safetensors(_bert_shapes())
    return files


# ---- Files ------------------------------------------------------------------------------------------------------

BAD_ROWS = [ROWS[0], [0.0, NAN, 0.0, 0.0], ROWS[1], [0.0, 0.0, 0.0, -INFINITY], ROWS[3]]

# Labelled rows of embeddings: numbers of labels in an order that is not the head's.
LABELLED = [
    ("so happy", "1", "a", [3.0, -2.0, 0.25, 0.0]),
    ("love, and joy", "1,2", "b", [2.0, 1.5, -1.0, 0.5]),
    ("how dare you", "0", "c", [-1.0, -3.0, 2.5, 1.0]),
    ("I love this", "2", "d", [0.5, 1.0, -2.0, 0.0]),
    ("nothing at all", "", "e", [-2.0, -2.0, 0.5, 0.0]),
    ("joy?", "1", "f", [-0.5, -1.0, 1.5, 0.0]),
    ("joy | delight", "1,2", "g", [1.5, -0.25, 0.0, -1.0]),
    ("angry love", "0,2", "h", [0.25, 0.5, 1.0, 1.0]),
]
LABELLED_SCORES = [[0.875, 0.125, 0.25], [0.75, 0.75, 0.5], [0.25, 0.0, 0.875], [0.5, 0.875, 0.125],
                   [0.25, 0.125, 0.5], [0.375, 0.25, 0.625], [0.75, 0.5, 0.25], [0.625, 0.625, 0.5]]

LINES = [
    '{"id":7,"text":"I am so happy today!","labels":[1.50,12345678901234567890],"b":null}',
    "",
    '{"id":"x","text":null}',
    "{bad",
    '{"id":null,"text":"","b":"\\u00e9,\\n"}',
    '{"text":"' + "this is a text " * 20 + '"}',
    '["a"]',
]

FILES = {
    **encoder_files("encoder"),
    "texthead/model.onnx": fused_head(TEXT_WEIGHTS, TEXT_BIAS),
    "texthead/labels.txt": b"joy\nlove\nanger\n",
    "texthead/thresholds.json": b'{"joy": 0.3, "love": 0.06, "anger": 0.52}',
    "texts.txt": b"I am so happy today!\n\nthank you, thank you\r\nI hate this.\n\xff\x00 love",
    "texts.jsonl": "\n".join(LINES).encode(),
    "texts.csv": b'id,text,n\r\n1,"I am, so ""happy""",x\r\n2,line\r\n3,"a\r\nline","q""z"\r\n',
    "texts.tsv": b'text\tn\n"I love this" text\t1\nbad\n\xc3\xa9?\t"\n',
    "open.csv": b'text\na\n"b\nc\n',
    "bodies.csv": b"body\na\n",
    "mixed/a.txt": b"a\n",
    "mixed/b.npy": matrix(ROWS[:1]),
    "corpus/a.txt": b"I am happy\n",
    "corpus/b.csv": b"text\nnot happy\n",
    "corpus/c.md": b"# not read\n",
    "head/model.onnx": fused_head(),
    "head/labels.txt": "joy\nlove\nanger\n".encode(),
    "head/thresholds.json": b'{"joy": 0.5, "love": 0.6, "anger": 0.25}',
    "bare/model.onnx": fused_head(),
    "odd.txt": 'joy, or "bliss"\nlove\n\u00e4rger\n'.encode(),
    "pipe.txt": b"joy|bliss\nlove\nanger\n",
    "missing.json": b'{"joy": 0.5, "love": 0.6}',
    "rows.npy": matrix(ROWS),
    "rows16.npy": matrix(ROWS, "<f2"),
    "rows64.npy": matrix(ROWS, "<f8"),
    "version2.npy": matrix(ROWS, version=2),
    "rows.f32": raw(ROWS),
    "odd.f32": raw(ROWS) + b"xyz",
    "more.npy": matrix(ROWS[:2]),
    "zero.npy": matrix([]),
    "zero.f32": b"",
    "one.npy": matrix(ROWS[:1]),
    "bad.npy": matrix(BAD_ROWS),
    "bad16.npy": matrix(BAD_ROWS, "<f2"),
    "bad64.npy": matrix([ROWS[0], [0.0, 1e300, 0.0, 0.0], ROWS[1]], "<f8"),
    "sum.npy": matrix([ROWS[0], [0.0, 0.0, 3e38, 3e38], ROWS[1]]),
    "wide.npy": matrix([[0.0] * 5, [0.0] * 5], columns=5),
    "cut.npy": matrix(ROWS)[:-5],
    "long.npy": matrix(ROWS) + b"x",
    "object.npy": npy((2, D), "|O", b"\x80\x04pickled"),
    "big_endian.npy": npy((1, D), ">f4", bytes(16)),
    "fortran.npy": npy((2, D), "<f4", bytes(32), fortran=True),
    "flat.npy": npy((D,), "<f4", bytes(16)),
    "cube.npy": npy((1, 2, D), "<f4", bytes(32)),
    "integers.npy": npy((1, D), "<i8", bytes(32)),
    "complex.npy": npy((1, D), "<c8", bytes(32)),
    "records.npy": npy((2,), data=bytes(16), raw_descr="[('a', '<f4'), ('b', '<f4')]"),
    "claim.npy": npy((1 << 31, D)),
    "text.npy": b"I am so happy today!\n",
    "pointer.npy": b"version https://git-lfs.github.com/spec/v1\noid sha256:0\n",
    "empty.npy": b"",
    "notes.txt": b"I am so happy today!\n",
    "unknown.bin": b"\x00",
    "folder/b.npy": matrix(ROWS[1:2]),
    "folder/a.npy": matrix(ROWS[:1]),
    "folder/.hidden.npy": b"",
    "folder/readme.md": b"not embeddings",
    "folder/inner/c.npy": matrix(ROWS[2:3]),
    "nothing/readme.md": b"not embeddings",
    "labelled/labels.txt": b"anger\njoy\nlove\n",
    "labelled/rows.tsv": "".join(f"{text}\t{labels}\t{id}\n" for text, labels, id, _ in LABELLED).encode(),
    "labelled/rows.jsonl": "".join(
        json.dumps({"text": text, "labels": [["anger", "joy", "love"][int(n)] for n in labels.split(",") if n]}) + "\n"
        for text, labels, _, _ in LABELLED
    ).encode(),
    "labelled/rows.npy": matrix([row for _, _, _, row in LABELLED]),
    "labelled/scores.npy": matrix(LABELLED_SCORES, columns=3),
    "labelled/scores.npy.labels.json": b'{"labels": ["joy", "love", "anger"]}',
    "labelled/thresholds.json": b'{"joy": 0.5, "love": 0.5, "anger": 0.25}',
    "labelled/no_love.tsv": "".join(
        f"{text}\t{labels.replace(',2', '').replace('2', '')}\t{id}\n" for text, labels, id, _ in LABELLED
    ).encode(),
    "labelled/nan.npy": matrix([[0.5, 0.5, 0.5]] * 7 + [[0.5, NAN, 0.5]], columns=3),
    "labelled/logits.npy": matrix([[0.5, 0.5, 1.5]] * 8, columns=3),
    "labelled/short.npy": matrix(LABELLED_SCORES[:7], columns=3),
    "labelled/names.txt": b"joy\nlove\nanger\n",
    "labelled/empty.tsv": b"",
    "labelled/unknown.tsv": b"so happy\tjoy\nso sad\tgrief\n",
    "labelled/number.tsv": b"so happy\t1\nso sad\t3\n",
}


def write_files(folder):
    for name, data in FILES.items():
        path = os.path.join(folder, name)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "wb") as file:
            file.write(data)


def is_sanitized(command):
    with open(command, "rb") as file:
        return b"__asan_init" in file.read()


class InFolder(unittest.TestCase):
    """A test in a folder of its own, which has the files, with random numbers of its own."""

    PLACE = None  # of the folder; None: where temporary files are

    def setUp(self):
        temporary = tempfile.TemporaryDirectory(dir=self.PLACE)
        self.addCleanup(temporary.cleanup)
        self.folder = temporary.name
        self.random = random.Random(self.id())
        write_files(self.folder)

    def path(self, *names):
        return os.path.join(self.folder, *names)

    def write(self, name, data):
        with open(self.path(name), "wb") as file:
            file.write(data.encode() if isinstance(data, str) else data)

    def read(self, name):
        with open(self.path(name), "rb") as file:
            return file.read()
