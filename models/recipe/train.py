# SPDX-License-Identifier: Apache-2.0
"""One run of training: train.py --help. Of test it reads only which texts to leave out; a run that was stopped goes on."""
import argparse
import hashlib
import json
import math
import os
import random
import time

import numpy as np
import torch
import torch.nn.functional as F
from tokenizers import Tokenizer

import metrics
import texts as data
import vocabulary
from encoder import Masks, open_base

EMA_EVERY = 4  # steps; the average is of weights that hardly differ


def parse(arguments=None):
    parser = argparse.ArgumentParser(description=__doc__)
    add = parser.add_argument
    add("--base", required=True, help="folder of the encoder to begin with")
    add("--data", required=True, help="folder of GoEmotions' train.tsv, dev.tsv, test.tsv and labels.txt")
    add("--out", required=True, help="folder of the run")
    add("--layers", default="", help="of the base that are kept, as 0,2,3,5; none named: all")
    add("--weights", default="", help="of an earlier run of this base, to begin with in place of its own")
    add("--pooling", choices=("mean", "cls"), default="mean")
    add("--rate", type=float, default=2e-4, help="of the last layer")
    add("--decay", type=float, default=0.9, help="of the rate, a layer down")
    add("--head-rate", type=float, default=5, help="times the rate")
    add("--epochs", type=int, default=3)
    add("--stop", type=int, default=0, help="after this epoch of them")
    add("--batch", type=int, default=32)
    add("--drop", type=float, default=0.1)
    add("--average", type=float, default=0.999, help="of weights: what a step keeps")
    add("--max-tokens", type=int, default=64)
    add("--vocabulary", type=int, default=0, help="entries that are kept; 0: all")
    add("--seed", type=int, default=0)
    add("--fold", type=int, default=-1, help="held out")
    add("--folds", type=int, default=3)
    add("--soft", default="", help=".npy of probabilities of the train texts")
    add("--soft-weight", type=float, default=0.5)
    add("--rows", type=int, default=0, help="of the train split, from its beginning; 0: all")
    add("--threads", type=int, default=2)
    add("--weight-decay", type=float, default=0.01)
    return parser.parse_args(arguments)


def log(*words):
    print(*words, flush=True)


def settings_of(options):
    """What makes two runs the same: options, and the bytes of what they name."""
    found = {name: value for name, value in vars(options).items() if name not in ("base", "data", "out", "threads", "stop")}
    files = [os.path.join(options.data, split + ".tsv") for split in ("train", "dev")]
    files += [os.path.join(options.base, name) for name in ("config.json", "tokenizer.json")]
    for name, path in zip(("train", "dev", "config", "tokenizer", "soft", "weights"), [*files, options.soft, options.weights]):
        if path:
            with open(path, "rb") as file:
                found[name] = hashlib.sha256(file.read()).hexdigest()[:16]
    return found


def claim(options):
    """Makes the run's folder its own: what another run left there is not gone on with."""
    path, settings = os.path.join(options.out, "settings.json"), settings_of(options)
    os.makedirs(options.out, exist_ok=True)
    if not os.path.exists(path):
        write_whole(path, lambda file: file.write(json.dumps(settings, indent=1).encode()))
    with open(path, encoding="utf-8") as file:
        there = json.load(file)
    for name in sorted({*settings, *there}):
        if there.get(name) != settings.get(name):
            raise SystemExit(f"{path}: {name}: expected {settings.get(name)!r}, found {there.get(name)!r}: another run's folder")


def write_whole(path, write):
    """A file that is there is whole."""
    with open(path + ".new", "wb") as file:
        write(file)
    os.replace(path + ".new", path)


def batches(ids, rows, size, source=None):
    """Rows in batches of like lengths: in random order with a source, else shortest first."""
    if source is None:
        rows = sorted(rows, key=lambda row: len(ids[row]))
        return [rows[at:at + size] for at in range(0, len(rows), size)]
    rows, found = list(rows), []
    source.shuffle(rows)
    for start in range(0, len(rows), size * 50):
        part = sorted(rows[start:start + size * 50], key=lambda row: len(ids[row]))
        part = [part[at:at + size] for at in range(0, len(part), size)]
        source.shuffle(part)
        found += part
    return found


