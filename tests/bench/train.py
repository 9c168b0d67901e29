#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Training, side by side with scikit-learn's LogisticRegression in a OneVsRestClassifier: rows in memory to weights.

Every round times each contestant once, in turn, so that a machine's drift meets all of them; the ratio is taken round by
round and its median told, with the least and the greatest. What both arrive at is then compared with the optimum, which
one more step of Newton's method in double finds from mien's weights.

  train.py --data train.tsv --embeddings train.npy [--labels labels.txt]
"""
import argparse
import json
import os
import statistics
import subprocess
import tempfile
import warnings

import numpy
import scipy.linalg
import sklearn
import threadpoolctl
from sklearn.linear_model import LogisticRegression
from sklearn.multiclass import OneVsRestClassifier

from common import ROOT, machine, seconds, spread

DRIVER = os.path.join(ROOT, "build/release/tests/train_driver")


def read_targets(path):
    """Label numbers of every row, in the second column."""
    with open(path, encoding="utf-8", newline="\n") as file:
        rows = [[int(label) for label in line.rstrip("\n").split("\t")[1].split(",")] for line in file]
    targets = numpy.zeros((len(rows), 1 + max(map(max, rows))), numpy.float32)
    for row, labels in enumerate(rows):
        targets[row, labels] = 1
    return targets


class Mien:
    def __init__(self, rows_path, targets_path, cost, threads, out):
        self.out, self.answers = out, []
        self.process = subprocess.Popen([DRIVER, rows_path, targets_path, str(cost), str(threads), out],
                                        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def fit(self):
        self.process.stdin.write("\n")
        self.process.stdin.flush()
        self.answers.append(json.loads(self.process.stdout.readline()))
        return self.answers[-1]["seconds"]

    def weights(self):
        self.process.stdin.close()
        if self.process.wait():
            raise SystemExit("train_driver failed")
        return numpy.load(self.out).astype(numpy.float64)


class Peer:
    """Either a process a label at a time on all threads, or as many processes as threads."""

    def __init__(self, rows, targets, cost, threads, jobs, tol):
        self.rows, self.targets, self.threads, self.jobs = rows, targets, threads, jobs
        self.model = OneVsRestClassifier(LogisticRegression(C=cost, tol=tol, max_iter=1000), n_jobs=jobs)

    def fit(self):
        with threadpoolctl.threadpool_limits(1 if self.jobs else self.threads), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return seconds(self.model.fit, self.rows, self.targets)

    def weights(self):
        return numpy.array([numpy.r_[one.coef_[0], one.intercept_] for one in self.model.estimators_], numpy.float64)


def objective(rows, target, cost, weights):
    z = rows @ weights[:-1] + weights[-1]
    return cost * (numpy.logaddexp(0, z) - target * z).sum() + weights[:-1] @ weights[:-1] / 2


def scores(rows, weights):
    return 1 / (1 + numpy.exp(-(rows @ weights[:-1] + weights[-1])))


def newton(rows, target, cost, weights):
    p = scores(rows, weights)
    extended = numpy.c_[rows, numpy.ones(len(rows))]
    gradient = cost * (extended.T @ (p - target))
    gradient[:-1] += weights[:-1]
    hessian = cost * (extended.T * (p * (1 - p))) @ extended
    hessian[numpy.arange(len(weights) - 1), numpy.arange(len(weights) - 1)] += 1
    return weights - scipy.linalg.solve(hessian, gradient, assume_a="pos")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", required=True)
    parser.add_argument("--embeddings", required=True)
    parser.add_argument("--C", type=float, default=10)
    parser.add_argument("--threads", type=int, default=len(os.sched_getaffinity(0)))
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--tol", type=float, default=1e-4, help="scikit-learn's; its default stops early")
    parser.add_argument("--jobs", action="store_true", help="scikit-learn in a process a thread too")
    arguments = parser.parse_args()
    rows, targets = numpy.load(arguments.embeddings), read_targets(arguments.data)
    print(f"machine: {machine()}")
    print(f"peers: scikit-learn {sklearn.__version__}, numpy {numpy.__version__}")
    print(f"{len(rows)} rows of {rows.shape[1]} float32, {targets.shape[1]} labels, C {arguments.C:g}, "
          f"{arguments.threads} thread(s), {arguments.rounds} rounds\n")
    with tempfile.TemporaryDirectory() as folder:
        rows_path, targets_path = os.path.join(folder, "rows.npy"), os.path.join(folder, "targets.npy")
        numpy.save(rows_path, rows)
        numpy.save(targets_path, targets)
        mien = Mien(rows_path, targets_path, arguments.C, arguments.threads, os.path.join(folder, "weights.npy"))
        peers = {"scikit-learn, threads": Peer(rows, targets, arguments.C, arguments.threads, None, arguments.tol)}
        if arguments.jobs:
            peers["scikit-learn, processes"] = Peer(rows, targets, arguments.C, arguments.threads, arguments.threads,
                                                    arguments.tol)
        times = {name: [] for name in ("mien", *peers)}
        mien.fit()
        for _ in range(arguments.rounds):
            times["mien"].append(mien.fit())
            for name, peer in peers.items():
                times[name].append(peer.fit())
        found = mien.weights()
    iterations = mien.answers[-1]["iterations"]
    print(f"mien                      {statistics.median(times['mien']):7.2f} s, {min(iterations)} to {max(iterations)} passes a label")
    for name, peer in peers.items():
        ratio = [theirs / own for theirs, own in zip(times[name], times["mien"])]
        steps = [int(one.n_iter_[0]) for one in peer.model.estimators_]
        print(f"{name:25} {statistics.median(times[name]):7.2f} s, {min(steps)} to {max(steps)} iterations a label; "
              f"mien is {spread(ratio)} x as fast")

    wide, theirs = rows.astype(numpy.float64), next(iter(peers.values())).weights()
    worst = {"mien": [0, 0], "scikit-learn": [0, 0]}
    for label in range(targets.shape[1]):
        target = targets[:, label].astype(numpy.float64)
        optimum = newton(wide, target, arguments.C, newton(wide, target, arguments.C, found[label]))
        least, best = objective(wide, target, arguments.C, optimum), scores(wide, optimum)
        for name, weights in (("mien", found[label]), ("scikit-learn", theirs[label])):
            above = objective(wide, target, arguments.C, weights) / least - 1
            apart = abs(scores(wide, weights) - best).max()
            worst[name] = [max(worst[name][0], above), max(worst[name][1], apart)]
    print()
    for name, (above, apart) in worst.items():
        print(f"{name}: at most {above:.1e} of the objective above the optimum, scores at most {apart:.1e} from its")


main()
