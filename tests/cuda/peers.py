#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""mien on a CUDA device beside its peers, one after the other on the same data: peers.py PART BUILD SOURCE_DIR JSON

head             rows in device memory to labels, as bits or as a mask: PyTorch's sigmoid(x @ W.T + b) > t
head-compiled    the same through torch.compile
texts            texts to labels: mien's command, whole, beside BERTs of the same sizes on tokens that are ready
texts-compiled   the same through torch.compile
onnxruntime      the shipped head and such a BERT in ONNX Runtime, on rows and tokens in device memory

BUILD has mien, libmien.so and libmien_cuda.so. Exit code 77: what the part needs is not installed. JSON: results
[{subject, name, dtype, output, per_s_best, per_s_median, seconds, ...}], ratios [{subject, mien, peer, best, median}],
skipped [{name, reason}], versions. A ratio is mien's rate over the peer's."""
import array
import ctypes
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time

PARTS = ("head", "head-compiled", "texts", "texts-compiled", "onnxruntime")
if len(sys.argv) != 5 or sys.argv[1] not in PARTS:
    sys.exit(__doc__)
PART, BUILD, SOURCE, JSON = sys.argv[1:]
sys.dont_write_bytecode = True
sys.path.insert(0, os.path.join(SOURCE, "tests/bench"))
from structures import Options, Results, Rows  # noqa: E402
MIEN = os.path.join(BUILD, "mien")
HEAD = os.path.join(SOURCE, "models/heads/all-MiniLM-L6-v2")
MODEL = os.path.join(SOURCE, "models/goemotions-small")
ROWS, TEXTS, TOKENS_OF_A_STEP = 1 << 21, 200000, 16
ROUNDS, LABELS, DIM = 9, 28, 384
# What another dtype's bits may differ by, of all labels: they are compared, so that both do the same work.
MOST_DIFFERENT = 0.01

try:
    import torch
except ImportError:
    print("PyTorch is not installed")
    sys.exit(77)
if not torch.cuda.is_available():
    print("PyTorch finds no CUDA device")
    sys.exit(77)

results, skipped = [], []


def record(subject, name, dtype, count, seconds, **more):
    made = {"subject": subject, "name": name, "dtype": dtype, "per_s_best": count / min(seconds),
            "per_s_median": count / statistics.median(seconds), "seconds": [round(one, 6) for one in seconds], **more}
    results.append(made)
    print(f"{subject}: {name}, {dtype}: {made['per_s_median']:,.0f} /s, best {made['per_s_best']:,.0f} /s", flush=True)


def attempt(name, call, *arguments):
    """A peer that cannot be run here says why, and the others go on."""
    try:
        return call(*arguments)
    except Exception as error:  # pylint: disable=broad-except
        reason = f"{type(error).__name__}: {str(error).strip().splitlines()[0] if str(error).strip() else ''}"
        skipped.append({"name": name, "reason": reason[:500]})
        print(f"skipped: {name}: {reason}", flush=True)
        torch.cuda.empty_cache()
        return None


def timed_on_device(call, rounds=ROUNDS):
    """Seconds by the device's own clock, after two runs that do not count."""
    for _ in range(2):
        call()
    seconds = []
    for _ in range(rounds):
        start, end = (torch.cuda.Event(enable_timing=True) for _ in range(2))
        torch.cuda.synchronize()
        start.record()
        call()
        end.record()
        torch.cuda.synchronize()
        seconds.append(start.elapsed_time(end) / 1000)
    return seconds


# ---- mien's library -------------------------------------------------------------------------------------------------


class Error(ctypes.Structure):
    _fields_ = [("code", ctypes.c_int32), ("message", ctypes.c_char * 1016)]


DTYPES = {torch.float32: 0, torch.float16: 1, torch.bfloat16: 3}


