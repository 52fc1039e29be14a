"""What docs/scaling.md shows is what is printed, and what it names exists."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator

import pytest

import pytest_parallel_lab
from pytest_parallel_lab.fixtures.scaling import OPTIONS
from pytest_parallel_lab.scaling.plan import ScalingPlan
from tests.conftest import Run
from tests.test_docs import ROOT, blocks_of

PAGE = (ROOT / "docs" / "scaling.md").read_text()


def words(text: str) -> list[str]:
    """A text without figures, bars and warnings, all of which differ from run to run."""
    text = re.sub(r"^warning:.*(\n  .*)*", "", text, flags=re.MULTILINE)
    text = re.sub(r", \d+ times further from this than noise\s+explains", "", text)
    return re.sub(r"\[[^\]]*\]|\d[\d.e+-]*|[█▒│*]|-", "", text).split()


@pytest.fixture
def two_cores() -> Iterator[None]:
    """Two cores to use, as where the example was run."""
    if not hasattr(os, "sched_getaffinity") or len(os.sched_getaffinity(0)) < 2:
        pytest.skip("this machine has no two cores to use")
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, sorted(before)[:2])
    yield
    os.sched_setaffinity(0, before)


@pytest.mark.usefixtures("two_cores")
def test_the_example_prints_what_is_shown(
    pytester: pytest.Pytester, run_pytest: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "100")
    example = next(text for language, text in blocks_of("docs/scaling.md") if language == "python")
    assert "rounds=7" in example
    assert "> 0.7" in example
    quick = example.replace("rounds=7", "rounds=7, seconds=0").replace("> 0.7", "> 0")  # however busy the machine is
    pytester.makepyfile(test_sleepers=quick)
    result = run_pytest("--parallel-project=2,3,1000")
    result.assert_outcomes(passed=1)
    told = result.stdout.str()
    for shown in [text for language, text in blocks_of("docs/scaling.md") if language == "text"]:
        sentences = [
            sentence for sentence in re.split(r"\n(?=[^ ])", shown) if not re.search("warning:|rounds\n", sentence)
        ]
        assert len(sentences) > 5
        for sentence in sentences:
            if re.search(r"\S {2,}\S", sentence):  # a table, whose columns go where the width of figures lets them
                assert set(words(sentence)) <= set(words(told)), sentence
            else:
                assert " ".join(words(sentence)) in " ".join(words(told)), sentence


def test_every_option_of_the_fixture_is_explained() -> None:
    for name in (*OPTIONS, "reference", "arguments", "rtol", "atol", "size", "unit"):
        assert f"`{name}`" in PAGE, name
    assert set(ScalingPlan.__dataclass_fields__) == OPTIONS
    assert f"| {ScalingPlan().rounds} |" in PAGE
    assert f"| {ScalingPlan().seconds:g} |" in PAGE
    assert f"| {ScalingPlan().narrow} |" in PAGE


def test_names_that_it_mentions_exist() -> None:
    curve = pytest_parallel_lab.ScalingCurve
    for method in re.findall(r"\| `(\w+)\(p\)` \|", PAGE):
        assert callable(getattr(curve, method)), method
    for method in re.findall(r"curve\.(\w+)\(", PAGE):
        assert callable(getattr(curve, method)), method
    for name in ("Mismatch", "ReturnedEarly", "NotEnoughPoints", "measure_scaling", "measure_communication"):
        assert name in PAGE
        assert hasattr(pytest_parallel_lab, name)
    for command in re.findall(r"`python -m ([\w.]+)`", PAGE):
        assert (ROOT / (command.replace(".", "/") + ".py")).exists(), command
