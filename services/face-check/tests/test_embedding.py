import math

from hypothesis import assume, given
from hypothesis import strategies as st

from shuanglu_face_check.domain.embedding import Embedding, cosine

numbers = st.floats(min_value=-100, max_value=100)
vectors = st.lists(numbers, min_size=4, max_size=4).map(tuple)


@given(vectors, vectors)
def test_similarity_is_the_same_from_both_sides_and_between_minus_1_and_1(one: Embedding, other: Embedding):
    similarity = cosine(one, other)
    assume(similarity is not None)
    assert similarity is not None
    assert -1 <= similarity <= 1
    assert math.isclose(similarity, cosine(other, one) or 0.0, abs_tol=1e-12)


@given(vectors, st.floats(min_value=0.01, max_value=100))
def test_length_does_not_matter(vector: Embedding, factor: float):
    assume(max(abs(value) for value in vector) > 1e-3)
    assert math.isclose(cosine(vector, tuple(value * factor for value in vector)) or 0.0, 1, abs_tol=1e-9)


def test_opposite_directions_are_minus_1():
    assert cosine((3.0, 4.0), (-3.0, -4.0)) == -1


@given(vectors, st.sampled_from([math.nan, math.inf, -math.inf]), st.integers(min_value=0, max_value=3))
def test_a_number_that_is_not_finite_gives_no_similarity(vector: Embedding, bad: float, place: int):
    broken = (*vector[:place], bad, *vector[place + 1 :])
    assert cosine(vector, broken) is None
    assert cosine(broken, vector) is None


def test_nothing_to_compare_gives_no_similarity():
    assert cosine((0.0, 0.0), (1.0, 0.0)) is None
    assert cosine((), ()) is None
    assert cosine((1.0,), (1.0, 0.0)) is None


def test_numbers_too_large_to_multiply_give_no_similarity():
    assert cosine((1e200, 0.0), (1e200, 0.0)) is None
