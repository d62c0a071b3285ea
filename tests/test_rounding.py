"""Numbers about people are rounded so that what two of them differ by says nothing of one person."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from clv_helpers.charts.rounding import people_text, rounded, share_text


@given(st.floats(0.01, 1e12), st.integers(11, 10**7))
def test_a_measure_is_at_most_half_of_five_people_off(value: float, people: int):
    assert abs(rounded([value], [people], 11)[0] - value) <= value * 2.5 / people * (1 + 1e-6) + 1e-9


@given(st.integers(11, 10**9))
def test_a_count_of_people_goes_to_the_nearest_five(count: int):
    shown = rounded(np.array([count]), [count], 11)[0]
    assert shown % 5 == 0 and abs(shown - count) <= 2


@given(st.floats(-1e9, 1e9), st.integers(1, 10**6))
def test_the_step_is_at_least_two_people_of_five(value: float, people: int):
    """One, two and five are the steps of a decade: the next lower is never under two fifths."""
    step = rounded([value + 0.0], [people], 11)[0]
    again = rounded([step], [people], 11)[0]
    assert again == pytest.approx(step, rel=5 / people + 1e-9)


def test_nothing_is_rounded_where_everyone_may_be_seen():
    assert rounded([1.23, 7], [1, 1], 1).tolist() == [1.23, 7]


def test_missing_stays_missing_and_nothing_stays_nothing():
    shown = rounded([np.nan, 0.0, -44_540.0], [20, 20, 60], 11)
    assert np.isnan(shown[0]) and shown[1] == 0 and shown[2] == -44_000


def test_texts():
    assert [people_text(n, 11) for n in (0, 1, 10, 11, 1_868)] == ["0", "<11", "<11", "10", "1,870"]
    assert share_text(1, 584, 11) == "<11 of 585"
    assert share_text(580, 584, 11, ".0%") == "all but <11 of 585"
    assert share_text(0, 0, 11) == "nan%"
