# SPDX-License-Identifier: Apache-2.0
"""A trained classifier as other tools take it: folders for sentence-transformers, optimum and transformers.js, ONNX heads."""
import json
import math
import os
import re
import shutil

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper
from safetensors.numpy import save_file

ML_DOMAIN = "ai.onnx.ml"


def write_json(value, *path):
    """Indented, but for lists of whole numbers, which are on a line. A string has no newline of its own in JSON."""
    os.makedirs(os.path.join(*path[:-1]), exist_ok=True)
    text = json.dumps(value, ensure_ascii=False, indent=1)
    text = re.sub(r"\[\n *(\d+(?:,\n *\d+)*)\n *\]", lambda found: "[" + "".join(found[1].split()) + "]", text)
    with open(os.path.join(*path), "w", encoding="utf-8") as file:
        file.write(text + "\n")


def write_head(path, labels, weights, bias):
    """Embeddings `logits` [N, dim] to an output [N, 2] a label: the probability of no and of yes; `surprise` first."""
    nodes, outputs = [], []
    for label, row, offset in sorted(zip(labels, weights, bias), key=lambda of: of[0], reverse=True):
        scores = f"{label}_probability_tensor"
        nodes.append(helper.make_node(
            "LinearClassifier", ["logits"], [f"{label}_label", scores], f"{label}_LinearClassifier", domain=ML_DOMAIN,
            classlabels_ints=[0, 1], coefficients=np.concatenate([-row, row]).tolist(),
            intercepts=[float(-offset), float(offset)], multi_class=1, post_transform="LOGISTIC"))
        nodes.append(helper.make_node("Normalizer", [scores], [label], f"{label}_Normalizer", domain=ML_DOMAIN, norm="L1"))
        outputs.append(helper.make_tensor_value_info(label, TensorProto.FLOAT, ["N", 2]))
    given = helper.make_tensor_value_info("logits", TensorProto.FLOAT, ["N", weights.shape[1]])
    save_model(helper.make_graph(nodes, "go_emotions", [given], outputs), path, 15, [helper.make_opsetid(ML_DOMAIN, 1)])


def save_model(graph, path, opset, others=()):
    model = helper.make_model(graph, producer_name="mien", ir_version=8,
                              opset_imports=[helper.make_opsetid("", opset), *others])
    onnx.checker.check_model(model)
    os.makedirs(os.path.dirname(path), exist_ok=True)
    onnx.save(model, path)


class Graph:
    """An ONNX graph under construction: every method adds a node and gives its output's name."""

    def __init__(self):
        self.nodes, self.tensors = [], {}

    def tensor(self, name, value):
        self.tensors[name] = numpy_helper.from_array(np.ascontiguousarray(value), name)
        return name

    def ints(self, *values):
        return self.tensor("ints_" + "_".join(map(str, values)), np.array(values, np.int64))

    def number(self, value):
        return self.tensor(f"number_{value}", np.float32(value))

    def __getattr__(self, operator):
        def add(*inputs, **attributes):
            output = f"{operator}_{len(self.nodes)}"
            self.nodes.append(helper.make_node(operator, inputs, [output], output, **attributes))
            return output
        return add

    def linear(self, x, weights, name):
        matrix = self.tensor(f"{name}.weight.T", weights[f"{name}.weight"].T)
        return self.Add(self.MatMul(x, matrix), self.tensor(f"{name}.bias", weights[f"{name}.bias"]))

    def norm(self, x, weights, name, epsilon):
        gain, offset = (self.tensor(f"{name}.{part}", weights[f"{name}.{part}"]) for part in ("weight", "bias"))
        return self.LayerNormalization(x, gain, offset, axis=-1, epsilon=epsilon)


def layer(graph, x, bias, weights, i, config):
    name, epsilon = f"encoder.layer.{i}", config["layer_norm_eps"]
    heads = config["num_attention_heads"]
    size = config["hidden_size"] // heads

    def split(part, axes):
        projected = graph.linear(x, weights, f"{name}.attention.self.{part}")
        return graph.Transpose(graph.Reshape(projected, graph.ints(0, 0, heads, size)), perm=axes)

    scores = graph.MatMul(split("query", (0, 2, 1, 3)), split("key", (0, 2, 3, 1)))
    scores = graph.Add(graph.Mul(scores, graph.number(1 / math.sqrt(size))), bias)
    mixed = graph.MatMul(graph.Softmax(scores, axis=-1), split("value", (0, 2, 1, 3)))
    mixed = graph.Reshape(graph.Transpose(mixed, perm=(0, 2, 1, 3)), graph.ints(0, 0, heads * size))
    x = graph.norm(graph.Add(x, graph.linear(mixed, weights, f"{name}.attention.output.dense")), weights,
                   f"{name}.attention.output.LayerNorm", epsilon)
    up = graph.linear(x, weights, f"{name}.intermediate.dense")
    one_plus_erf = graph.Add(graph.Erf(graph.Mul(up, graph.number(math.sqrt(0.5)))), graph.number(1.0))
    gelu = graph.Mul(graph.Mul(up, graph.number(0.5)), one_plus_erf)
    return graph.norm(graph.Add(x, graph.linear(gelu, weights, f"{name}.output.dense")), weights,
                      f"{name}.output.LayerNorm", epsilon)


