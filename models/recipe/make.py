# SPDX-License-Identifier: Apache-2.0
"""
From GoEmotions' splits and two encoders to packs: teachers on folds, soft targets from what they did not see, students of
three seeds, thresholds, folders for other tools, packs; the seed that is best on dev. A run that was stopped goes on.
"""
import argparse
import concurrent.futures
import os
import shutil
import subprocess
import sys

import numpy as np
import torch

import export
import metrics
import scoring
import texts as data
from train import Run, claim, parse, predict, read_splits

L6, BGE = "sentence-transformers/all-MiniLM-L6-v2", "BAAI/bge-small-en-v1.5"
SETTINGS = {
    L6: ["--rate", "3e-4", "--decay", "0.87", "--epochs", "3", "--stop", "2"],
    BGE: ["--rate", "2e-4", "--decay", "0.9", "--epochs", "4", "--stop", "2"],
}
FOLDS, SEEDS = 3, (0, 1, 2)
TEACHERS = (BGE, L6)
STUDENT = ["--soft-weight", "0.7"]
MODELS = {  # what each begins with: a base, and the weights of a model before it
    "goemotions-small": (L6, "", ["--epochs", "4", "--stop", "3"]),
    "goemotions-tiny": (L6, "goemotions-small", ["--epochs", "1", "--stop", "1", "--rate", "1e-4", "--vocabulary", "8192"]),
}


