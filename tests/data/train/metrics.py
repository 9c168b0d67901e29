# SPDX-License-Identifier: Apache-2.0
"""
Writes metrics.json: random scores and truth, and scikit-learn's figures of them, for the suite metrics.

metrics.py, with NumPy and scikit-learn (made by 1.9.1).
"""
import json
import os

import numpy as np
from sklearn import metrics

BINS = 15
PRF = ("precision", "recall", "f1")


def make(source, n_rows, n_labels, levels, empty_rows):
    """Scores of few levels are tied. The first label is never true, the second always, the third never given."""
    scores = source.random_sample((n_rows, n_labels))
    scores = (np.round(scores * levels) / levels if levels else scores).astype(np.float32)
    truth = source.random_sample((n_rows, n_labels)) < 0.2 + 0.4 * scores
    if n_labels > 3:
        truth[:, 0] = False
        truth[:, 1] = True
    if empty_rows:
        truth[::3] = False
    thresholds = np.round(source.random_sample(n_labels), 2).astype(np.float32)
    thresholds[2 % n_labels] = 1
    return scores, truth, thresholds


def averages(truth, given):
    found = {}
    for average in ("micro", "macro", "weighted", "samples"):
        figures = metrics.precision_recall_fscore_support(truth, given, average=average, zero_division=0)[:3]
        found[average] = dict(zip(PRF, map(float, figures)))
    return {**found, "subset_accuracy": float(metrics.accuracy_score(truth, given))}


def calibration_error(scores, truth):
    """Of one label, in bins of equal width."""
    places = np.minimum((scores * BINS).astype(int), BINS - 1)
    return float(np.abs(np.bincount(places, scores - truth, BINS)).sum() / len(scores))


def of_label(scores, truth):
    return {
        "roc_auc": float(metrics.roc_auc_score(truth, scores)) if 0 < truth.sum() < len(truth) else None,
        "average_precision": float(metrics.average_precision_score(truth, scores)) if truth.any() else None,
        "brier": float(np.mean((scores - truth) ** 2)),
        "calibration_error": calibration_error(scores, truth),
    }


def case(name, seed, *shape):
    scores, truth, thresholds = make(np.random.RandomState(seed), *shape)
    given = scores > thresholds
    # Two columns at least, of which scikit-learn can tell that labels are many.
    report = metrics.precision_recall_fscore_support(truth, given, average=None, zero_division=0)
    return {
        "name": name,
        "scores": [[float(f"{score:.9g}") for score in row] for row in scores],
        "truth": truth.astype(int).tolist(),
        "thresholds": [float(f"{threshold:.9g}") for threshold in thresholds],
        "averages": averages(truth, given),
        "labels": [
            {**dict(zip(PRF, map(float, figures[:3]))), "support": int(figures[3]),
             **of_label(scores[:, label].astype(np.float64), truth[:, label])}
            for label, figures in enumerate(zip(*report))
        ],
    }


def main():
    cases = [
        case("plain", 1, 60, 5, 0, False),
        case("tied scores", 2, 80, 6, 4, False),
        case("empty rows", 3, 50, 7, 10, True),
        case("one row", 4, 1, 4, 0, False),
        case("more labels than a word has bits", 5, 12, 35, 8, True),
        case("scores of 0 and 1", 6, 30, 4, 1, False),
    ]
    path = os.path.join(os.path.dirname(os.path.abspath(__file__)), "metrics.json")
    with open(path, "w", encoding="utf-8") as file:
        file.write("[" + ",\n".join(json.dumps(found) for found in cases) + "]\n")


if __name__ == "__main__":
    main()
