# SPDX-License-Identifier: Apache-2.0
"""A model's README.md, a Hugging Face model card, from its metrics.json and its safetensors' metadata."""
import json
import re
import textwrap

MODELS = {
    "goemotions-small": {
        "parameters": "23 M",
        "what": "The default of `mien label`.",
        "then": "",
    },
    "goemotions-tiny": {
        "parameters": "14 M",
        "what": "The small one, for browsers and phones: of BERT's vocabulary it has what English needs.",
        "then": " Each seed of goemotions-small then had its vocabulary pruned and was trained for one epoch more.",
    },
}
BASE, BASE_LICENSE = "sentence-transformers/all-MiniLM-L6-v2", "Apache License 2.0, sentence-transformers"
PUBLISHED = [
    ["this size, frozen, with a linear head", "22 to 33 M", ".394 to .449", "tuned on test"],
    ["MiniLM, distilled", "22 M", ".487", "not said"],
    ["DistilBERT", "66 M", ".518", "tuned on dev"],
    ["RoBERTa-base (SamLowe/roberta-base-go_emotions)", "125 M", ".541", "tuned on test"],
    ["RoBERTa-large", "355 M", ".533 to .538", "tuned on dev"],
    ["ModernBERT-base (cirimus/modernbert-base-go-emotions)", "149 M", ".554", "tuned on test"],
]


def figure(value):
    return f"{value:.3f}".replace("0.", ".", 1)


def span(pair):
    return "–".join(map(figure, pair))


def table(head, rows):
    lines = ["| " + " | ".join(map(str, line)) + " |" for line in (head, *rows)]
    return "\n".join([lines[0], "|" + "---|" * len(head), *lines[1:]])


def metadata(found):
    lines = ["---", "license: apache-2.0", "language: en", f"base_model: {BASE}",
             "datasets:", "- google-research-datasets/go_emotions", "pipeline_tag: text-classification", "tags:",
             "- emotions", "- multi-label", "- mien", "model-index:", f"- name: {found['model']}", "  results:",
             "  - task:", "      type: text-classification", "      name: multi-label emotion classification",
             "    dataset:", "      name: GoEmotions", "      type: google-research-datasets/go_emotions",
             "      config: simplified", "      split: test", "    metrics:"]
    for name, key, value in (("macro F1, thresholds tuned on train and dev", "f1", found["tuned_on_dev"]["macro_f1"]),
                             ("weighted F1, thresholds tuned on train and dev", "f1", found["tuned_on_dev"]["weighted_f1"]),
                             ("mean average precision", "average_precision", found["mean_average_precision"])):
        lines += [f"    - type: {key}", f"      name: {name}", f"      value: {value:.4f}"]
    return "\n".join([*lines, "---"])


def protocols(found):
    def row(name, key):
        of = found[key]
        return [name, *(figure(of[f"macro_{part}"]) for part in ("precision", "recall", "f1")), figure(of["weighted_f1"])]
    return table(["thresholds", "macro precision", "macro recall", "macro F1", "weighted F1"],
                 [row("tuned on train and dev (`thresholds.json`)", "tuned_on_dev"),
                  row("0.5 for every label", "fixed_0.5")])


def published(found):
    own = [[f"**{found['model']}**", MODELS[found["model"]]["parameters"], figure(found[key]["macro_f1"]), how]
           for key, how in (("tuned_on_dev", "tuned on train and dev"), ("tuned_on_test", "tuned on test"))]
    return table(["model", "parameters", "macro F1", "thresholds"], [*own, *PUBLISHED])


def seeds(found):
    def spread(values):
        mean = sum(values) / len(values)
        deviation = (sum((value - mean) ** 2 for value in values) / max(1, len(values) - 1)) ** 0.5
        return f"{figure(mean)} ± {figure(deviation)}", ", ".join(map(figure, values))
    rows = []
    for name, read in (("dev, in sample", lambda of: of["dev_macro_f1"]),
                       ("test, the same thresholds", lambda of: of["tuned_on_dev"]["macro_f1"]),
                       ("test, tuned on test", lambda of: of["tuned_on_test"]["macro_f1"]),
                       ("test, 0.5", lambda of: of["fixed_0.5"]["macro_f1"])):
        rows.append([name, *spread([read(seed) for seed in found["seeds"]]), figure(read(found))])
    return table(["macro F1", "mean ± deviation of the seeds", "each", "this model, the best on dev"], rows)


def per_label(found):
    return table(["label", "precision", "recall", "F1", "95% interval", "average precision", "support", "threshold"],
                 [[name, figure(of["precision"]), figure(of["recall"]), figure(of["f1"]), span(of["f1_interval"]),
                   figure(of["average_precision"]), of["support"], figure(of["threshold"])]
                  for name, of in found["per_label"].items()])


def examples(rows):
    def cell(names):
        return ", ".join(names) or "none"
    return table(["text", "model", "published labels", "highest score"],
                 [[row["text"].replace("|", "\\|"), cell(row["model"]), cell(row["published"]), figure(row["score"])]
                  for row in rows])


def swaps(found):
    rows = []
    for kind, of in found["swaps"].items():
        widest = of["widest"]
        rows.append([kind, figure(of["mean_distance"]), f"{of['share_with_other_labels']:.0%}",
                     f"{widest['label']}: “{widest['least'][0]}” {figure(widest['least'][1])}, "
                     f"“{widest['most'][0]}” {figure(widest['most'][1])}"])
    return table(["swapped", "distance of scores", "with other labels", "what moves most"], rows)


