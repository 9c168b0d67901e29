# SPDX-License-Identifier: Apache-2.0
"""
A model's metrics.json and README.md, from what make.py left and one look at the test split, which it writes down in
looks.tsv.
"""
import argparse
import datetime
import hashlib
import json
import os
import random
import shutil

import numpy as np

import metrics
import readme
import scoring
import swaps
import texts as data
from export import write_json

CARD_GRID = np.arange(1, 20) * 0.05  # of the published way to tune on test
CURVE_STEPS = 100  # thresholds of the curves: 0.01 to 0.99
SAMPLES = 1000
UNFIT = ("racis", "balls", "feet", "sex", "wing", "said...")  # examples without these words


def prf(given, truth):
    both, n_given, support = (given * truth).sum(0), given.sum(0), truth.sum(0)
    return both / np.maximum(n_given, 1), both / np.maximum(support, 1), metrics.f1(given, truth)


def summary(given, truth):
    parts, weights = prf(given, truth), truth.sum(0) / truth.sum()
    names = ("precision", "recall", "f1")
    macro = {f"macro_{name}": float(part.mean()) for name, part in zip(names, parts)}
    weighted = {f"weighted_{name}": float(part @ weights) for name, part in zip(names, parts)}
    return {**macro, **weighted}


def intervals(given, truth, source):
    """Of macro F1 and of every label's F1: where 95% of bootstrap samples are."""
    found = np.zeros((SAMPLES, truth.shape[1]))
    for sample in found:
        rows = source.randint(0, len(truth), len(truth))
        sample[:] = metrics.f1(given[rows], truth[rows])
    macro = np.percentile(found.mean(1), [2.5, 97.5])
    return macro.tolist(), np.percentile(found, [2.5, 97.5], axis=0).T.tolist()


