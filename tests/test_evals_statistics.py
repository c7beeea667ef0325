import math

import pytest

from evals.statistics import bootstrap, holm, mcnemar, questions_needed, resampled_means, sign_flip, wilson


def test_wilson_agrees_with_published_values():
    # Newcombe 1998, table I, method 3: 81 of 263 and 0 of 20.
    assert wilson(81, 263) == pytest.approx((0.2553, 0.3662), abs=5e-5)
    assert wilson(0, 20) == pytest.approx((0, 0.1611), abs=5e-5)
    assert all(math.isnan(bound) for bound in wilson(0, 0))


def test_a_bootstrap_of_equal_values_has_no_width():
    assert bootstrap([0.5] * 8, list("abcdefgh")) == (0.5, 0.5)


def test_a_bootstrap_draws_whole_clusters():
    values = [0.0] * 10 + [1.0] * 10
    alone = bootstrap(values, [str(number) for number in range(20)])
    together = bootstrap(values, ["low"] * 10 + ["high"] * 10)
    assert alone.low > 0.2
    assert alone.high < 0.8
    assert together == (0.0, 1.0)


def test_a_bootstrap_is_seeded():
    values, clusters = [0.1, 0.9, 0.4, 0.7], list("abcd")
    assert bootstrap(values, clusters) == bootstrap(values, clusters)
    assert all(math.isnan(bound) for bound in bootstrap([], []))


def test_one_cluster_has_no_interval():
    assert all(math.isnan(bound) for bound in bootstrap([0.1, 0.9], ["a", "a"]))


def test_a_clear_difference_is_told_from_chance_and_none_is_not():
    clusters = [str(number) for number in range(30)]
    assert sign_flip([0.2, 0.3, 0.1] * 10, clusters) < 0.001
    assert sign_flip([0.2, -0.2] * 15, clusters) > 0.9
    assert sign_flip([0.0] * 30, clusters) == 1
    assert sign_flip([], []) == 1


def test_sign_flips_are_counted_exactly_where_there_are_few_clusters():
    assert sign_flip([1.0], ["a"]) == 1
    assert sign_flip([1.0, 0.5, 0.2], list("abc")) == 2 / 8
    assert sign_flip([1.0] * 6, list("abcdef")) == 2 / 64
    assert sign_flip([1.0] * 12, ["a"] * 12) == 1  # one cluster says no more than one question
    # By hand: of the eight sums of ±3 ±1 ±1 those as far from 0 as 3 - 1 + 1 are ±5, and ±3 twice.
    assert sign_flip([3.0, -1.0, 1.0], list("abc")) == 6 / 8


def test_mcnemar_is_the_sign_test_of_those_that_changed():
    assert mcnemar(0, 0) == 1
    assert mcnemar(5, 5) == 1
    assert mcnemar(6, 0) == pytest.approx(2 / 2**6)
    assert mcnemar(1, 8) == pytest.approx(2 * (1 + 9) / 2**9)


def test_holm_multiplies_and_never_falls():
    # By hand, smallest first: 4 x 0.005, 3 x 0.01, 2 x 0.03, and 1 x 0.04, which may not be below the one before.
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert holm([0.5, 0.9]) == [1.0, 1.0]


def test_questions_needed():
    # A deviate of 1.96 has to become one of 1.96 + 0.84, and of 2.638 + 0.84 where the smallest of six must be below 0.05 / 6.
    assert questions_needed(100, 0.05, 1) == math.ceil(100 * (2.8016 / 1.95996) ** 2)
    assert questions_needed(100, 0.05, 6) == math.ceil(100 * ((2.63826 + 0.84162) / 1.95996) ** 2)
    assert questions_needed(100, 1.0, 6) is None


def test_resampled_means_are_drawn_alike_for_the_same_clusters():
    clusters = list("aabbccd")
    easy, hard = [1.0, 1, 0, 1, 1, 1, 0], [0.5, 0.5, 0, 0.5, 0.5, 0.5, 0]
    assert resampled_means(hard, clusters) == pytest.approx(0.5 * resampled_means(easy, clusters))
    assert len(resampled_means([1.0], ["a"])) == 0