class Mien:
    """The shipped head on a CUDA device, for rows and results in its memory."""

    def __init__(self):
        self.library = ctypes.CDLL(os.path.join(BUILD, "libmien.so"))
        self.model, self.session, self.error = ctypes.c_void_p(), ctypes.c_void_p(), Error()
        self.check(self.library.mien_model_open(HEAD.encode(), None, ctypes.byref(self.model),
                                                ctypes.byref(self.error)))
        options = Options(size=ctypes.sizeof(Options), device=1, threads=1)
        self.check(self.library.mien_session_create(self.model, ctypes.byref(options), ctypes.byref(self.session),
                                                    ctypes.byref(self.error)))

    def check(self, status):
        if status != 0:
            raise RuntimeError(self.error.message.decode(errors="replace"))

    def label(self, rows, words):
        given = Rows(ctypes.sizeof(Rows), rows.data_ptr(), DTYPES[rows.dtype], rows.stride(0))
        to = Results(size=ctypes.sizeof(Results), words=words.data_ptr())
        self.check(self.library.mien_cuda_label_embeddings(
            self.session, ctypes.byref(given), ctypes.c_size_t(len(rows)), ctypes.byref(to),
            ctypes.c_void_p(torch.cuda.current_stream().cuda_stream), ctypes.byref(self.error)))


def inspect(model):
    return json.loads(subprocess.run([MIEN, "inspect", "--json", model], capture_output=True, check=True).stdout)


def head_weights():
    """W, b and t of the shipped head, by what mien itself gives: logits of zeros and of unit vectors."""
    with tempfile.TemporaryDirectory() as folder:
        rows, out = os.path.join(folder, "rows.f32"), os.path.join(folder, "out.npy")
        numbers = array.array("f", [0.0] * DIM)
        for i in range(DIM):
            numbers.extend(1.0 if k == i else 0.0 for k in range(DIM))
        with open(rows, "wb") as file:
            numbers.tofile(file)
        subprocess.run([MIEN, "label", "--head", HEAD, "--quiet", rows, "-o", out], check=True)
        with open(out, "rb") as file:
            data = file.read()
    scores = torch.frombuffer(bytearray(data[10 + int.from_bytes(data[8:10], "little"):]), dtype=torch.float32)
    logits = torch.logit(scores.double().view(DIM + 1, LABELS))
    thresholds = torch.tensor(inspect(HEAD)["thresholds"], dtype=torch.float32)
    return ((logits[1:] - logits[0]).T.float().contiguous().cuda(), logits[0].float().cuda(), thresholds.cuda())


def make_rows(dtype):
    """Of unit length, as sentence embeddings are."""
    torch.manual_seed(1)
    rows = torch.empty(ROWS, DIM, dtype=dtype, device="cuda")
    for part in rows.split(1 << 18):
        part.copy_(torch.nn.functional.normalize(torch.randn(len(part), DIM, device="cuda")))
    return rows


def unpack(words):
    return (words[:, None] >> torch.arange(LABELS, device="cuda", dtype=torch.int32) & 1).bool()


def make_mask_of(weights, bias, thresholds):
    def mask_of(x):
        return torch.sigmoid(torch.nn.functional.linear(x, weights, bias)) > thresholds
    return mask_of


def make_bits_of(mask_of):
    places = torch.arange(LABELS, device="cuda", dtype=torch.int32)

    def bits_of(x):
        return (mask_of(x).to(torch.int32) << places).sum(1, dtype=torch.int32)
    return bits_of


def measure_torch_head(rows, weights, bias, thresholds, name, dtype, expected, compiles):
    mask_of = make_mask_of(weights.to(rows.dtype), bias.to(rows.dtype), thresholds.to(rows.dtype))
    for output, call in (("mask", mask_of), ("bits", make_bits_of(mask_of))):
        made = torch.compile(call, mode="max-autotune-no-cudagraphs") if compiles else call
        found = made(rows)
        found = found if output == "mask" else unpack(found)
        different = float((found != expected).float().mean())
        if different > MOST_DIFFERENT:
            raise RuntimeError(f"{different:.4f} of its labels are not mien's")
        del found
        record("head", name, dtype, ROWS, timed_on_device(lambda made=made: made(rows)), output=output,
               gb_per_s=None, labels_that_differ=different)


