import math
import random

from evals.surface import surface_auc, surface_features

WORDS = "ferry council pier harbour engine ticket winter bridge school market river garden doctor letter tram storm".split()


def passages(question):
    """Twenty passages of ten questions each; `question` makes one of its passage's words and whether it is answerable."""
    rng = random.Random(5)
    made = []
    for _ in range(20):
        words = rng.sample(WORDS, 8)
        asked = [(question(rng, words, answerable), answerable) for answerable in (True, False) * 5]
        made.append(([f"The {a} and the {b}." for a, b in zip(words[::2], words[1::2], strict=True)], asked))
    return made


def test_a_giveaway_is_seen():
    def repeats_the_text_if_unanswerable(rng, words, answerable):
        return f"What about the {rng.choice(words)} {'thing' if answerable else rng.choice(words)}?"

    assert surface_auc(passages(repeats_the_text_if_unanswerable)) > 0.85


def test_without_one_there_is_nothing_to_see():
    def alike(rng, words, answerable):
        return f"{rng.choice(['What', 'Why'])} about the {rng.choice(words)} {rng.choice(WORDS)}?"

    assert 0.35 < surface_auc(passages(alike)) < 0.65


def test_too_few_passages_say_nothing():
    assert math.isnan(surface_auc(passages(lambda rng, words, answerable: "Why?")[:4]))


def test_features_of_a_question():
    features = surface_features("Why did the Ferry stop in 1990?", ["The ferry stopped.", "Bees sleep."])
    assert features[:8] == [2 / 5, 2 / 5, 2, 7, 31, True, 1, True]  # of why, did, ferri, stop, 1990
