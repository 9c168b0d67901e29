# SPDX-License-Identifier: Apache-2.0
"""ONNX Runtime on an export of an encoder: strings to embeddings."""
import numpy
import onnxruntime
from tokenizers import Tokenizer


class Runtime:
    """Tokens, transformer, pooling, normalisation; texts sorted by length in batches of `batch`."""

    def __init__(self, model, tokenizer, threads, pooling, max_tokens):
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        options.inter_op_num_threads = 1
        self.session = onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
        self.names = {given.name for given in self.session.get_inputs()}
        self.tokenizer = Tokenizer.from_file(tokenizer)
        self.tokenizer.enable_truncation(max_tokens)
        self.tokenizer.enable_padding(pad_id=0, pad_token="[PAD]")
        self.pooling, self.batch = pooling, 32

    def embed(self, texts):
        order = sorted(range(len(texts)), key=lambda i: len(texts[i]))
        out = None
        for first in range(0, len(order), self.batch):
            rows = order[first:first + self.batch]
            tokens = self.tokenizer.encode_batch_fast([texts[i] for i in rows])
            ids = numpy.array([t.ids for t in tokens], numpy.int64)
            mask = numpy.array([t.attention_mask for t in tokens], numpy.int64)
            feed = {"input_ids": ids, "attention_mask": mask, "token_type_ids": numpy.zeros_like(ids)}
            x = self.session.run(None, {name: feed[name] for name in self.names})[0]
            if self.pooling == "cls":
                pooled = x[:, 0]
            else:
                weights = mask[:, :, None].astype(numpy.float32)
                pooled = (x * weights).sum(1) / weights.sum(1)
            if out is None:
                out = numpy.empty((len(texts), pooled.shape[1]), numpy.float32)
            out[rows] = pooled / numpy.linalg.norm(pooled, axis=1, keepdims=True)
        return out

    def close(self):
        pass
