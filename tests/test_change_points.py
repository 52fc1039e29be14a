"""Change points: none in series without a change, and those that were planted."""

from __future__ import annotations

import math
import random
from collections.abc import Callable

import pytest

from pytest_parallel_lab.model.change_points import LEAST, change_points
from pytest_parallel_lab.model.errors import BadSetting

Noise = Callable[[random.Random], float]
NOISES: dict[str, Noise] = {
    "normal": lambda draw: draw.gauss(0, 0.02),
    "skew": lambda draw: draw.expovariate(1 / 0.03),
    "outliers": lambda draw: draw.gauss(0, 0.01) + (0.4 if draw.random() < 0.05 else 0),
    "heavy tails": lambda draw: 0.01 * draw.gauss(0, 1) / math.sqrt(draw.gammavariate(1, 1)),
}


def series(noise: str, levels: list[tuple[int, float]], seed: int) -> list[float]:
    draw = random.Random(seed)
    return [level + NOISES[noise](draw) for count, level in levels for _ in range(count)]


def test_series_without_a_change_are_hardly_ever_divided() -> None:
    divided = [bool(change_points(series(noise, [(30, 0.0)], seed))) for noise in NOISES for seed in range(200)]
    assert sum(divided) <= 17  # of 800 at 1 %: more has a chance below 1 in 300


def far_from_the_mean(values: list[float]) -> bool:
    """The rule that is often used in place of a test: some value is 3 standard deviations from the mean."""
    mean = sum(values) / len(values)
    deviation = math.sqrt(sum((one - mean) ** 2 for one in values) / (len(values) - 1))
    return any(abs(one - mean) > 3 * deviation for one in values)


def test_what_takes_an_outlier_for_a_change_is_caught_by_the_same_series() -> None:
    found = [series("outliers", [(30, 0.0)], seed) for seed in range(200)]
    assert sum(map(far_from_the_mean, found)) > 50
    assert sum(bool(change_points(one)) for one in found) <= 6


@pytest.mark.parametrize("noise", NOISES)
def test_a_step_is_found_where_it_is(noise: str) -> None:
    found = [change_points(series(noise, [(18, 0.0), (12, 0.3)], seed)) for seed in range(40)]
    assert all(found)
    assert sum(any(abs(place - 18) <= 1 for place in places) for places in found) >= 38


def test_a_step_that_came_just_now_is_found_as_soon_as_it_can_be() -> None:
    found = [change_points(series("normal", [(26, 0.0), (LEAST, 0.3)], seed)) for seed in range(20)]
    assert all(places == (26,) for places in found)
    early = [change_points(series("normal", [(27, 0.0), (LEAST - 1, 0.3)], seed)) for seed in range(20)]
    assert not any(27 in places for places in early)


def test_steps_up_and_down_are_all_found() -> None:
    found = [change_points(series("skew", [(15, 0.0), (15, 0.3), (15, 0.1)], seed)) for seed in range(20)]
    assert sum(len(places) == 2 for places in found) >= 18
    assert all(any(abs(place - step) <= 1 for place in places) for places in found for step in (15, 30))


def test_series_that_are_too_short_or_constant_have_no_change() -> None:
    assert change_points([]) == ()
    assert change_points([1.0, 2.0] * 3) == ()
    assert change_points([1.0] * (2 * LEAST - 1)) == ()
    assert change_points([1.0] * 50) == ()


def test_the_same_series_gives_the_same_changes() -> None:
    one = series("normal", [(20, 0.0), (20, 0.02)], 3)
    assert change_points(one) == change_points(one)
    assert change_points([math.exp(value) for value in one]) == change_points([2 * math.exp(value) for value in one])


def test_what_means_nothing_is_refused() -> None:
    with pytest.raises(BadSetting, match="series: value 2 is nan; it must be a finite number"):
        change_points([1.0, math.nan])
    with pytest.raises(BadSetting, match=r"level is 0.0001; 999 permutations tell no less than 0.001"):
        change_points([1.0], level=0.0001)
