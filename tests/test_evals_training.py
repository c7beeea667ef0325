import random
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from evals.questions import LabelledQuestion
from evals.training.examples import Sampler, examples_of
from evals.training.export import export
from evals.training.loop import Plan, loss_of, train
from evals.training.network import Batch, EvidenceNetwork, Scores
from index.errors import QAError
from index.load import load_text
from index.minilm import load_tokenizer
from qa.model import EvidenceModel, Numbers
from qa.windows import pack_windows

PLAN = Plan(steps=4, warm_up=1, batch_tokens=400)
TEXT = "The ferry stopped in 1990. Its engine had failed twice. The council paid for the pier. Bees sleep at night."


def question(number, asked, nuggets, text=TEXT, **fields):
    document = load_text(text, title="Ferry", source=f"ferry-{number}")

    def spans(quotes):
        return tuple((text.index(quote), text.index(quote) + len(quote)) for quote in quotes)

    its_nuggets = tuple(spans(nugget) for nugget in nuggets)
    return LabelledQuestion(str(number), document, asked, "fact", (), its_nuggets, (), **fields)


@pytest.fixture(scope="module")
def examples():
    start = TEXT.index("1990")
    asked = [
        question(1, "When did the ferry stop?", [["The ferry stopped in 1990."]], short_answer=(start, start + 4)),
        question(2, "Who paid for the pier?", [["The council paid for the pier."]]),
        question(3, "Who built the ferry?", []),
        question("2-twin", "Who paid for the pier?", [], TEXT.replace("council paid for the", "council opened a"), twin_of="2"),
    ]
    return examples_of(asked, "ferry", load_tokenizer())


@pytest.fixture(scope="module")
def untrained():
    torch.manual_seed(1)
    return EvidenceNetwork().eval()


def batch_of(samples):
    return Batch(*map(torch.from_numpy, pack_windows([sample.window for sample in samples])))


def whole(example):
    """The example's whole text as one window."""
    everything = list(range(len(example.text.sentences)))
    return Sampler([example], 254, random.Random(0))._sample(example, example.text, everything, example.lexical)


def test_with_its_gates_shut_the_untrained_network_computes_minilms_similarities(examples, embedder):
    network = EvidenceNetwork().eval()
    with torch.no_grad():
        for layer in network.layers:
            layer.own.fill_(50.0)
        network.before_scale.zero_()
        network.lexical_scale.zero_()
        scores = network(*batch_of([whole(examples[0])]))
    sentences = [TEXT[slice(*span)] for span in ((0, 26), (27, 55), (56, 86), (87, 107))]
    vectors = np.array([embedder.encode_question(text) for text in [examples[0].question, *sentences]])
    assert scores.evidence[0].numpy() == pytest.approx(14.0 * (vectors[1:] @ vectors[0]) - 6.0, abs=0.02)


def test_padding_changes_nothing(untrained, examples):
    short = whole(examples[0])
    short = replace(short, window=replace(short.window, sentences=short.window.sentences[:2], lexical=short.window.lexical[:2]))
    with torch.no_grad():
        alone, beside = untrained(*batch_of([short])), untrained(*batch_of([short, whole(examples[1])]))
    assert beside.evidence[0, :2].numpy() == pytest.approx(alone.evidence[0].numpy(), abs=1e-3)
    assert beside.answered[0].item() == pytest.approx(alone.answered[0].item(), abs=1e-3)
    assert (beside.evidence[0, 2:] < -1000).all()


def test_labels_are_places_in_the_window(examples):
    sample = whole(examples[0])
    assert (sample.nuggets, sample.answered, sample.ignored) == ([[0]], True, set())
    first, last = sample.short_answer
    token_ids, segments, _, _ = pack_windows([sample.window])
    assert load_tokenizer().decode(token_ids[0, first : last + 1].tolist()) == "1990"
    assert set(segments[0, first : last + 1]) == {1}
    assert not whole(examples[2]).answered


def test_a_question_and_its_twin_know_one_another_and_differ_in_the_answer(examples):
    original, twin = examples[1], examples[3]
    assert original.twin is twin and twin.twin is original
    drawn = [Sampler(examples, 200, random.Random(seed)).draw(original) for seed in range(30)]
    pairs = [group for group in drawn if len(group) == 2]
    assert 10 < len(pairs) < 30
    assert all([sample.answered for sample in group] == [True, False] for group in pairs)


def test_evidence_that_is_taken_out_leaves_a_window_that_does_not_answer(examples):
    sampler = Sampler(examples, 200, random.Random(1))
    evidence = examples[0].text.sentences[0]
    drawn = [sample for _ in range(200) for sample in sampler.draw(examples[0])]
    assert {sample.answered for sample in drawn} == {True, False}
    for sample in drawn:
        assert sample.answered == (evidence in list(sample.window.sentences))
        assert sum(map(len, sample.window.sentences)) <= 200


def scores(evidence, answered):
    tokens = torch.zeros(len(evidence), 40)
    return Scores(torch.tensor(evidence), torch.tensor(answered), tokens, tokens)


def test_the_loss_prefers_what_is_right(examples):
    right, wrong = [3.0, -3.0, -3.0, -3.0], [-3.0, 3.0, -3.0, -3.0]
    answers, does_not = whole(examples[0]), whole(examples[2])
    assert loss_of(scores([right], [3.0]), [answers], []) < loss_of(scores([wrong], [3.0]), [answers], [])
    assert loss_of(scores([right], [3.0]), [answers], []) < loss_of(scores([right], [-3.0]), [answers], [])
    # Where nothing answers, which sentence comes closest is nobody's fault.
    assert loss_of(scores([right], [-3.0]), [does_not], []) == loss_of(scores([wrong], [-3.0]), [does_not], [])
    pair = [answers, does_not]
    apart, level = scores([right, right], [1.0, -1.0]), scores([right, right], [0.0, 0.0])
    assert loss_of(apart, pair, [(0, 1)]) - loss_of(apart, pair, []) < loss_of(level, pair, [(0, 1)]) - loss_of(level, pair, [])


def test_a_run_learns_and_can_be_taken_up(examples, tmp_path):
    losses = []
    plan = replace(PLAN, steps=12, learning_rate=1e-4)
    file = tmp_path / "run"
    network = train(examples, {"ferry": 4.0}, plan, file, lambda step, loss: losses.append(loss))
    assert len(losses) == 12
    assert np.mean(losses[-3:]) < np.mean(losses[:3])
    again = train(examples, {"ferry": 4.0}, plan, file, lambda step, loss: losses.append(loss))
    assert len(losses) == 12  # the run was finished
    sample = whole(examples[0])
    with torch.no_grad():
        assert torch.equal(network(*batch_of([sample])).evidence, again(*batch_of([sample])).evidence)
    with pytest.raises(QAError, match="belongs to a run with another plan"):
        train(examples, {"ferry": 4.0}, replace(plan, seed=2), file, lambda step, loss: None)


def test_the_exported_file_scores_as_the_network_does(untrained, examples):
    data = export(untrained)
    assert len(data) <= 25_000_000
    assert str(Path.cwd()).encode() not in data
    model = EvidenceModel(data, Numbers("", 1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0))
    for example in examples:
        sample = whole(example)
        with torch.no_grad():
            expected = untrained(*batch_of([sample]))
        found = model.read(sample.window)
        assert found.evidence == pytest.approx(expected.evidence[0].numpy(), abs=0.5)
        assert found.answered == pytest.approx(expected.answered[0].item(), abs=0.2)
