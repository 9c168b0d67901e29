# SPDX-License-Identifier: Apache-2.0
"""GoEmotions' splits as texts and targets, and what becomes of the masks in them."""
import os
import random

import numpy as np

NAMES = """Aaron Abdul Adam Ahmed Aiko Aisha Alejandro Alex Alice Amara Amir Amy Ana Andre Andrew Angela Anna Anthony Aria
Ashley Ben Beth Brandon Brian Carlos Carol Chen Chloe Chris Claire Dan Daniel Darnell David Deepak Diego Dmitri Elena Eli
Emily Emma Eric Ethan Fatima Felix Fiona Frank Gabriel George Grace Greg Hannah Hassan Henry Hiroshi Ian Ibrahim Imani
Isabella Ivan Jack Jacob Jamal James Jane Jason Jasmine Javier Jen Jessica Jill Jin John Jordan Jose Josh Juan Julia Kai
Karen Kate Keisha Kevin Kim Kofi Kyle Lakshmi Lamar Laura Lee Leila Leo Lily Linda Lisa Liu Luca Lucy Luis Maria Mark
Martin Mary Mason Matt Mei Mia Michael Miguel Mike Mohammed Nadia Nancy Natasha Nia Nick Nina Noah Nora Olga Oliver Olivia
Omar Oscar Pablo Patel Patrick Paul Peter Priya Rachel Raj Ravi Rebecca Rob Robert Rosa Ryan Sam Samantha Sanjay Sara
Sasha Scott Sean Seo-yeon Sofia Sophie Stephen Steve Susan Tariq Taylor Terrence Thomas Tim Tom Tony Tyrone Victor Wei
William Yuki Yusuf Zach Zoe""".split()
RELIGIONS = "Christian Catholic Muslim Jewish Hindu Buddhist Sikh Mormon Protestant Orthodox Christianity Islam Judaism " \
            "Hinduism Buddhism Catholicism Mormonism".split()
# Names that training does not see in a mask's place, for tests.
OTHER_NAMES = """Adriana Amit Bruce Bryan Charlotte Cheng DeShawn Dylan Ebony Edward Farid Gretchen Heather Hyun Ingrid Jerome
Jorge José Kareem Kristen Lakisha Latoya Ling Malik Marisol Naveed Neha Pedro Rashid Sergei Svetlana Tanisha Todd Vikram
Wanjiru Xavier Yasmin Yolanda""".split()
MASKS = {"[NAME]": NAMES, "[RELIGION]": RELIGIONS}
TEST_MASKS = {"[NAME]": OTHER_NAMES, "[RELIGION]": RELIGIONS}


def read(folder, split, n_labels):
    """(texts, targets [N, labels] of 0 and 1) of a split, in the file's order."""
    texts, rows = [], []
    with open(os.path.join(folder, split + ".tsv"), encoding="utf-8") as file:
        for number, line in enumerate(file, 1):
            try:
                text, labels, _ = line.rstrip("\n").split("\t")
                rows.append([int(label) for label in labels.split(",")])
                if not 0 <= min(rows[-1]) <= max(rows[-1]) < n_labels:
                    raise ValueError
            except ValueError:
                raise SystemExit(f"{file.name}:{number}: expected a text, numbers of labels below {n_labels} joined by commas "
                                 f"and an id, tab-separated, found {line[:80]!r}") from None
            texts.append(text)
    targets = np.zeros((len(texts), n_labels), np.float32)
    for row, labels in zip(targets, rows):
        row[labels] = 1
    return texts, targets


def read_labels(folder):
    return open(os.path.join(folder, "labels.txt"), encoding="utf-8").read().split()


def read_train(folder, n_labels):
    """The train split without what dev or test has too; a text that is there twice has its targets' mean, once."""
    texts, targets = read(folder, "train", n_labels)
    others = {text for split in ("dev", "test") for text in read(folder, split, n_labels)[0]}
    places = {}
    for at, text in enumerate(texts):
        if text not in others:
            places.setdefault(text, []).append(at)
    return list(places), np.stack([targets[rows].mean(0) for rows in places.values()])


def held_out(n_rows, fold, folds):
    """The rows of a fold, sorted."""
    return np.sort(np.random.RandomState(7).permutation(n_rows)[fold::folds])


def unmask(text, source: random.Random, masks=None):
    """`text` with every mask replaced by a word that could have stood there."""
    for mask, words in (masks or MASKS).items():
        while mask in text:
            text = text.replace(mask, source.choice(words), 1)
    return text


def has_mask(text):
    return any(mask in text for mask in MASKS)
