# SPDX-License-Identifier: Apache-2.0
"""BERT with a linear head in PyTorch, written for training on few cores: products in bfloat16 of float32 weights."""
import json
import os
import re

import numpy as np
import torch
import torch.nn.functional as F
from safetensors.numpy import load_file
from torch import nn

LAYER_PARTS = {  # ours: Hugging Face's
    "query": "attention.self.query", "key": "attention.self.key", "value": "attention.self.value",
    "attention_output": "attention.output.dense", "attention_norm": "attention.output.LayerNorm",
    "up": "intermediate.dense", "down": "output.dense", "output_norm": "output.LayerNorm",
}


def read_onnx(path):
    """The weights of a BERT that PyTorch exported: products lost their names, the biases behind them kept theirs."""
    import onnx
    from onnx import numpy_helper
    graph = onnx.load(path).graph
    tensors = {tensor.name: numpy_helper.to_array(tensor) for tensor in graph.initializer}
    weights = {name: value for name, value in tensors.items() if name.endswith((".weight", ".bias"))}
    readers = {name: node for node in graph.node for name in node.input}
    for node in graph.node:
        if node.op_type == "MatMul" and node.input[1] in tensors:
            bias, = (name for name in readers[node.output[0]].input if name in tensors)
            weights[bias.removesuffix("bias") + "weight"] = tensors[node.input[1]].T
    return weights


def read_weights(folder):
    """{Hugging Face's name without a prefix: array} of an encoder's folder."""
    path = os.path.join(folder, "model.safetensors")
    weights = load_file(path) if os.path.exists(path) else read_onnx(os.path.join(folder, "model.onnx"))
    return {re.sub(r"^bert\.", "", name): np.ascontiguousarray(value, np.float32) for name, value in weights.items()}


class Masks:
    """Dropout masks cut from one long random row: drawing each anew would take a sixth of a step."""

    def __init__(self, probability, seed, size=1 << 24):
        self.probability, self.size = probability, size
        source = torch.Generator().manual_seed(seed)
        keep = torch.rand(size, generator=source) >= probability
        self.row = keep.to(torch.bfloat16) / (1 - probability)
        self.places = np.random.RandomState(seed)

    def __call__(self, x):
        if not self.probability:
            return x
        at = self.places.randint(0, self.size - x.numel())
        return x * self.row[at:at + x.numel()].view(x.shape)


def linear(x, layer):
    return F.linear(x, layer.weight.to(torch.bfloat16), layer.bias.to(torch.bfloat16))


