from evals.reliability import reliability_plot


def test_a_bar_is_as_long_as_the_share_and_marked_where_it_should_end():
    lines = reliability_plot([0.25, 0.25, 0.95], [True, False, True]).splitlines()
    assert [line.split()[:3] for line in lines[1:]] == [["0.25", "0.50", "2"], ["0.95", "1.00", "1"]]
    first, second = (line[21:] for line in lines[1:])
    assert first.index("|") == 10
    assert first.count("█") == 19  # 20 less the one that the mark stands on
    assert second.rstrip() == "█" * 38 + "|" + "█"


def test_weights_count():
    assert "0.75" in reliability_plot([0.5, 0.5], [True, False], [3.0, 1.0])
