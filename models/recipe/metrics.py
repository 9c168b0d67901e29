# SPDX-License-Identifier: Apache-2.0
"""F1 at thresholds, and thresholds that are tuned on few positives without believing each of them."""
import numpy as np


def sigmoid(x):
    return np.exp(-np.logaddexp(0, -np.asarray(x, np.float64)))


def logit(probability):
    probability = np.clip(np.asarray(probability, np.float64), 1e-7, 1 - 1e-7)
    return np.log(probability / (1 - probability))


def f1(given, truth):
    """Per label, of 0 and 1 [N, labels]; 0 where there is no true positive, as scikit-learn's zero_division=0."""
    both = (given * truth).sum(0)
    return np.where(both > 0, 2 * both / np.maximum(given.sum(0) + truth.sum(0), 1), 0)


def above_curves(scores, grid, weights=None):
    """[grid]: how many of one label's scores [N] are > threshold. Weights count rows, as a bootstrap sample does."""
    places = np.searchsorted(grid, scores, side="left")  # thresholds below this place are below the score
    counts = np.bincount(places, weights, len(grid) + 1)
    return counts[::-1].cumsum()[::-1][1:]


def f1_curves(scores, truth, grid, weights=None):
    """[grid, labels]: F1 of score > threshold. Weights count rows, as a bootstrap sample does."""
    weights = np.ones(len(scores)) if weights is None else weights
    curves = np.zeros((len(grid), scores.shape[1]))
    for label in range(scores.shape[1]):
        is_true = truth[:, label] > 0
        hits = above_curves(scores[is_true, label], grid, weights[is_true])
        given = above_curves(scores[:, label], grid, weights)
        curves[:, label] = 2 * hits / np.maximum(given + weights[is_true].sum(), 1e-9)
    return curves


def count_curves(scores, truth, grid):
    """Per label, at every threshold of the grid: of the rows whose score is above it, how many have it and have it not."""
    found = []
    for column, is_true in zip(scores.T, truth.T > 0):
        found.append({"tp": above_curves(column[is_true], grid).tolist(),
                      "fp": above_curves(column[~is_true], grid).tolist()})
    return found


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


TARGET, PRIOR, DEV_WEIGHT = 0.35, 20.0, 3.0


def positive_rates(held, truth, dev, dev_truth):
    """
    Per label, the share of dev rows that are to get it: thresholds where F1 is highest on out-of-fold scores and dev
    together (a dev row counts as DEV_WEIGHT), drawn towards TARGET as if by PRIOR positives, applied to the folds' dev
    scores [folds, N, labels].
    """
    rows = np.concatenate([held, *dev])
    true = np.concatenate([truth > 0.5, *[dev_truth > 0.5] * len(dev)]).astype(np.float64)
    weights = np.concatenate([np.ones(len(held)), np.full(len(dev) * len(dev_truth), DEV_WEIGHT / len(dev))])
    curves = f1_curves(rows, true, FINE_GRID, weights)
    best = FINE_GRID[curves.argmax(0)]
    share = PRIOR / (PRIOR + (truth > 0.5).sum(0))
    thresholds = sigmoid((1 - share) * logit(best) + share * logit(TARGET))
    return np.mean([scores > thresholds for scores in dev], axis=(0, 1))


def thresholds_at(scores, rates):
    """The thresholds by which these shares of the rows get the labels."""
    return np.array([np.quantile(column, 1 - rate) for column, rate in zip(scores.T, rates)])


def calibration(scores, truth, slope_precision=30.0, offset_precision=3.0, steps=50):
    """
    Platt scaling, per label: (slopes, offsets) of logits by which the likelihood is highest under Gaussian priors around 1
    and 0. Newton's method, its steps halved while they do not descend. Platt: Probabilistic Outputs for Support Vector
    Machines, 1999.
    """
    x, centre = logit(scores), np.array([1.0, 0.0])
    precision = np.array([slope_precision, offset_precision])
    found = np.tile(centre, (scores.shape[1], 1))

    def cost(at, given, true):
        z = given @ at
        return (np.logaddexp(0, z) - true * z).sum() + 0.5 * (precision * (at - centre) ** 2).sum()

    for label, at in enumerate(found):
        given, true = np.stack([x[:, label], np.ones(len(x))], 1), truth[:, label]
        for _ in range(steps):
            p = sigmoid(given @ at)
            gradient = given.T @ (p - true) + precision * (at - centre)
            step = np.linalg.solve(given.T @ (given * (p * (1 - p))[:, None]) + np.diag(precision), gradient)
            while cost(at - step, given, true) > cost(at, given, true) and abs(step).max() > 1e-9:
                step = step / 2
            at -= step  # in place: a row of `found`
            if abs(step).max() < 1e-9:
                break
    return found[:, 0], found[:, 1]


def calibration_error(scores, truth, bins=15):
    """
    The mean over labels of expected calibration error in bins of equal width. Static calibration error: Nixon, Dusenberry,
    Zhang, Jerfel, Tran: Measuring Calibration in Deep Learning, 2019.
    """
    places = np.minimum((scores * bins).astype(int), bins - 1)
    found = 0
    for label in range(scores.shape[1]):
        apart = np.bincount(places[:, label], scores[:, label] - truth[:, label], bins)
        found += np.abs(apart).sum() / len(scores)
    return found / scores.shape[1]
