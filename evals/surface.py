"""What can be guessed about a question without reading: a check on the labelled questions, not on any reader.

In a first draft of the written questions, those without an answer shared twice as many words with their passage as the others:
a classifier that saw no meaning at all told them apart with an AUC of 0.9, and a reader trained on them would have learnt
that instead of reading.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from qa.lexical import stems

__all__ = ["content_stems", "surface_auc", "surface_features"]

OPENINGS = "who what when where why how which did does is was do are has any can name in would were".split()
FOLDS = 5
SHORTEST = 4
"""Letters of a stem that may count as content."""
_EVERYDAY = frozenset(
    stems(
        [
            "about after before could does from have into more most much only other over same some that them "
            "they this those very were what when which who will with would your been being very just also"
        ]
    )[0]
)


def content_stems(text: str) -> frozenset[str]:
    """Returns the stems of a text's words, without everyday ones and those of fewer than four letters."""
    return frozenset(word for word in stems([text])[0] if len(word) >= SHORTEST) - _EVERYDAY


def surface_features(question: str, sentences: Sequence[str]) -> list[float]:
    """Returns what can be seen of a question and its passage without understanding either.

    Words shared with the passage, and with the closest sentence, as shares of the question's words; the number shared with
    the closest sentence; length in words and characters; a question mark; capitalised words; a figure; and for each of
    twenty openings whether the question begins with it and whether it holds it.
    """
    asked = set(stems([question])[0])
    by_sentence = [set(words) for words in stems(list(sentences))]
    shared = [len(asked & words) for words in by_sentence]
    words = question.lower().split()
    whole = set().union(*by_sentence)
    return [
        len(asked & whole) / max(1, len(asked)),
        max(shared) / max(1, len(asked)),
        max(shared),
        len(words),
        len(question),
        question.endswith("?"),
        sum(word[0].isupper() for word in question.split()[1:]),
        any(character.isdigit() for character in question),
        *(words[0] == opening for opening in OPENINGS),
        *(opening in words for opening in OPENINGS),
    ]


def surface_auc(passages: Sequence[tuple[Sequence[str], Sequence[tuple[str, bool]]]]) -> float:
    """Returns how well surface features tell answerable questions from others: 0.5 is chance, 1 a complete giveaway.

    Gradient-boosted trees, cross-validated in five folds by passage.

    Args:
        passages: Each passage's sentences, and its questions with whether they are answerable.

    Returns:
        The area under the ROC curve, or NaN for fewer than five passages.
    """
    from sklearn.ensemble import GradientBoostingClassifier
    from sklearn.metrics import roc_auc_score
    from sklearn.model_selection import GroupKFold, cross_val_predict

    if len(passages) < FOLDS:
        return float("nan")
    features: npt.NDArray[np.float64] = np.array(
        [surface_features(question, sentences) for sentences, asked in passages for question, _ in asked], dtype=np.float64
    )
    labels = np.array([answerable for _, asked in passages for _, answerable in asked])
    groups = np.array([number for number, (_, asked) in enumerate(passages) for _ in asked])
    model = GradientBoostingClassifier(n_estimators=60, max_depth=2, random_state=0)
    guessed = cross_val_predict(model, features, labels, groups=groups, cv=GroupKFold(FOLDS), method="predict_proba")[:, 1]
    return float(roc_auc_score(labels, guessed))
