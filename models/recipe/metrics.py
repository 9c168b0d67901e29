# SPDX-License-Identifier: Apache-2.0
"""F1 at thresholds, and thresholds that are tuned on few positives without believing each of them."""
import numpy as np


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def logit(probability):
    probability = np.clip(np.asarray(probability, np.float64), 1e-7, 1 - 1e-7)
    return np.log(probability / (1 - probability))


def f1(given, truth):
    """Per label, of 0 and 1 [N, labels]; 0 where there is no true positive, as scikit-learn's zero_division=0."""
    both = (given * truth).sum(0)
    return np.where(both > 0, 2 * both / np.maximum(given.sum(0) + truth.sum(0), 1), 0)


def f1_curves(scores, truth, grid, weights=None):
    """[grid, labels]: F1 of score > threshold. Weights count rows, as a bootstrap sample does."""
    weights = np.ones(len(scores)) if weights is None else weights
    places = np.searchsorted(grid, scores, side="left")  # thresholds below this place are below the score
    n_labels, curves = scores.shape[1], np.zeros((len(grid), scores.shape[1]))
    for label in range(n_labels):
        is_true = truth[:, label] > 0

        def above(rows):
            counts = np.bincount(places[rows, label], weights[rows], len(grid) + 1)
            return counts[::-1].cumsum()[::-1][1:]

        hits, given = above(is_true), above(np.ones(len(scores), bool))
        curves[:, label] = 2 * hits / np.maximum(given + weights[is_true].sum(), 1e-9)
    return curves


FINE_GRID = np.arange(0.02, 0.96, 0.01)


def best_thresholds(scores, truth, grid=FINE_GRID):
    """The plain way: where F1 is highest on these very rows."""
    return grid[f1_curves(scores, truth, grid).argmax(0)]


def smooth_thresholds(scores, truth, grid=FINE_GRID, samples=40, seed=0):
    """Where the mean F1 of bootstrap samples is highest: a maximum that hangs on a few rows is none in most of them."""
    source = np.random.RandomState(seed)
    curves = 0
    for _ in range(samples):
        curves = curves + f1_curves(scores, truth, grid, np.bincount(source.randint(0, len(scores), len(scores)),
                                                                      minlength=len(scores)).astype(float))
    return grid[curves.argmax(0)]


def average_precision(scores, truth):
    """Per label: the mean precision at each positive, ties in order of the rows."""
    order = np.argsort(-scores, axis=0, kind="stable")
    hits = np.take_along_axis(truth, order, 0)
    precision = hits.cumsum(0) / np.arange(1, len(scores) + 1)[:, None]
    return (precision * hits).sum(0) / np.maximum(hits.sum(0), 1)


def halves_f1(scores, truth, tune=best_thresholds, repeats=10, seed=1):
    """Macro F1 on halves of the rows with thresholds from the other halves: what tuning is worth without a test."""
    source, found = np.random.RandomState(seed), []
    for _ in range(repeats):
        rows = source.permutation(len(scores))
        for own, other in ((rows[::2], rows[1::2]), (rows[1::2], rows[::2])):
            found.append(f1(scores[other] > tune(scores[own], truth[own]), truth[other]).mean())
    return float(np.mean(found))


def positive_rates(held, truth, dev, dev_truth, target=0.35, prior=20.0, dev_weight=1.0):
    """
    Per label, how many dev rows are to get it: thresholds where F1 is highest on out-of-fold scores and dev together, drawn
    towards one threshold for all where positives are few, applied to the folds' dev scores [folds, N, labels].
    """
    rows = np.concatenate([held, *dev])
    true = np.concatenate([truth > 0.5, *[dev_truth > 0.5] * len(dev)]).astype(np.float64)
    weights = np.concatenate([np.ones(len(held)), np.full(len(dev) * len(dev_truth), dev_weight / len(dev))])
    curves = f1_curves(rows, true, FINE_GRID, weights)
    best = FINE_GRID[curves.argmax(0)]
    share = prior / (prior + (truth > 0.5).sum(0))
    thresholds = sigmoid((1 - share) * logit(best) + share * logit(target))
    return np.mean([scores > thresholds for scores in dev], axis=(0, 1))


def thresholds_at(scores, rates):
    """The thresholds by which these shares of the rows get the labels."""
    return np.array([np.quantile(column, 1 - rate) for column, rate in zip(scores.T, rates)])


def calibration(scores, truth, slope_prior=30.0, offset_prior=3.0, steps=30):
    """
    Platt scaling, per label: (slopes, offsets) of logits by which likelihood is highest, drawn towards 1 and 0 as if by a
    few more rows. Newton's method. Platt: Probabilistic Outputs for Support Vector Machines, 1999.
    """
    x = logit(scores)
    slopes, offsets = np.ones(scores.shape[1]), np.zeros(scores.shape[1])
    for label in range(scores.shape[1]):
        given = np.stack([x[:, label], np.ones(len(x))], 1)
        at, centre, prior = np.array([1.0, 0.0]), np.array([1.0, 0.0]), np.array([slope_prior, offset_prior])
        for _ in range(steps):
            p = sigmoid(given @ at)
            gradient = given.T @ (p - truth[:, label]) + prior * (at - centre)
            at = at - np.linalg.solve(given.T @ (given * (p * (1 - p))[:, None]) + np.diag(prior), gradient)
        slopes[label], offsets[label] = at
    return slopes, offsets


def calibration_error(scores, truth, bins=15):
    """Expected calibration error over all labels' scores: mean distance of score and share of true ones, bins of like size."""
    order = np.argsort(scores, axis=None)
    parts = zip(np.array_split(scores.ravel()[order], bins), np.array_split(truth.ravel()[order], bins))
    return sum(abs(s.mean() - t.mean()) * len(s) for s, t in parts) / scores.size
