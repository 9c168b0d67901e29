# SPDX-License-Identifier: Apache-2.0
"""
From GoEmotions' splits and two encoders to packs: teachers on folds, soft targets from what they did not see, students of
three seeds, the mean of their weights, thresholds, folders for other tools, packs. A run that was stopped goes on.
"""
import argparse
import concurrent.futures
import json
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
from train import Run, parse, predict

L6, BGE = "sentence-transformers/all-MiniLM-L6-v2", "BAAI/bge-small-en-v1.5"
SETTINGS = {
    L6: ["--rate", "3e-4", "--decay", "0.87", "--epochs", "3"],
    BGE: ["--rate", "2e-4", "--decay", "0.9", "--epochs", "4", "--stop", "2"],
}
FOLDS, SEEDS = 5, (0, 1, 2)
TEACHERS = (L6, BGE)
STUDENT = ["--soft-weight", "0.7"]
MODELS = {
    "goemotions-small": (BGE, ["--epochs", "3", "--stop", "0"]),
    "goemotions-tiny": (L6, ["--epochs", "4", "--vocabulary", "8192"]),
}


def last_epoch(settings):
    named = dict(zip(settings[::2], settings[1::2]))
    return int(named.get("--stop", 0)) or int(named["--epochs"])


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

    def arguments(self, name, base, settings):
        found = ["--base", os.path.join(self.options.encoders, base), "--data", self.options.data,
                 "--out", self.path("runs", name), "--threads", "1", *SETTINGS[base], *settings, *self.smoke]
        return found

    def epoch(self, base, settings):
        return last_epoch([*SETTINGS[base], *settings, *self.smoke])

    def run(self, name, base, settings):
        """train.py, unless its last epoch is there."""
        if os.path.exists(self.path("runs", name, f"weights{self.epoch(base, settings)}.pt")):
            return
        os.makedirs(self.path("runs", name), exist_ok=True)
        with open(self.path("runs", name, "log"), "a", encoding="utf-8") as log:
            script = os.path.join(os.path.dirname(os.path.abspath(__file__)), "train.py")
            code = subprocess.run([sys.executable, script, *self.arguments(name, base, settings)], stdout=log,
                                  stderr=subprocess.STDOUT, check=False).returncode
        if code:
            sys.exit(f"{log.name}: training ended with status {code}")
        print(f"trained {name}", flush=True)

    def run_all(self, runs):
        with concurrent.futures.ThreadPoolExecutor(self.options.jobs) as pool:
            for job in [pool.submit(self.run, *run) for run in runs]:
                job.result()

    # ---- Teachers ----

    def teach(self):
        """Writes what the teachers say of every train text that was held out, and how often they give a label."""
        runs = [(f"{base.split('/')[1]}-fold{fold}", base, ["--fold", str(fold), "--folds", str(self.folds),
                                                            "--seed", str(10 * place + fold)])
                for place, base in enumerate(TEACHERS, 1) for fold in range(self.folds)]
        self.run_all(runs)
        reader = Run(parse(self.arguments(*runs[0])))
        order, held, dev = data.fold_order(len(reader.texts)), [], []
        for base in TEACHERS:
            scores = np.zeros_like(reader.targets)
            for fold in range(self.folds):
                folder = self.path("runs", f"{base.split('/')[1]}-fold{fold}")
                epoch = self.epoch(base, [])
                scores[np.sort(order[fold::self.folds])] = np.load(os.path.join(folder, f"held{epoch}.npy"))
                dev.append(np.load(os.path.join(folder, f"dev{epoch}.npy")))
            held.append(scores)
        soft = metrics.sigmoid(np.mean([metrics.logit(scores) for scores in held], axis=0)).astype(np.float32)
        np.save(self.path("soft.npy"), soft)
        rates = np.mean([metrics.positive_rates(scores, reader.targets, dev[i * self.folds:(i + 1) * self.folds],
                                                reader.dev_targets) for i, scores in enumerate(held)], axis=0)
        np.save(self.path("rates.npy"), rates)
        print(f"teachers: out-of-fold AP {metrics.average_precision(soft, reader.targets > 0.5).mean():.4f}", flush=True)

    # ---- Students ----

    def students(self, name):
        base, settings = MODELS[name]
        return [(f"{name}-seed{seed}", base, ["--soft", self.path("soft.npy"), *STUDENT, *settings, "--seed", str(seed)])
                for seed in self.seeds]

    def finish(self, name):
        """Folders and packs of each seed (`name`-seedS) and of the mean of their weights (`name`), calibrated on dev."""
        runs = self.students(name)
        run, states = Run(parse(self.arguments(*runs[0]))), []
        for run_name, base, settings in runs:
            file = self.path("runs", run_name, f"weights{self.epoch(base, settings)}.pt")
            states.append(torch.load(file, weights_only=True))
            self.export(run, run_name, states[-1])
        self.export(run, name, {key: sum(state[key] for state in states) / len(states) for key in states[0]})

    def export(self, run, name, state):
        out, model, truth = self.path(name), run.model, run.dev_targets
        model.load_state_dict(state)
        scores = predict(model, run.dev_ids)
        slopes, offsets = metrics.calibration(scores, truth)
        model.head.weight.data *= torch.from_numpy(slopes[:, None]).float()
        model.head.bias.data = model.head.bias.data * torch.from_numpy(slopes).float() + torch.from_numpy(offsets).float()
        write = lambda thresholds: export.write_folders(out, model, run.config, run.settings, self.labels, thresholds, 512)
        write(np.full(len(self.labels), 0.5))
        self.pack(out)
        # Thresholds are those of the scores that int8 gives.
        calibrated = self.label(out, run.dev_texts)
        thresholds = np.round(metrics.thresholds_at(calibrated, np.load(self.path("rates.npy"))), 4).clip(0.01, 0.99)
        write(thresholds)
        self.pack(out)
        shutil.copy(os.path.join(out, "sentence-transformers", "head", "thresholds.json"), out)
        figures = {"average_precision": float(metrics.average_precision(calibrated, truth).mean()),
                   "macro_f1": float(metrics.f1(calibrated > thresholds, truth).mean()),
                   "calibration_error": [float(metrics.calibration_error(x, truth)) for x in (scores, calibrated)]}
        export.write_json(figures, out, "dev.json")
        print(name, "on dev:", figures, flush=True)

    def pack(self, out):
        folder = os.path.join(out, "sentence-transformers")
        subprocess.run([self.options.mien, "pack", "--quiet", "--encoder", folder, "--head", os.path.join(folder, "head"),
                        "--dtype", "int8", "--license", "apache-2.0", "-o", os.path.join(out, "model.safetensors")],
                       check=True)

    def label(self, out, texts):
        return scoring.label(self.options.mien, ["--model", os.path.join(out, "model.safetensors")], texts, self.labels)


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
    maker.run_all([run for name in MODELS for run in maker.students(name)])
    for name in MODELS:
        maker.finish(name)


if __name__ == "__main__":
    main()
