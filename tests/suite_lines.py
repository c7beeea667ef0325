"""A small gold file on a small document, for the suite's tests."""

import hashlib

RULES = """House Rules

A guest may stay for nine nights. Longer stays need a letter from the warden. Dogs are welcome, but not in the kitchen.

Money

The key costs two pounds. It is paid back when the key comes home.

The rent is due on Fridays because the office closes early on Saturdays.
"""


def line(**fields):
    """A gold line on the house rules, answerable unless the fields say otherwise."""
    whole = {
        "id": "nights",
        "document": "rules.txt",
        "sha256": hashlib.sha256(RULES.encode()).hexdigest(),
        "question": "How long may a guest stay?",
        "category": "fact",
        "cluster": "nights",
        "split": "dev",
        "answerable": True,
        "nuggets": [
            {
                "says": "nine nights",
                "evidence": [["A guest may stay for nine nights."]],
                "accept": [r"\b(nine|9) nights"],
                "reject": [r"\bten nights"],
            }
        ],
        "allowed": ["Longer stays need a letter from the warden."],
        "reference": "At most nine nights.",
        "author": "ed",
    }
    return whole | fields


def without_answer(**fields):
    """A gold line that the house rules do not answer."""
    return line(**({"answerable": False, "nuggets": [], "allowed": [], "reference": ""} | fields))


LINES = [
    line(),
    line(
        id="key",
        question="What happens to the money for the key?",
        cluster="key",
        category="multi-evidence",
        nuggets=[
            {"says": "two pounds", "evidence": [["The key costs two pounds."]], "accept": ["two pounds"]},
            {"says": "paid back", "evidence": [["It is paid back when the key comes home."]], "accept": ["paid back|returned"]},
        ],
        allowed=[],
        reference="Two pounds are taken and returned later.",
    ),
    line(
        id="rent",
        question="Why is the rent due on Fridays?",
        cluster="rent",
        category="why",
        nuggets=[
            {
                "says": "the office closes early",
                "evidence": [["The rent is due on Fridays because the office closes early on Saturdays."]],
                "accept": ["closes early"],
            }
        ],
        allowed=[],
        reference="Because the office closes early on Saturdays.",
    ),
    without_answer(id="cats", question="Which bus stops in front of the house?", cluster="cats", category="unanswerable-near"),
    without_answer(
        id="kitchen",
        question="Why are dogs welcome in the kitchen?",
        cluster="kitchen",
        category="false-premise",
        correction=["Dogs are welcome, but not in the kitchen."],
    ),
    without_answer(id="nothing", question=" ?! ", cluster="nothing", category="empty"),
]