class Card:
    def __init__(self, options):
        self.options = options
        self.labels = data.read_labels(options.data)
        self.texts, self.truth = data.read(options.data, "test", len(self.labels))
        self.folder = os.path.join(options.out, options.name)
        self.pack = os.path.join(self.folder, "model.safetensors")
        with open(os.path.join(self.folder, "thresholds.json"), encoding="utf-8") as file:
            by_name = json.load(file)
        self.thresholds = np.array([by_name[name] for name in self.labels], np.float32)  # as they are compared
        with open(os.path.join(self.folder, "dev.json"), encoding="utf-8") as file:
            self.dev = json.load(file)
        self.source = np.random.RandomState(0)

    def score(self, texts, *model):
        return scoring.label(self.options.mien, model or ("--model", self.pack), texts, self.labels)

    def protocols(self, scores):
        ways = {"tuned_on_dev": self.thresholds, "fixed_0.5": 0.5,
                "tuned_on_test": metrics.best_thresholds(scores, self.truth, CARD_GRID)}
        return {way: summary(scores > thresholds, self.truth) for way, thresholds in ways.items()}

    def per_label(self, scores):
        given = (scores > self.thresholds).astype(float)
        macro, each = intervals(given, self.truth, self.source)
        rows = zip(self.labels, *prf(given, self.truth), each, self.truth.sum(0), self.thresholds,
                   metrics.average_precision(scores, self.truth))
        return macro, {name: {"precision": float(p), "recall": float(r), "f1": float(f), "f1_interval": interval,
                              "support": int(n), "threshold": float(t), "average_precision": float(ap)}
                       for name, p, r, f, interval, n, t, ap in rows}

    def curves(self, scores):
        """What precision and recall are at any threshold, for who sets their own: counts on a grid, as it is compared."""
        grid = (np.arange(1, CURVE_STEPS) / CURVE_STEPS).astype(np.float32)
        counts = metrics.count_curves(scores, self.truth, grid)
        return {"first": 1 / CURVE_STEPS, "step": 1 / CURVE_STEPS, "labels": dict(zip(self.labels, counts))}

    def seeds(self):
        found = []
        for name in self.dev["seeds"]:
            one = Card(argparse.Namespace(**{**vars(self.options), "name": name}))
            found.append({**one.identity(), "dev_macro_f1": one.dev["macro_f1"],
                          **one.protocols(one.score(self.texts))})
        return found

    def identity(self):
        with open(self.pack, "rb") as file:
            digest = hashlib.sha256(file.read()).hexdigest()
        return {"model": self.options.name, "sha256": digest, "bytes": os.path.getsize(self.pack)}

    def demasked(self, scores):
        """Macro F1 where masks are words, and on the rows that have masks: with them and with words."""
        source = random.Random(0)
        rows = [row for row, text in enumerate(self.texts) if data.has_mask(text)]
        words = list(self.texts)
        for row in rows:
            words[row] = data.unmask(words[row], source, data.TEST_MASKS)
        given = [of > self.thresholds for of in (scores, self.score(words))]
        f1 = [[float(metrics.f1(g[part], self.truth[part]).mean()) for g in given] for part in (slice(None), rows)]
        changed = (given[0][rows] != given[1][rows]).any(1).mean()
        return {"rows": len(rows), "macro_f1": {"masks": f1[0][0], "words": f1[0][1]},
                "macro_f1_of_those_rows": {"masks": f1[1][0], "words": f1[1][1]},
                "rows_with_other_labels": float(changed)}

    def swapped(self):
        """Of every kind: how far scores are from their group's mean, of the label farthest from it; the widest pair."""
        found, groups = {}, swaps.groups()
        scores = self.score([sentence for _, sentences in groups for sentence in sentences])
        at = 0
        for kind, sentences in groups:
            part = scores[at:at + len(sentences)]
            at += len(sentences)
            given = part > self.thresholds
            of = found.setdefault(kind, {"distances": [], "other_labels": [], "widest": {"range": -1.0}})
            of["distances"].append(float(abs(part - part.mean(0)).mean(0).max()))
            of["other_labels"] += (given != given[0]).any(1).tolist()[1:]
            ranges = part.max(0) - part.min(0)
            label = int(ranges.argmax())
            if ranges[label] > of["widest"]["range"]:
                least, most = int(part[:, label].argmin()), int(part[:, label].argmax())
                of["widest"] = {"range": float(ranges[label]), "label": self.labels[label],
                                "least": [sentences[least], float(part[least, label])],
                                "most": [sentences[most], float(part[most, label])]}
        return {kind: {"mean_distance": float(np.mean(of["distances"])), "widest": of["widest"],
                       "share_with_other_labels": float(np.mean(of["other_labels"]))} for kind, of in found.items()}

    def examples(self, scores):
        """Rows where the model is surest of labels that are all right, and of one that is wrong."""
        given = scores > self.thresholds
        crude = [self.labels.index(name) for name in ("anger", "annoyance", "disgust")]
        tame = [row for row, text in enumerate(self.texts) if 20 <= len(text) <= 90 and not data.has_mask(text)
                and not any(word in text.lower() for word in UNFIT)
                and not given[row, crude].any() and not self.truth[row, crude].any()]
        right = [row for row in tame if (given[row] == (self.truth[row] > 0)).all()]
        wrong = [row for row in tame if given[row].any() and not (given[row] & (self.truth[row] > 0)).any()]

        def surest(rows):
            return sorted(rows, key=lambda row: -scores[row].max())

        chosen, seen = [], set()
        for row in surest(right):
            label = int(scores[row].argmax())
            if label not in seen:
                seen.add(label)
                chosen.append(row)
        return [[self.example(row, scores[row], given[row]) for row in rows]
                for rows in (chosen[:8], surest(wrong)[:8])]

    def example(self, row, scores, given):
        def names(flags):
            return [self.labels[i] for i in np.flatnonzero(flags)]
        return {"text": self.texts[row], "model": names(given), "published": names(self.truth[row]),
                "score": float(scores.max())}

    def measure(self):
        scores = self.score(self.texts)
        before = metrics.sigmoid((metrics.logit(scores) - self.dev["offsets"]) / np.array(self.dev["slopes"]))
        folder = os.path.join(self.folder, "sentence-transformers")
        plain = self.score(self.texts, "--encoder", folder, "--head", os.path.join(folder, "head"))
        macro, per_label = self.per_label(scores)
        right, wrong = self.examples(scores)
        return {
            **self.identity(), "seed": self.dev["seed"], "split": "test", "rows": len(self.texts), **self.protocols(scores),
            "tuned_on_dev_macro_f1_interval": macro,
            "mean_average_precision": float(metrics.average_precision(scores, self.truth).mean()),
            "calibration_error": {"before": float(metrics.calibration_error(before, self.truth)),
                                  "after": float(metrics.calibration_error(scores, self.truth))},
            "dev_macro_f1": self.dev["macro_f1"], "dev_average_precision": self.dev["average_precision"],
            "float32": {**self.protocols(plain),
                        "mean_average_precision": float(metrics.average_precision(plain, self.truth).mean())},
            "int8_labels_as_float32": float(((scores > self.thresholds) == (plain > self.thresholds)).mean()),
            "seeds": self.seeds(), "demasked": self.demasked(scores), "swaps": self.swapped(),
            "examples": {"right": right, "wrong": wrong}, "per_label": per_label,
            "curves": self.curves(scores),
        }


def look(path, rows):
    """Appends to the log of looks at test: date, pack, sha256, macro F1 on dev, on test tuned on dev, tuned on test."""
    with open(path, "a", encoding="utf-8") as file:
        for row in rows:
            file.write("\t".join([str(datetime.date.today()), *row]) + "\n")


def figures_of(found):
    return [found["model"], found["sha256"][:16], *(f"{value:.4f}" for value in (
        found["dev_macro_f1"], found["tuned_on_dev"]["macro_f1"], found["tuned_on_test"]["macro_f1"]))]


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    add = parser.add_argument
    add("--name", required=True, help="goemotions-small or goemotions-tiny")
    add("--data", required=True, help="folder of GoEmotions' splits")
    add("--out", required=True, help="make.py's")
    add("--mien", required=True, help="the command")
    add("--models", required=True, help="folder in which the model's folder is written")
    here = os.path.dirname(os.path.abspath(__file__))
    add("--looks", default=os.path.join(here, "looks.tsv"), help="the log of looks")
    options = parser.parse_args()
    card = Card(options)
    # Written first: nobody looks at test without a trace.
    digest = card.identity()["sha256"][:16]
    look(options.looks, [[options.name, digest, f"{card.dev['macro_f1']:.4f}", "opened", "opened"]])
    found = card.measure()
    look(options.looks, [figures_of(of) for of in found["seeds"]])  # the model is one of them
    target = os.path.join(options.models, options.name)
    write_json(found, target, "metrics.json")
    for file in ("model.safetensors", "thresholds.json"):
        shutil.copy(os.path.join(card.folder, file), target)
    readme.write(os.path.join(target, "README.md"), found, readme.read_config(card.pack))


if __name__ == "__main__":
    main()