def measure_head(compiles=False):
    weights, bias, thresholds = head_weights()
    mien = Mien()
    for dtype, title in ((torch.float32, "f32"), (torch.float16, "f16"), (torch.bfloat16, "bf16")):
        rows = make_rows(dtype)
        words = torch.empty(ROWS, dtype=torch.int32, device="cuda")
        mien.label(rows, words)
        torch.cuda.synchronize()
        expected = unpack(words)
        record("head", "mien", title, ROWS, timed_on_device(lambda rows=rows, words=words: mien.label(rows, words)),
               output="bits")
        name = "PyTorch compiled" if compiles else "PyTorch"
        for allows_tf32 in (False, True) if title == "f32" else (False,):
            torch.backends.cuda.matmul.allow_tf32 = allows_tf32
            kind = "tf32" if allows_tf32 else title
            attempt(f"{name}, {kind}", measure_torch_head, rows, weights, bias, thresholds, name, kind, expected,
                    compiles)
        del rows, words, expected
        torch.cuda.empty_cache()
    for made in results:
        size = 4 if made["dtype"] in ("f32", "tf32") else 2
        made["gb_per_s"] = made["per_s_best"] * DIM * size / 1e9


# ---- Texts ----------------------------------------------------------------------------------------------------------


def write_texts(folder):
    """GoEmotions' test texts, over and over."""
    with open(os.path.join(SOURCE, "models/goemotions/test.tsv"), encoding="utf-8") as lines:
        texts = [line.split("\t")[0] for line in lines]
    path = os.path.join(folder, "texts.txt")
    with open(path, "w", encoding="utf-8", newline="\n") as file:
        file.writelines(texts[i % len(texts)] + "\n" for i in range(TEXTS))
    return path


def measure_mien_texts(path, folder, rounds=3):
    """The whole command, from its start to its end: reading, tokens, labels, bits on the disk."""
    for dtype in ("int8", "bf16", "f16"):
        arguments = [MIEN, "label", "--model", MODEL, "--device", "cuda", path, "-o",
                     os.path.join(folder, "out.bits"), *(["--dtype", dtype] if dtype != "int8" else [])]
        seconds = []
        for _ in range(rounds + 1):
            start = time.perf_counter()
            done = subprocess.run(arguments, capture_output=True, text=True, check=False)
            seconds.append(time.perf_counter() - start)
            if done.returncode != 0:
                raise RuntimeError(done.stderr.strip())
        # Itself says what it took without its start.
        said = done.stderr.strip().splitlines()[-1]
        record("texts", "mien label", dtype, TEXTS, seconds[1:], output="bits", said=said)


def read_tokens(path):
    """Token ids of the first texts, by mien's tokenizer, whose time does not count for the peers."""
    command = [MIEN, "tokenize", "--model", MODEL, "--quiet", path]
    shown = subprocess.run(command, capture_output=True, check=True).stdout
    return [json.loads(line)["ids"] for line in shown.splitlines()]


def make_transformers(shape):
    import transformers
    config = transformers.BertConfig(
        vocab_size=shape["vocabulary"], hidden_size=shape["hidden"], num_hidden_layers=shape["layers"],
        num_attention_heads=shape["heads"], intermediate_size=shape["intermediate"],
        max_position_embeddings=shape["positions"])
    bert = transformers.BertModel(config, add_pooling_layer=False).eval()
    return lambda ids, mask: bert(input_ids=ids, attention_mask=mask).last_hidden_state, bert


def make_plain_torch(shape):
    """PyTorch's own encoder, whose fast path leaves padding out."""
    layer = torch.nn.TransformerEncoderLayer(shape["hidden"], shape["heads"], shape["intermediate"],
                                             activation="gelu", batch_first=True, dropout=0.0)
    words = torch.nn.Embedding(shape["vocabulary"], shape["hidden"])
    positions = torch.nn.Embedding(shape["positions"], shape["hidden"])
    encoder = torch.nn.TransformerEncoder(layer, shape["layers"], enable_nested_tensor=True)
    module = torch.nn.ModuleList([words, positions, torch.nn.LayerNorm(shape["hidden"]), encoder]).eval()

    def forward(ids, mask):
        x = module[2](words(ids) + positions(torch.arange(ids.shape[1], device=ids.device)))
        x = encoder(x, src_key_padding_mask=~mask.bool())
        # The fast path cuts what is padding in all rows.
        return x if x.shape[1] == ids.shape[1] else torch.nn.functional.pad(x, (0, 0, 0, ids.shape[1] - x.shape[1]))
    return forward, module