def write_classifier(path, weights, head_weights, head_bias, config, pooling):
    """`input_ids` and `attention_mask` [batch, sequence] to `logits` [batch, labels], in float32."""
    graph = Graph()
    positions = graph.tensor("positions", weights["embeddings.position_embeddings.weight"] +
                             weights["embeddings.token_type_embeddings.weight"][0])
    words = graph.tensor("words", weights["embeddings.word_embeddings.weight"])
    end = graph.Shape("input_ids", start=1, end=2)
    x = graph.Add(graph.Gather(words, "input_ids"), graph.Slice(positions, graph.ints(0), end, graph.ints(0)))
    x = graph.norm(x, weights, "embeddings.LayerNorm", config["layer_norm_eps"])
    mask = graph.Cast("attention_mask", to=TensorProto.FLOAT)
    bias = graph.Mul(graph.Sub(mask, graph.number(1.0)), graph.number(1e9))
    bias = graph.Unsqueeze(bias, graph.ints(1, 2))
    for i in range(config["num_hidden_layers"]):
        x = layer(graph, x, bias, weights, i, config)
    if pooling == "cls":
        pooled = graph.Gather(x, graph.tensor("first", np.int64(0)), axis=1)
    else:
        column = graph.Unsqueeze(mask, graph.ints(2))
        pooled = graph.Div(graph.ReduceSum(graph.Mul(x, column), graph.ints(1), keepdims=0),
                           graph.ReduceSum(column, graph.ints(1), keepdims=0))
    head = {"head.weight": head_weights, "head.bias": head_bias}
    graph.nodes.append(helper.make_node("Identity", [graph.linear(pooled, head, "head")], ["logits"]))
    inputs = [helper.make_tensor_value_info(name, TensorProto.INT64, ["batch", "sequence"])
              for name in ("input_ids", "attention_mask")]
    output = helper.make_tensor_value_info("logits", TensorProto.FLOAT, ["batch", len(head_bias)])
    save_model(helper.make_graph(graph.nodes, "classifier", inputs, [output], list(graph.tensors.values())), path, 17)


def write_tokenizer(folder, settings, max_tokens):
    settings = {**settings, "truncation": None, "padding": None}
    write_json(settings, folder, "tokenizer.json")
    write_json({"tokenizer_class": "PreTrainedTokenizerFast", "model_max_length": max_tokens, "cls_token": "[CLS]",
                "mask_token": "[MASK]", "pad_token": "[PAD]", "sep_token": "[SEP]", "unk_token": "[UNK]"},
               folder, "tokenizer_config.json")


MAX_TOKENS = 512  # as many positions as BERT has, though training sees 64


def write_folders(out, model, config, settings, labels, max_tokens=MAX_TOKENS):
    """`out`/sentence-transformers with head/model.onnx, and `out`/transformers; thresholds.json is still to come."""
    weights = model.weights()
    head_weights, head_bias = model.head.weight.detach().numpy(), model.head.bias.detach().numpy()
    config = {"architectures": ["BertModel"], "model_type": "bert", "hidden_act": "gelu",
              **{name: config[name] for name in ("hidden_size", "num_hidden_layers", "num_attention_heads",
                                                 "intermediate_size")},
              "layer_norm_eps": config.get("layer_norm_eps", 1e-12), "type_vocab_size": 2, "pad_token_id": 0,
              "max_position_embeddings": len(weights["embeddings.position_embeddings.weight"]),
              "vocab_size": len(weights["embeddings.word_embeddings.weight"]), "torch_dtype": "float32"}

    folder = os.path.join(out, "sentence-transformers")
    shutil.rmtree(folder, ignore_errors=True)
    write_json(config, folder, "config.json")
    save_file(weights, os.path.join(folder, "model.safetensors"), {"format": "pt"})
    write_tokenizer(folder, settings, max_tokens)
    write_json([{"idx": 0, "name": "0", "path": "", "type": "sentence_transformers.models.Transformer"},
                {"idx": 1, "name": "1", "path": "1_Pooling", "type": "sentence_transformers.models.Pooling"}],
               folder, "modules.json")
    write_json({"word_embedding_dimension": config["hidden_size"], "pooling_mode_cls_token": model.pooling == "cls",
                "pooling_mode_mean_tokens": model.pooling == "mean", "pooling_mode_max_tokens": False,
                "pooling_mode_mean_sqrt_len_tokens": False}, folder, "1_Pooling", "config.json")
    write_json({"max_seq_length": max_tokens, "do_lower_case": False}, folder, "sentence_bert_config.json")
    write_head(os.path.join(folder, "head", "model.onnx"), labels, head_weights, head_bias)

    folder = os.path.join(out, "transformers")
    shutil.rmtree(folder, ignore_errors=True)
    write_json({**config, "architectures": ["BertForSequenceClassification"], "problem_type": "multi_label_classification",
                "id2label": {str(i): label for i, label in enumerate(labels)},
                "label2id": {label: i for i, label in enumerate(labels)},
                # There is one file of weights, in float32; transformers.js would ask for a quantised one in browsers.
                "transformers.js_config": {"dtype": "fp32"}}, folder, "config.json")
    write_tokenizer(folder, settings, max_tokens)
    write_classifier(os.path.join(folder, "onnx", "model.onnx"), weights, head_weights, head_bias, config, model.pooling)