def render(found, card):
    model = MODELS[found["model"]]
    calibration = found["calibration_error"]
    demasked, of = found["demasked"], found["tuned_on_dev"]
    cost = found["float32"]["tuned_on_dev"]["macro_f1"] - of["macro_f1"]
    cost_ap = found["float32"]["mean_average_precision"] - found["mean_average_precision"]
    name = found["model"]
    return f"""{metadata(found)}

# {name}

English text to the 28 labels of GoEmotions, many to a text. {model['what']} A BERT of {card['layers']} layers of 384, fine-tuned
with a linear head; one file of {found['bytes'] / 1e6:.1f} MB in int8 with encoder, vocabulary of {card['vocabulary']:,} entries,
head and thresholds.

```sh
mien label --model {name} --text "thank you so much!"
```

Macro F1 on GoEmotions' test split {figure(of['macro_f1'])} (95% interval {span(found['tuned_on_dev_macro_f1_interval'])}), with
thresholds that never saw it.

## Figures

GoEmotions' test split, {found['rows']:,} comments, by the int8 pack that is here:

{protocols(found)}

Beside published figures on the same split. Thresholds that are tuned on the very texts that are then counted flatter; in steps
of .05, as those figures were made, they are here only to compare:

{published(found)}

The students' three seeds; their teachers, and with them the shares that thresholds give labels, are the same:

{seeds(found)}

Mean average precision {figure(found['mean_average_precision'])}. What int8 costs: {cost:+.4f} macro F1 at these thresholds,
which were set on int8's scores, and {cost_ap:+.4f} mean average precision; {found['int8_labels_as_float32']:.2%} of labels are
as in float32. Calibration: the head has Platt scaling by dev folded into it; static calibration error on test
{calibration['before']:.4f} without it, {calibration['after']:.4f} with it.

{demasked['rows'] / found['rows']:.0%} of the comments hold [NAME] or [RELIGION] where a word was, which no real text does. With words put in their place:
macro F1 {figure(demasked['macro_f1']['words'])} instead of {figure(demasked['macro_f1']['masks'])}; of the {demasked['rows']} texts with masks alone
{figure(demasked['macro_f1_of_those_rows']['words'])} instead of {figure(demasked['macro_f1_of_those_rows']['masks'])},
{demasked['rows_with_other_labels']:.0%} of them with other labels. In training half of the masks were words; the names here
are none of those.

{per_label(found)}

Intervals are of 1,000 bootstrap samples of the test split. Labels with few rows have figures to match: take those of grief,
pride and relief as hints.

## Right and wrong

Short comments, those with anger, annoyance or disgust left out. The surest of what it gets right, a text a label:

{examples(found['examples']['right'])}

The surest of what the published labels lack:

{examples(found['examples']['wrong'])}

## Words that should not matter

Sentences in which one term is swapped (recipe/swaps.py). Distance: how far scores are on average from the mean of a sentence's
terms, of the label where they are farthest; then the share of terms whose labels are not the first term's, and the widest
pair.

{swaps(found)}

## Data, and what is wrong with it

Trained on GoEmotions' train split (Demszky, Movshovitz-Attias, Ko, Cowen, Nemade, Ravi, ACL 2020; Apache License 2.0; Google
Research), without the texts that dev or test has too (letter for letter: some
hundred short ones, as “thank you!”, come back in other case, spaces or punctuation). The comments
are from Reddit, 2005 to 2019, whose writers lean young and male; raters in India read each without its thread, and labels that
two of three to five raters gave were kept. An outside review of a thousand of them called 30% mislabelled (Surge AI, 2022): sarcasm, slang and
quotations are often labelled by their surface. Neutral is the largest label and overlaps with approval and realization. There
are slurs and insults in the comments.

## What it is for, and what it is not

For counting what large numbers of informal English texts express, and for sorting them. Not for judging a person: no hiring,
policing, credit, health or discipline; not for what somebody feels, which words don't tell; not for other languages; not for
long documents at once, of which 512 tokens are read and 64 were seen in training. Before use on other texts, label a sample by hand and tune
thresholds on it.

## How it was made

[recipe](../recipe/README.md): {BASE} ({BASE_LICENSE}) fine-tuned end to end to the labels and to what
models of two encoders, trained on folds, say of texts that they have not seen.{model['then']} Of three seeds this is
{found['seed'].rsplit("-")[-1]}, which has the highest mean average precision on dev. Thresholds give a label to as many of dev's texts as the folds' models do at their best
thresholds on unseen train texts and dev.
"""


def wrap(text):
    """Paragraphs filled to 120 columns; what is a table, a title, code or metadata stays."""
    front, body = text.split("\n---\n", 1)
    parts = re.split(r"\n\n", body)
    is_prose = lambda part: part[:1] not in "|#`" and part.strip()
    filled = [textwrap.fill(" ".join(part.split()), 120, break_long_words=False, break_on_hyphens=False)
              if is_prose(part) else part for part in parts]
    return front + "\n---\n" + "\n\n".join(filled) + "\n"


def write(path, found, config):
    with open(path, "w", encoding="utf-8") as file:
        file.write(wrap(render(found, config)))


def read_config(pack):
    """Layers and size of the vocabulary, from a pack's metadata."""
    with open(pack, "rb") as file:
        header = json.loads(file.read(int.from_bytes(file.read(8), "little")))
    return json.loads(header["__metadata__"]["config"])
