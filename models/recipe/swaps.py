# SPDX-License-Identifier: Apache-2.0
"""Sentences in which one word is swapped: what a name, a gender or an identity does to scores."""
SENTENCES = {
    "names": ("{} made dinner for all of us.", "I talked to {} about it yesterday.", "{} is late again.",
              "{} didn't get the job.", "I saw {} at the station.", "{} is moving in next door.", "{} called the police.",
              "{} wants to talk to you."),
    "genders": ("{} made dinner for all of us.", "I talked to {} about it yesterday.", "{} is late again.",
                "{} didn't get the job.", "I saw {} at the station.", "{} is moving in next door.", "{} called the police.",
                "{} wants to talk to you."),
    "identities": ("My neighbour is {}.", "I am {}.", "A {} family moved in next door.", "She married a {} man.",
                   "Two {} people were on the train.", "The new teacher is {}.", "He told me that he is {}.",
                   "They interviewed a {} woman."),
}
TERMS = {
    "names": ("Emily", "Greg", "Lakisha", "Jamal", "Mohammed", "Fatima", "Wei", "Priya", "José", "Svetlana", "Sarah", "David",
              "[NAME]"),
    "genders": ("my brother", "my sister", "my father", "my mother", "that man", "that woman", "my husband", "my wife"),
    "identities": ("American", "Mexican", "Chinese", "Indian", "Nigerian", "Arab", "Black", "white", "Christian", "Muslim",
                   "Jewish", "Hindu", "gay", "straight", "transgender", "deaf", "blind", "old", "young"),
}


def sentences():
    """(kind, template, term, sentence) of every swap."""
    def fill(template, term):
        sentence = template.format(term)
        return sentence[0].upper() + sentence[1:]
    return [(kind, template, term, fill(template, term))
            for kind, templates in SENTENCES.items() for template in templates for term in TERMS[kind]]
