# SPDX-License-Identifier: Apache-2.0
"""BERT's vocabulary with emoji and GoEmotions' masks in its [unused] places, and smaller ones for smaller models."""
import collections
import copy
import json
import unicodedata

import numpy as np
from tokenizers import Tokenizer

# What people type most, whether or not the train split has it; others that it has are added.
EMOJI = ("😂❤😍🤣😊🙏💕😭😘👍😅👏😁♥🔥💔💖💙😢🤔😆🙄💪😉☺👌🤗💜😔😎😇🌹🤦🎉💞✌✨🤷😱😌🌸🙌😋💗💚😏💛🙂💓🤩😄😀🖤😃💯🙈👇🎶😒🤭❣😜💋👀😪😑💥"
         "🙋😞😩😡🤪👊☀😥🤤👉💃😳✋😚😝😴🌟😬🙃🍀🌷😻😓⭐✅🌈😈🤘💦✔😣🏃💐☹🎊💘😠☝😕🌺🎂🌻😐🖕💝🙊😹🗣💫💀👑🎵🤞😛🔴😤🌼😫⚽🤙☕🏆🤫👈"
         "😮🙆🍻🍃🐶💁😲🌿🧡🎁⚡🌞🎈❌✊👋😰🤨😶🤝🚶💰🍓💢🤟🙁🚨💨🤬✈🎀🍺🤓😙💟🌱😖👶🥴▶➡❓💎💸⬇😨🌚🦋😷🕺⚠🙅😟😵👎🤲🤠🤧📌🔵💅🧐🐾🍒😗🤑🌊🤯🐷☎💧😯"
         "💆👆🎤🙇🍑❄🌴💣🐸💌📍🥀🤢👅💡💩👐📸👻🤐🤮🎼🥳🥺🥰🥵🥶🤡👿💤🙀😸😺😽😾😿🙉🤕🤒🤥😧😦👹👺👽🤖🏻🏼🏽🏾🏿♀♂")
LEAST_COUNT = 2  # of texts in the train split that have an emoji
MASKS = {"[NAME]": "name", "[RELIGION]": "religion"}  # and what their embeddings begin as
IDLE_WORDS = set("face with and of sign symbol emoji modifier fitzpatrick type for heavy black white".split())


def is_symbol(character):
    return unicodedata.category(character) in ("So", "Sk") and ord(character) >= 0x2190


def emoji_of(texts):
    counts = collections.Counter(c for text in texts for c in set(text) if is_symbol(c))
    return list(dict.fromkeys(EMOJI)) + sorted(c for c, n in counts.items() if n >= LEAST_COUNT and c not in EMOJI)


def extend(settings, texts):
    """
    A tokenizer.json's object with entries in the place of [unused] ones, and {id: words whose mean it begins as}.
    An emoji has two entries, for the beginning of a word and for behind another character.
    """
    settings = copy.deepcopy(settings)
    vocabulary = settings["model"]["vocab"]
    unused = iter(sorted((id, entry) for entry, id in vocabulary.items() if entry.startswith("[unused")))
    words = {}

    def place(entry, description):
        if entry in vocabulary:
            return vocabulary[entry]
        id, old = next(unused)
        del vocabulary[old]
        vocabulary[entry] = id
        words[id] = description
        return id

    for character in emoji_of(texts):
        name = unicodedata.name(character, "symbol").lower().replace("-", " ").split()
        description = " ".join(word for word in name if word not in IDLE_WORDS) or " ".join(name)
        place(character, description)
        place("##" + character, description)
    for mask, word in MASKS.items():
        settings["added_tokens"].append({"id": place(mask, word), "content": mask, "single_word": False, "lstrip": False,
                                         "rstrip": False, "normalized": False, "special": False})
    settings["added_tokens"].sort(key=lambda token: token["id"])
    settings["model"]["vocab"] = dict(sorted(vocabulary.items(), key=lambda item: item[1]))
    return settings, words


def initialise(embeddings, words, tokenizer: Tokenizer):
    """Rows of `embeddings` [vocabulary, dim] for new entries, in place: the mean of their descriptions' rows."""
    unknown = tokenizer.token_to_id("[UNK]")
    for id, description in words.items():
        ids = [i for i in tokenizer.encode(description, add_special_tokens=False).ids if i != unknown]
        embeddings[id] = np.mean([embeddings[i] for i in ids], axis=0) if ids else embeddings[unknown]


def piece_shares(settings, texts):
    """{entry: share of pieces}: the mean of its share in `texts` and in English, word by word as often as it is used."""
    from wordfreq import get_frequency_dict
    tokenizer = Tokenizer.from_str(json.dumps(settings))
    shares = collections.Counter()
    words = get_frequency_dict("en", "large")
    for pieces_of, weights in ((texts, [1.0] * len(texts)), (list(words), list(words.values()))):
        counts = collections.Counter()
        for encoding, weight in zip(tokenizer.encode_batch(pieces_of, add_special_tokens=False), weights):
            for piece in encoding.tokens:
                counts[piece] += weight
        total = sum(counts.values())
        for piece, count in counts.items():
            shares[piece] += count / total / 2
    return shares


def is_basic(entry, added):
    """What stays however rare it is: special tokens, emoji, and single characters of Latin script and punctuation."""
    bare = entry.removeprefix("##")
    if entry in added or (len(bare) == 1 and is_symbol(bare)):
        return True
    return len(bare) == 1 and (ord(bare) < 0x250 or 0x2010 <= ord(bare) < 0x2070 or ord(bare) == 0x20AC)


def prune(settings, texts, size):
    """A tokenizer.json's object with the `size` entries that English needs most, numbered anew, and their old ids in order."""
    settings = copy.deepcopy(settings)
    vocabulary = settings["model"]["vocab"]
    added = {token["content"] for token in settings["added_tokens"]}
    shares = piece_shares(settings, texts)
    basic = [entry for entry in vocabulary if is_basic(entry, added)]
    others = sorted(set(vocabulary) - set(basic), key=lambda entry: (-shares[entry], vocabulary[entry]))
    kept = sorted(basic + others[:size - len(basic)], key=vocabulary.get)
    old_ids = [vocabulary[entry] for entry in kept]
    settings["model"]["vocab"] = {entry: id for id, entry in enumerate(kept)}
    for token in settings["added_tokens"]:
        token["id"] = settings["model"]["vocab"][token["content"]]
    for token in settings["post_processor"]["special_tokens"].values():  # TemplateProcessing's
        token["ids"] = [settings["model"]["vocab"][entry] for entry in token["tokens"]]
    return settings, old_ids
