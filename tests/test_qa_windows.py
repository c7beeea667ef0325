import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from qa.windows import MAX_QUESTION_TOKENS, MAX_SENTENCE_TOKENS, Window, pack_windows


def test_a_window_is_the_question_and_each_sentence_as_segments():
    token_ids, segments, positions, lexical = pack_windows([Window([7, 8], [[9], [10, 11]], [0.25, 0.5])])
    assert token_ids.tolist() == [[101, 7, 8, 102, 101, 9, 102, 101, 10, 11, 102]]
    assert segments.tolist() == [[0, 0, 0, 0, 1, 1, 1, 2, 2, 2, 2]]
    assert positions.tolist() == [[0, 1, 2, 3, 0, 1, 2, 0, 1, 2, 3]]
    assert lexical.tolist() == [[0.25, 0.5]]


tokens = st.lists(st.integers(1000, 30000), max_size=300)
windows = st.lists(
    st.builds(
        lambda question, sentences: Window(question, sentences, [0.5] * len(sentences)),
        st.lists(st.integers(1000, 30000), max_size=80),
        st.lists(tokens, min_size=1, max_size=4),
    ),
    min_size=1,
    max_size=3,
)


@given(windows)
def test_every_token_is_packed_once_and_the_rest_is_padding(drawn):
    token_ids, segments, positions, lexical = pack_windows(drawn)
    assert token_ids.shape == segments.shape == positions.shape
    assert token_ids.shape[1] == max(window.tokens for window in drawn)
    for row, window in enumerate(drawn):
        assert (segments[row] >= 0).sum() == window.tokens
        assert (segments[row, window.tokens :] == -1).all()
        assert (token_ids[row, window.tokens :] == 0).all()
        wanted = [window.question[:MAX_QUESTION_TOKENS], *(s[:MAX_SENTENCE_TOKENS] for s in window.sentences)]
        for segment, part in enumerate(wanted):
            at = np.flatnonzero(segments[row] == segment)
            assert token_ids[row, at].tolist() == [101, *part, 102]
            assert positions[row, at].tolist() == list(range(len(part) + 2))
        assert lexical[row, : len(window.sentences)].tolist() == [0.5] * len(window.sentences)
        assert (lexical[row, len(window.sentences) :] == 0).all()
