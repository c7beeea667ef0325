import math

import pytest

from evals.metrics import Share, auc, calibration_bins, expected_calibration_error, f1


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