def pad(ids, rows):
    width = max(len(ids[row]) for row in rows)
    padded, mask = np.zeros((len(rows), width), np.int64), np.zeros((len(rows), width), bool)
    for at, row in enumerate(rows):
        padded[at, :len(ids[row])] = ids[row]
        mask[at, :len(ids[row])] = True
    return torch.from_numpy(padded), torch.from_numpy(mask)


@torch.no_grad()
def predict(model, ids, rows=None, size=64):
    """Probabilities [rows, labels]."""
    rows = np.arange(len(ids)) if rows is None else rows
    found = np.zeros((len(ids), model.head.out_features), np.float32)
    for batch in batches(ids, rows, size):
        found[batch] = torch.sigmoid(model(*pad(ids, batch))).numpy()
    return found[rows]


def groups(model, options):
    """Parameters with their rates: a layer down, `decay` times as much."""
    depth, found = len(model.layers), []
    for name, parameter in model.named_parameters():
        if name.startswith("head."):
            scale = options.head_rate
        elif name.startswith("layers."):
            scale = options.decay ** (depth - 1 - int(name.split(".")[1]))
        else:
            scale = options.decay ** depth
        is_matrix = parameter.dim() == 2
        found.append({"params": [parameter], "lr": options.rate * scale,
                      "weight_decay": options.weight_decay if is_matrix else 0.0})
    return found


def read_splits(options):
    """Texts and targets of train, and of dev: the first `rows` of either."""
    n_labels = len(data.read_labels(options.data))
    splits = (*data.read_train(options.data, n_labels), *data.read(options.data, "dev", n_labels))
    return [split[:options.rows or None] for split in splits]