class Layer(nn.Module):
    def __init__(self, hidden, intermediate, epsilon):
        super().__init__()
        self.query_key_value = nn.Linear(hidden, 3 * hidden)
        self.attention_output = nn.Linear(hidden, hidden)
        self.attention_norm = nn.LayerNorm(hidden, epsilon)
        self.up = nn.Linear(hidden, intermediate)
        self.down = nn.Linear(intermediate, hidden)
        self.output_norm = nn.LayerNorm(hidden, epsilon)

    def forward(self, x, bias, heads, drop):
        """x [N, tokens, hidden] float32; bias [N, 1, 1, tokens], -inf at padding."""
        n, tokens, hidden = x.shape
        qkv = linear(x.to(torch.bfloat16), self.query_key_value).view(n, tokens, 3, heads, hidden // heads)
        query, key, value = qkv.permute(2, 0, 3, 1, 4)
        scores = (query @ key.transpose(-1, -2)).float() * (hidden // heads) ** -0.5
        weights = (scores + bias).softmax(-1).to(torch.bfloat16)
        mixed = (drop(weights) @ value).transpose(1, 2).reshape(n, tokens, hidden)
        x = self.attention_norm(x + drop(linear(mixed, self.attention_output)))
        inner = F.gelu(linear(x.to(torch.bfloat16), self.up))
        return self.output_norm(x + drop(linear(inner, self.down)))


class Classifier(nn.Module):
    """Token ids [N, tokens] and their mask to logits [N, labels]."""

    def __init__(self, config, pooling, n_labels):
        super().__init__()
        hidden = config["hidden_size"]
        self.heads, self.pooling = config["num_attention_heads"], pooling
        epsilon = config.get("layer_norm_eps", 1e-12)
        self.words = nn.Embedding(config["vocab_size"], hidden)
        self.positions = nn.Embedding(config["max_position_embeddings"], hidden)
        self.norm = nn.LayerNorm(hidden, epsilon)
        self.layers = nn.ModuleList(Layer(hidden, config["intermediate_size"], epsilon)
                                    for _ in range(config["num_hidden_layers"]))
        self.head = nn.Linear(hidden, n_labels)

    def embed(self, ids, mask, drop=lambda x: x):
        x = drop(self.norm(self.words(ids) + self.positions.weight[:ids.shape[1]]))
        bias = torch.zeros(mask.shape).masked_fill(~mask, float("-inf"))[:, None, None, :]
        for layer in self.layers:
            x = layer(x, bias, self.heads, drop)
        if self.pooling == "cls":
            return x[:, 0]
        weight = mask[..., None].float()
        return (x * weight).sum(1) / weight.sum(1)

    def forward(self, ids, mask, drop=lambda x: x):
        return self.head(drop(self.embed(ids, mask, drop)))

    def calibrate(self, slopes, offsets):
        """A label's logit becomes its slope times what it was, and its offset."""
        slopes, offsets = torch.from_numpy(slopes).float(), torch.from_numpy(offsets).float()
        self.head.weight.data = self.head.weight.data * slopes[:, None]
        self.head.bias.data = self.head.bias.data * slopes + offsets

    # ---- Hugging Face's names ----

    @staticmethod
    def parameter_names(n_layers):
        """(ours, [Hugging Face's names whose rows it has in order])."""
        yield "words.weight", ["embeddings.word_embeddings.weight"]
        for part in ("weight", "bias"):
            yield f"norm.{part}", [f"embeddings.LayerNorm.{part}"]
            for i in range(n_layers):
                def theirs(name):
                    return f"encoder.layer.{i}.{LAYER_PARTS[name]}.{part}"
                yield f"layers.{i}.query_key_value.{part}", [theirs("query"), theirs("key"), theirs("value")]
                for name in ("attention_output", "attention_norm", "up", "down", "output_norm"):
                    yield f"layers.{i}.{name}.{part}", [theirs(name)]

    def load(self, weights):
        state = self.state_dict()
        for ours, theirs in self.parameter_names(len(self.layers)):
            state[ours] = torch.from_numpy(np.concatenate([weights[name] for name in theirs]))
        state["positions.weight"] = torch.from_numpy(weights["embeddings.position_embeddings.weight"] +
                                                     weights["embeddings.token_type_embeddings.weight"][0])
        self.load_state_dict(state)

    def weights(self):
        """{Hugging Face's name: array}; token type 0 is in the positions, so the token types are zeros."""
        state = {name: value.numpy() for name, value in self.state_dict().items()}
        weights = {}
        for ours, theirs in self.parameter_names(len(self.layers)):
            weights.update(zip(theirs, np.split(state[ours], len(theirs))))
        weights["embeddings.position_embeddings.weight"] = state["positions.weight"]
        weights["embeddings.token_type_embeddings.weight"] = np.zeros((2, state["norm.weight"].size), np.float32)
        return {name: np.ascontiguousarray(value) for name, value in weights.items()}


def open_base(folder, pooling, n_labels, layers=""):
    """(classifier, configuration) of an encoder's folder; `layers`: the numbers of those that are kept, joined by commas."""
    with open(os.path.join(folder, "config.json"), encoding="utf-8") as file:
        config = json.load(file)
    weights = read_weights(folder)
    if layers:
        kept = [int(number) for number in layers.split(",")]
        if kept != sorted(set(kept)) or not 0 <= kept[0] <= kept[-1] < config["num_hidden_layers"]:
            raise SystemExit(f"layers: expected rising numbers below {config['num_hidden_layers']}, found {layers}")
        for place, number in enumerate(kept):
            old, new = (f"encoder.layer.{n}." for n in (number, place))
            weights |= {new + name.removeprefix(old): weights[name] for name in list(weights) if name.startswith(old)}
        config["num_hidden_layers"] = len(kept)
    model = Classifier(config, pooling, n_labels)
    model.load(weights)
    return model, config
