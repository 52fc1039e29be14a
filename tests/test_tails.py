"""How far above a sample a value is, where its tail is taken to go on as it is."""

from __future__ import annotations

import math
import random
from collections.abc import Callable

import pytest

from pytest_parallel_lab.model.errors import BadSetting
from pytest_parallel_lab.model.tails import p_beyond

Draw = Callable[[random.Random], float]


def rate(draw_one: Draw, level: float, count: int, trials: int = 4000) -> float:
    """How often a value from where the sample is has a p-value at most as large as the level."""
    draw = random.Random(count)
    found = (p_beyond(draw_one(draw), [draw_one(draw) for _ in range(count)]) for _ in range(trials))
    return sum(one <= level for one in found) / trials


@pytest.mark.parametrize("count", [8, 12, 30])
def test_it_is_exact_for_exponential_tails(count: int) -> None:
    assert rate(lambda draw: draw.expovariate(1.0), 0.02, count) == pytest.approx(0.02, abs=0.007)  # three deviations


@pytest.mark.parametrize("draw_one", [lambda draw: draw.gauss(0, 1), lambda draw: draw.random()])
def test_it_is_less_for_lighter_tails(draw_one: Draw) -> None:
    assert rate(draw_one, 0.02, 12) < 0.01


def test_it_is_more_for_what_is_rare_and_far_away() -> None:
    assert rate(lambda draw: draw.gauss(0, 1) + (50 if draw.random() < 0.05 else 0), 0.001, 12) > 0.01


def test_values_within_the_sample_have_their_rank() -> None:
    sample = [float(i) for i in range(1, 13)]
    assert p_beyond(12.0, sample) == pytest.approx(2 / 13)
    assert p_beyond(0.0, sample) == 1.0
    assert p_beyond(12.5, sample) == pytest.approx(7 / 13 * (1 + 6.5 / 21) ** -6)


def test_a_sample_without_a_spread_has_no_tail() -> None:
    assert p_beyond(2.0, [1.0] * 12) == pytest.approx(1 / 13)


def test_what_means_nothing_is_refused() -> None:
    with pytest.raises(BadSetting, match="sample: 7 values are too few to tell of a tail; 8 are needed"):
        p_beyond(1.0, [1.0] * 7)
    with pytest.raises(BadSetting, match="value: value 1 is nan"):
        p_beyond(math.nan, [1.0] * 8)