class Maker:
    def __init__(self, options):
        self.options = options
        self.seeds, self.folds, self.smoke = SEEDS, FOLDS, []
        if options.smoke:
            self.seeds, self.folds = (0, 1), 2
            self.smoke = ["--rows", "400", "--epochs", "1", "--stop", "1", "--max-tokens", "24"]
        self.labels = data.read_labels(options.data)

    def path(self, *names):
        return os.path.join(self.options.out, *names)

    def options_of(self, name, base, settings):
        return parse(["--base", os.path.join(self.options.encoders, base), "--data", self.options.data,
                      "--out", self.path("runs", name), "--threads", "1", *SETTINGS[base], *settings, *self.smoke])

    def result(self, run, what):
        """A file of a run's last epoch, as dev3.npy."""
        options, (stem, ending) = self.options_of(*run), what.split(".")
        return os.path.join(options.out, f"{stem}{options.stop or options.epochs}.{ending}")

    def run(self, *run):
        """train.py, unless its last epoch is there."""
        options = self.options_of(*run)
        claim(options)
        if os.path.exists(self.result(run, "weights.pt")):
            return
        arguments = [text for name, value in vars(options).items() for text in ("--" + name.replace("_", "-"), str(value))]
        script = os.path.join(os.path.dirname(os.path.abspath(__file__)), "train.py")
        with open(os.path.join(options.out, "log"), "a", encoding="utf-8") as log:
            code = subprocess.run([sys.executable, script, *arguments], stdout=log, stderr=subprocess.STDOUT,
                                  check=False).returncode
        if code:
            raise SystemExit(f"{log.name}: training ended with status {code}")
        print(f"trained {run[0]}", flush=True)

    def run_all(self, runs):
        with concurrent.futures.ThreadPoolExecutor(self.options.jobs) as pool:
            jobs = [pool.submit(self.run, *run) for run in runs]
            try:
                for job in concurrent.futures.as_completed(jobs):
                    job.result()
            except BaseException:
                pool.shutdown(wait=False, cancel_futures=True)
                raise

    # ---- Teachers ----

    def teach(self):
        """Writes what the teachers say of every train text that was held out, and how often they give a label."""
        runs = {base: [(f"{base.split('/')[1]}-fold{fold}", base, ["--fold", str(fold), "--folds", str(self.folds),
                                                                   "--seed", str(10 * place + fold)])
                       for fold in range(self.folds)] for place, base in enumerate(TEACHERS, 1)}
        self.run_all([run for of_base in runs.values() for run in of_base])
        _, targets, _, dev_targets = read_splits(self.options_of(*runs[L6][0]))
        logits, rates = [], []
        for of_base in runs.values():
            scores = np.zeros_like(targets)
            for fold, run in enumerate(of_base):
                scores[data.held_out(len(targets), fold, self.folds)] = np.load(self.result(run, "held.npy"))
            dev = [np.load(self.result(run, "dev.npy")) for run in of_base]
            logits.append(metrics.logit(scores))
            rates.append(metrics.positive_rates(scores, targets, dev, dev_targets))
        soft = metrics.sigmoid(np.mean(logits, axis=0)).astype(np.float32)
        np.save(self.path("soft.npy"), soft)
        np.save(self.path("rates.npy"), np.mean(rates, axis=0))
        print(f"teachers: out-of-fold AP {metrics.average_precision(soft, targets > 0.5).mean():.4f}", flush=True)

    # ---- Students ----

    def students(self, name):
        base, begun, settings = MODELS[name]
        weights = [self.result(run, "weights.pt") for run in self.students(begun)] if begun else [""] * len(self.seeds)
        return [(f"{name}-seed{seed}", base, ["--soft", self.path("soft.npy"), *STUDENT, *settings, "--seed", str(seed),
                                              "--weights", path]) for seed, path in zip(self.seeds, weights)]

    def finish(self, name):
        """Folders and packs of each seed (`name`-seedS), calibrated on dev, and of the one that is best on dev (`name`)."""
        runs = self.students(name)
        reader, found = Run(self.options_of(*runs[0])), {}
        for run in runs:
            found[run[0]] = self.export(reader, run[0], torch.load(self.result(run, "weights.pt"), weights_only=True))
        best = max(found, key=lambda seed: found[seed]["average_precision"])
        shutil.rmtree(self.path(name), ignore_errors=True)
        shutil.copytree(self.path(best), self.path(name))
        export.write_json({**found[best], "seed": best, "seeds": list(found)}, self.path(name), "dev.json")

    def export(self, reader, name, state):
        """Returns the figures on dev."""
        out, model, truth = self.path(name), reader.model, reader.dev_targets
        model.load_state_dict(state)
        slopes, offsets = metrics.calibration(predict(model, reader.dev_ids), truth)
        model.calibrate(slopes, offsets)
        export.write_folders(out, model, reader.config, reader.settings, self.labels)
        folder = os.path.join(out, "sentence-transformers")
        head = os.path.join(folder, "head")
        # Thresholds are those of the scores that int8 gives.
        whole = ["--encoder", folder, "--head", head, "--dtype", "int8"]
        scores = scoring.label(self.options.mien, whole + ["--threshold", "0.5"], reader.dev_texts, self.labels)
        thresholds = np.round(metrics.thresholds_at(scores, np.load(self.path("rates.npy"))), 4).clip(0.01, 0.99)
        for target in (head, os.path.join(out, "transformers"), out):
            export.write_json(dict(zip(self.labels, thresholds.tolist())), target, "thresholds.json")
        pack = os.path.join(out, "model.safetensors")
        subprocess.run([self.options.mien, "pack", "--quiet", *whole, "--license", "apache-2.0", "-o", pack], check=True)
        packed = scoring.label(self.options.mien, ["--model", pack], reader.dev_texts, self.labels)
        if not np.array_equal(packed, scores):
            raise SystemExit(f"{pack}: expected the scores that thresholds were set on, found others")
        figures = {"average_precision": float(metrics.average_precision(scores, truth).mean()),
                   "macro_f1": float(metrics.f1(scores > thresholds.astype(np.float32), truth).mean()),
                   "slopes": slopes.tolist(), "offsets": offsets.tolist()}
        export.write_json(figures, out, "dev.json")
        print(f"{name} on dev: average precision {figures['average_precision']:.4f}, "
              f"macro F1 {figures['macro_f1']:.4f}", flush=True)
        return figures


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add = parser.add_argument
    add("--data", required=True, help="folder of GoEmotions' train.tsv, dev.tsv, test.tsv and labels.txt")
    add("--encoders", required=True, help=f"folder with {L6} and {BGE}, as `mien pull` keeps them")
    add("--out", required=True, help="folder of everything that is made")
    add("--mien", required=True, help="the command")
    add("--jobs", type=int, default=os.cpu_count(), help="runs side by side, each on one core")
    add("--smoke", action="store_true", help="a few rows, one epoch: to see that everything works")
    maker = Maker(parser.parse_args())
    maker.teach()
    for name in MODELS:
        maker.run_all(maker.students(name))
        maker.finish(name)


if __name__ == "__main__":
    main()