class Run:
    def __init__(self, options):
        self.options = options
        torch.set_num_threads(options.threads)
        torch.manual_seed(options.seed)
        self.texts, self.targets, self.dev_texts, self.dev_targets = read_splits(options)
        n_labels = self.targets.shape[1]

        settings = json.load(open(os.path.join(options.base, "tokenizer.json")))
        settings["padding"] = None
        self.settings, words = vocabulary.extend(settings, self.texts)
        self.model, self.config = open_base(options.base, options.pooling, n_labels, options.layers)
        vocabulary.initialise(self.model.words.weight.data.numpy(), words, Tokenizer.from_str(json.dumps(self.settings)))
        rate = self.targets.mean(0).clip(1e-4)
        self.model.head.bias.data = torch.tensor(np.log(rate / (1 - rate)), dtype=torch.float32)
        torch.nn.init.normal_(self.model.head.weight, std=0.02)
        if options.weights:
            self.model.load_state_dict(torch.load(options.weights, weights_only=True))
        if options.vocabulary:
            self.settings, kept = vocabulary.prune(self.settings, self.texts, options.vocabulary)
            self.model.words = torch.nn.Embedding.from_pretrained(self.model.words.weight.data[kept], freeze=False)
        self.tokenizer = Tokenizer.from_str(json.dumps(self.settings))
        self.tokenizer.enable_truncation(options.max_tokens)

        self.ids = self.encode(self.texts)
        self.dev_ids = self.encode(self.dev_texts)
        self.trained = self.trained_ids()
        self.masked = [row for row, text in enumerate(self.texts) if data.has_mask(text)]
        self.rows, self.held = np.arange(len(self.texts)), np.zeros(0, int)
        if options.fold >= 0:
            self.held = data.held_out(len(self.texts), options.fold, options.folds)
            self.rows = np.setdiff1d(self.rows, self.held)
        self.goals = self.targets
        if options.soft:
            soft = np.load(options.soft)
            if soft.shape != self.targets.shape:
                raise SystemExit(f"{options.soft}: expected {self.targets.shape} probabilities, found {soft.shape}")
            self.goals = ((1 - options.soft_weight) * self.targets + options.soft_weight * soft).astype(np.float32)

    def encode(self, texts):
        return [encoding.ids for encoding in self.tokenizer.encode_batch(texts)]

    def trained_ids(self):
        """The ids that training can meet, sorted: only their embeddings are given to the optimizer."""
        found = self.ids + self.encode(data.NAMES + data.RELIGIONS)
        return np.unique(np.concatenate([np.asarray(ids) for ids in found]))

    def unmasked(self, source):
        """The ids of one pass: half of the masks are words."""
        ids = list(self.ids)
        rows = [row for row in self.masked if source.random() < 0.5]
        for row, found in zip(rows, self.encode([data.unmask(self.texts[row], source) for row in rows])):
            ids[row] = found
        return ids

    def train(self):
        o, model = self.options, self.model
        self.words = model.words.weight.data
        place = np.zeros(len(self.words), np.int64)
        place[self.trained] = np.arange(len(self.trained))
        model.words.weight = torch.nn.Parameter(self.words[self.trained])
        parameters = [parameter for _, parameter in model.named_parameters()]
        optimizer = torch.optim.AdamW(groups(model, o), lr=o.rate, fused=True)
        per_epoch = math.ceil(len(self.rows) / o.batch)
        steps, warm = o.epochs * per_epoch, 0.08

        def rate(step):
            done = step / steps
            return max(1e-3, min((step + 1) / (warm * steps),
                                 0.5 * (1 + math.cos(math.pi * max(0, done - warm) / (1 - warm)))))

        schedule = torch.optim.lr_scheduler.LambdaLR(optimizer, rate)
        average = [parameter.detach().clone() for parameter in parameters]
        first, step, path = 0, 0, os.path.join(o.out, "state.pt")
        if os.path.exists(path):
            state = torch.load(path, weights_only=True)
            model.load_state_dict(state["model"])
            optimizer.load_state_dict(state["optimizer"])
            schedule.load_state_dict(state["schedule"])
            average, first, step = state["average"], state["epoch"], state["step"]
        drop, began, sum_of_losses = Masks(o.drop, o.seed), time.time(), 0.0
        for epoch in range(first, o.stop or o.epochs):
            source = random.Random(f"{o.seed} {epoch}")
            drop.places = np.random.RandomState([o.seed, epoch])
            ids = [place[row] for row in self.unmasked(source)]
            for batch in batches(ids, self.rows, o.batch, source):
                logits = model(*pad(ids, batch), drop)
                loss = F.binary_cross_entropy_with_logits(logits, torch.from_numpy(self.goals[batch]))
                optimizer.zero_grad()
                loss.backward()
                torch.nn.utils.clip_grad_norm_(parameters, 1.0)
                optimizer.step()
                schedule.step()
                step += 1
                sum_of_losses += loss.item()
                if step % EMA_EVERY == 0:
                    kept = min(o.average, (1 + step) / (10 + step)) ** EMA_EVERY
                    torch._foreach_lerp_(average, [parameter.detach() for parameter in parameters], 1 - kept)
                if step % 200 == 0:
                    log(f"{step}/{steps} loss {sum_of_losses / 200:.4f} {time.time() - began:.0f} s")
                    sum_of_losses = 0.0
            raw = [parameter.detach().clone() for parameter in parameters]
            torch._foreach_copy_([parameter.data for parameter in parameters], average)
            trained = model.words.weight.data
            self.words[self.trained] = trained
            model.words.weight.data = self.words
            self.report(epoch)
            write_whole(os.path.join(o.out, f"weights{epoch + 1}.pt"), lambda file: torch.save(model.state_dict(), file))
            model.words.weight.data = trained
            torch._foreach_copy_([parameter.data for parameter in parameters], raw)
            state = {"model": model.state_dict(), "optimizer": optimizer.state_dict(), "average": average,
                     "schedule": schedule.state_dict(), "epoch": epoch + 1, "step": step}
            write_whole(path, lambda file: torch.save(state, file))

    def report(self, epoch):
        scores = predict(self.model, self.dev_ids)
        np.save(os.path.join(self.options.out, f"dev{epoch + 1}.npy"), scores)
        if len(self.held):
            np.save(os.path.join(self.options.out, f"held{epoch + 1}.npy"), predict(self.model, self.ids, self.held))
        truth = self.dev_targets
        log(f"epoch {epoch + 1}: dev AP {metrics.average_precision(scores, truth).mean():.4f} "
            f"F1 of halves {metrics.halves_f1(scores, truth):.4f} "
            f"smoothed {metrics.halves_f1(scores, truth, metrics.smooth_thresholds):.4f} "
            f"in sample {metrics.f1(scores > metrics.best_thresholds(scores, truth), truth).mean():.4f} "
            f"at 0.5 {metrics.f1(scores > 0.5, truth).mean():.4f}")


if __name__ == "__main__":
    options = parse()
    claim(options)
    log(vars(options))
    Run(options).train()
