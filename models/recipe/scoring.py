# SPDX-License-Identifier: Apache-2.0
"""Scores of texts by the command."""
import json
import os
import subprocess
import tempfile

import numpy as np


def label(mien, model, texts, labels):
    """Scores [N, labels] in the order of `labels`; `model`: the command's options that name one."""
    with tempfile.TemporaryDirectory() as folder:
        rows, out = os.path.join(folder, "texts.jsonl"), os.path.join(folder, "scores.npy")
        with open(rows, "w", encoding="utf-8") as file:
            file.writelines(json.dumps({"text": text}) + "\n" for text in texts)
        subprocess.run([mien, "label", "--quiet", *model, rows, "-o", out], check=True)
        with open(out + ".labels.json", encoding="utf-8") as file:
            columns = json.load(file)["labels"]
        return np.load(out)[:, [columns.index(name) for name in labels]]
