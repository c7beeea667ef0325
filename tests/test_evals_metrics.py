import math

import pytest

from evals.metrics import (
    Share,
    auc,
    augrc,
    aurc,
    brier,
    calibration_bins,
    character_precision,
    character_recall,
    coverage_at_risk,
    expected_calibration_error,
    f1,
    jaccard,
    ndcg,
    reciprocal_rank,
    risk_coverage,
    rouge_l,
    token_f1,
)


def test_a_share_knows_what_it_is_of():
    assert str(Share(3, 4)) == "0.75 (3/4)"
    assert Share(3, 4).value == 0.75
    assert str(Share(0, 0)) == "–"
    assert math.isnan(Share(0, 0).value)


@pytest.mark.parametrize(
    ("positives", "negatives", "expected"),
    [
        ([0.9, 0.8], [0.1, 0.2], 1.0),
        ([0.1, 0.2], [0.9, 0.8], 0.0),
        ([0.5], [0.5], 0.5),
        ([0.9, 0.5], [0.5, 0.1], 0.875),  # of four pairs three are right and one is a tie
        ([1.0, 3.0], [2.0], 0.5),
    ],
)
def test_auc_is_the_share_of_pairs_in_order(positives, negatives, expected):
    assert auc(positives, negatives) == expected


def test_auc_agrees_with_scikit_learn_where_many_values_tie():
    from sklearn.metrics import roc_auc_score

    positives = [((7 * number) % 13) / 10 for number in range(40)]
    negatives = [((5 * number) % 11) / 10 for number in range(60)]
    expected = roc_auc_score([1] * 40 + [0] * 60, positives + negatives)
    assert auc(positives, negatives) == pytest.approx(expected, abs=1e-12)


def test_auc_of_an_empty_class_is_not_a_number():
    assert math.isnan(auc([], [0.5]))
    assert math.isnan(auc([0.5], []))


def test_f1():
    assert f1(right=6, said=8, wanted=12) == pytest.approx(2 * 0.75 * 0.5 / 1.25)
    assert math.isnan(f1(0, 0, 0))


def test_calibration_error_of_hand_computed_bins():
    probabilities = [0.05, 0.05, 0.95, 1.0]
    outcomes = [False, True, True, True]
    assert calibration_bins(probabilities, outcomes) == [(0.05, 0.5, 2, 2.0), (0.975, 1.0, 2, 2.0)]
    assert expected_calibration_error(probabilities, outcomes) == pytest.approx((2 * 0.45 + 2 * 0.025) / 4)
    assert expected_calibration_error([1.0, 0.0], [True, False]) == 0.0
    # One that counts three times is the same as three.
    weights = [3.0 if number == 0 else 1.0 for number in range(4)]
    thrice = expected_calibration_error(probabilities[:1] * 2 + probabilities, outcomes[:1] * 2 + outcomes)
    assert expected_calibration_error(probabilities, outcomes, weights=weights) == pytest.approx(thrice)


@pytest.mark.parametrize(
    ("said", "wanted", "rouge", "squad"),
    [
        # What Google's rouge_score 0.1.2 and the SQuAD 2.0 evaluation script's formula give for these pairs.
        ("police killed the gunman", "police kill the gunman", 0.75, 0.666667),
        (
            "The talks took place in Mongolia, in 2018.",
            "Secret talks were held in Mongolia and elsewhere throughout the second half of 2018.",
            0.363636,
            0.4,
        ),
        ("It’s 5 o'clock — naïve!", "its five o clock", 0.363636, 0.0),
        ("a b c d e", "e d c b a", 0.2, 1.0),
        ("No-deal summit", "no deal-summit (Hanoi)", 0.857143, 0.0),
        ("The nine nights.", "nine nights", 0.8, 1.0),
        ("an apple a day", "the apple, the day!", 0.5, 1.0),
        ("", "something", 0.0, 0.0),
        ("", "", 0.0, 1.0),
    ],
)
def test_text_is_compared_as_the_official_scripts_do(said, wanted, rouge, squad):
    assert rouge_l(said, wanted) == pytest.approx(rouge, abs=1e-6)
    assert token_f1(said, wanted) == pytest.approx(squad, abs=1e-6)


def test_character_precision_leaves_out_what_is_neutral():
    assert character_precision([(0, 10)], [(5, 15)]) == 0.5
    assert character_precision([(0, 10), (0, 10)], [(5, 15)]) == 0.5
    assert character_precision([(0, 10)], [(5, 15)], neutral=[(0, 5)]) == 1
    assert character_precision([(0, 10)], [(0, 5)], neutral=[(0, 8)]) == 5 / 7
    assert math.isnan(character_precision([(0, 10)], [(20, 30)], neutral=[(0, 10)]))
    assert math.isnan(character_precision([], [(0, 1)]))


def test_character_recall_takes_of_each_group_the_alternative_that_is_cited_most():
    assert character_recall([(0, 10)], [[(0, 5), (0, 20)], [(20, 30)]]) == 5 / 15
    assert character_recall([(0, 10)], [[(0, 20), (50, 60)]]) == 0.5
    assert character_recall([], [[(0, 20), (50, 60)]]) == 0
    assert character_recall([(0, 60)], [[(0, 20)], [(50, 60)]]) == 1
    assert math.isnan(character_recall([(0, 10)], []))


def test_jaccard():
    assert jaccard([(0, 10)], [(5, 15)]) == 5 / 15
    assert jaccard([], []) == 1
    assert jaccard([(0, 1)], []) == 0


def test_risk_and_coverage_by_hand():
    confidences, wrong = [0.9, 0.8, 0.7, 0.6], [False, True, False, True]
    assert risk_coverage(confidences, wrong) == [(0.25, 0), (0.5, 0.5), (0.75, 1 / 3), (1, 0.5)]
    assert aurc(confidences, wrong) == pytest.approx((0 + 1 / 2 + 1 / 3 + 1 / 2) / 4)
    # Trapezoids under 0, 0, 1/4, 1/4, 2/4, each a quarter wide.
    assert augrc(confidences, wrong) == pytest.approx((0 + 1 / 8 + 1 / 4 + 3 / 8) / 4)
    assert augrc([0.5] * 4, wrong) == pytest.approx(1 / 4)  # nothing is known: a straight line to 2/4
    assert coverage_at_risk(confidences, wrong) == 0.25
    assert coverage_at_risk(confidences, wrong, most=0.5) == 1
    assert coverage_at_risk([0.5], [True]) == 0
    assert math.isnan(coverage_at_risk([], []))
    assert math.isnan(aurc([], []))
    assert math.isnan(augrc([], []))


def test_equally_sure_questions_are_answered_together():
    assert risk_coverage([0.9, 0.9, 0.1], [True, False, False]) == [(2 / 3, 0.5), (2 / 3, 0.5), (1, 1 / 3)]
    assert risk_coverage([0.9, 0.9], [True, False]) == risk_coverage([0.9, 0.9], [False, True])


def test_brier():
    assert brier([1, 0, 0.5], [True, False, True]) == pytest.approx(0.25 / 3)
    assert math.isnan(brier([], []))


def test_ranks():
    assert reciprocal_rank([False, True, True]) == 0.5
    assert reciprocal_rank([False]) == 0
    assert ndcg([True, False], 1) == 1
    assert ndcg([False, True], 1) == pytest.approx(1 / math.log2(3))
    assert ndcg([True, False, True], 2) == pytest.approx((1 + 0.5) / (1 + 1 / math.log2(3)))
    assert ndcg([False] * 10 + [True], 1) == 0
    assert math.isnan(ndcg([False], 0))