class Labeller:
    """A BERT with pooling and a head: batches of tokens of like length, padded, to labels in host memory."""

    def __init__(self, make, dtype, compiles):
        torch.manual_seed(2)
        encode, module = make(inspect(MODEL)["encoder"])
        module.to("cuda", dtype)
        weights, bias, thresholds = (part.to(dtype) for part in head_weights())
        mask_of = make_mask_of(weights, bias, thresholds)

        def labels_of(ids, mask):
            x = encode(ids, mask)
            kept = mask.unsqueeze(-1).to(x.dtype)
            return mask_of((x * kept).sum(1) / kept.sum(1))
        self.labels_of = torch.compile(labels_of, dynamic=True) if compiles else labels_of
        self.batch = 0

    def prepare(self, tokens, batch):
        """Sorted by length; lengths are rounded up, as few shapes are compiled for. This does not count either."""
        self.batches = []
        order = sorted(range(len(tokens)), key=lambda i: len(tokens[i]))
        for first in range(0, len(order), batch):
            rows = [tokens[i] for i in order[first:first + batch]]
            longest = -(-len(rows[-1]) // TOKENS_OF_A_STEP) * TOKENS_OF_A_STEP
            ids = torch.zeros(len(rows), longest, dtype=torch.int64)
            mask = torch.zeros(len(rows), longest, dtype=torch.int64)
            for row, own in enumerate(rows):
                ids[row, :len(own)] = torch.tensor(own)
                mask[row, :len(own)] = 1
            self.batches.append((ids.pin_memory(), mask.pin_memory()))

    def run(self):
        with torch.inference_mode():
            out = [self.labels_of(ids.to("cuda", non_blocking=True), mask.to("cuda", non_blocking=True))
                   for ids, mask in self.batches]
            return [one.cpu() for one in out]

    def seconds(self):
        start = time.perf_counter()
        self.run()
        torch.cuda.synchronize()
        return time.perf_counter() - start


def measure_torch_texts(name, make, dtype, title, tokens, compiles):
    labeller = Labeller(make, dtype, compiles)
    found = []
    for batch in (256, 1024, 4096):
        labeller.prepare(tokens, batch)
        labeller.seconds()
        found.append((labeller.seconds(), batch))
    batch = min(found)[1]
    labeller.prepare(tokens, batch)
    labeller.seconds()
    record("texts", name, title, len(tokens), [labeller.seconds() for _ in range(5)], output="mask", batch=batch)


def measure_texts(compiles=False):
    with tempfile.TemporaryDirectory() as folder:
        path = write_texts(folder)
        measure_mien_texts(path, folder)
        some = os.path.join(folder, "some.txt")
        with open(path, encoding="utf-8") as lines, open(some, "w", encoding="utf-8", newline="\n") as file:
            file.writelines(line for _, line in zip(range(20000), lines))
        tokens = read_tokens(some)
    makers = [("transformers' BertModel", make_transformers), ("torch's TransformerEncoder", make_plain_torch)]
    for name, make in makers[:1] if compiles else makers:
        name = f"{name} compiled" if compiles else name
        for dtype, title in ((torch.float16, "f16"), (torch.bfloat16, "bf16"), (torch.float32, "f32")):
            if not compiles or title == "f16":  # compiling takes most of a minute
                attempt(f"{name}, {title}", measure_torch_texts, name, make, dtype, title, tokens, compiles)


# ---- ONNX Runtime ---------------------------------------------------------------------------------------------------


def session_of(onnxruntime, path):
    session = onnxruntime.InferenceSession(path, providers=["CUDAExecutionProvider"])
    if "CUDAExecutionProvider" not in session.get_providers():
        raise RuntimeError("its CUDA provider does not start here")
    return session


def bound(onnxruntime, session, inputs):
    """A call with inputs and outputs in device memory."""
    binding = session.io_binding()
    types = {torch.float32: 1, torch.int64: 7}
    for given, tensor in zip(session.get_inputs(), inputs):
        binding.bind_input(given.name, "cuda", 0, types[tensor.dtype], tuple(tensor.shape), tensor.data_ptr())
    for made in session.get_outputs():
        binding.bind_output(made.name, "cuda")

    def call():
        session.run_with_iobinding(binding)
        binding.synchronize_outputs()
    return call


def timed_here(call, rounds=ROUNDS):
    call(), call()
    seconds = []
    for _ in range(rounds):
        start = time.perf_counter()
        call()
        seconds.append(time.perf_counter() - start)
    return seconds


def measure_runtime_head(onnxruntime):
    rows, words = make_rows(torch.float32), torch.empty(ROWS, dtype=torch.int32, device="cuda")
    mien = Mien()
    record("head", "mien", "f32", ROWS, timed_on_device(lambda: mien.label(rows, words)), output="bits")
    session = session_of(onnxruntime, os.path.join(HEAD, "model.onnx"))
    seconds = timed_here(bound(onnxruntime, session, [rows]))
    record("head", "ONNX Runtime", "f32", ROWS, seconds, output="probabilities")


def measure_runtime_texts(onnxruntime, folder):
    path = write_texts(folder)
    measure_mien_texts(path, folder)
    encode, module = make_transformers(inspect(MODEL)["encoder"])

    class Embedder(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.module = module

        def forward(self, ids, mask):
            return encode(ids, mask)
    exported = os.path.join(folder, "bert.onnx")
    example = torch.ones(2, 16, dtype=torch.int64)
    axes = {0: "batch", 1: "tokens"}
    torch.onnx.export(Embedder().eval(), (example, example), exported, input_names=["ids", "mask"], output_names=["x"],
                      dynamic_axes={"ids": axes, "mask": axes, "x": axes}, dynamo=False)
    session = session_of(onnxruntime, exported)
    # Batches of 32 tokens a text, which most have fewer than.
    ids = torch.ones(1024, 32, dtype=torch.int64, device="cuda")
    seconds = timed_here(bound(onnxruntime, session, [ids, ids]))
    record("texts", "ONNX Runtime, 32 tokens a text", "f32", len(ids), seconds, output="embeddings of tokens",
           batch=len(ids))


def measure_onnxruntime():
    try:
        import onnxruntime
    except ImportError:
        print("ONNX Runtime is not installed")
        sys.exit(77)
    if "CUDAExecutionProvider" not in onnxruntime.get_available_providers():
        print("ONNX Runtime is here, but was built without CUDA")
        sys.exit(77)
    attempt("ONNX Runtime, head", measure_runtime_head, onnxruntime)
    with tempfile.TemporaryDirectory() as folder:
        attempt("ONNX Runtime, texts", measure_runtime_texts, onnxruntime, folder)


# ---- All ------------------------------------------------------------------------------------------------------------


def ratios():
    """mien's rates over each peer's, best and median: in the peer's dtype, or where mien has not that in all of its."""
    found = []
    for peer in (made for made in results if not made["name"].startswith("mien")):
        mine = [made for made in results if made["subject"] == peer["subject"] and made["name"].startswith("mien")]
        same = [made for made in mine if made["dtype"] == {"tf32": "f32"}.get(peer["dtype"], peer["dtype"])]
        for own in same or mine:
            found.append({"subject": peer["subject"], "mien": f"{own['name']}, {own['dtype']}",
                          "peer": f"{peer['name']}, {peer['dtype']}, {peer['output']}",
                          "best": round(own["per_s_best"] / peer["per_s_best"], 3),
                          "median": round(own["per_s_median"] / peer["per_s_median"], 3)})
    return found


def main():
    call = {"head": measure_head, "head-compiled": lambda: measure_head(True), "texts": measure_texts,
            "texts-compiled": lambda: measure_texts(True), "onnxruntime": measure_onnxruntime}[PART]
    for name in ("mien", "libmien.so"):
        if not os.path.exists(os.path.join(BUILD, name)):
            print(f"{name} was not carried here")
            sys.exit(77)
    try:
        call()
    finally:  # what was measured before a failure is kept
        properties = torch.cuda.get_device_properties(0)
        made = {"device": properties.name, "cuda": torch.version.cuda, "torch": torch.__version__, "rows": ROWS,
                "texts": TEXTS, "results": results, "ratios": ratios(), "skipped": skipped}
        with open(JSON, "w", encoding="utf-8") as file:
            json.dump(made, file, indent=1)
    if len(results) == sum(made["name"].startswith("mien") for made in results):
        print("; ".join(f"{one['name']}: {one['reason']}" for one in skipped) or "no peer was measured")
        sys.exit(77)


main()
