"""The measuring of a gate: launch after launch of both sides, until all is decided or the time is over."""

from __future__ import annotations

import os
import random
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from pytest_parallel_lab.gate.checkout import Checkout
from pytest_parallel_lab.gate.lockstep import Terms, measure
from pytest_parallel_lab.gate.side import Side, SideLost
from pytest_parallel_lab.gate.tally import BASELINE, CURRENT, Asked, Tally
from pytest_parallel_lab.keeper.client import KeeperClient
from pytest_parallel_lab.model.gate_decisions import LOOKS_AT

_PLANNED_LAUNCHES = 24
_MOST_LAUNCHES = 48
_LEAST_SHARE_S, _MOST_SHARE_S = 0.3, 5.0
_FIRST_OVERHEAD_S = 2.0  # of a launch, until it is known

Show = Callable[[str], None]


@dataclass(frozen=True)
class How:
    """How sides are started, and how long all may take.

    Attributes:
        words: pytest's arguments, without files: sides collect those of the tests that they are to measure.
        directory: where pytest runs, relative to the root.
        as_module: whether pytest was started as ``python -m pytest``.
        seconds: for every test.
        seed: of all orders.
    """

    words: tuple[str, ...]
    directory: Path = Path()
    as_module: bool = False
    seconds: float = 60.0
    seed: int = 0


class Contest:
    """Measures two versions side by side.

    Attributes:
        loads: the machine's load average at every launch.
    """

    def __init__(self, checkouts: Mapping[str, Checkout], how: How, tally: Tally, show: Show) -> None:
        """Prepare it.

        Args:
            checkouts: by side.
            how: sides are started.
            tally: of the tests; it says when all is decided.
            show: told how far it is.
        """
        self._checkouts = checkouts
        self._how = how
        self._tally = tally
        self._show = show
        self._draw = random.Random(how.seed)
        self._cores = sorted(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else []
        self._overhead_s = _FIRST_OVERHEAD_S
        self._leaving: list[Side] = []
        self._whole = 0  # launches that no side was lost in
        self.loads: list[float] = []

    def run(self) -> None:
        """Measure until all is decided or the time is over.

        Raises:
            SideLost: a side did not come up, or ended in the middle.
        """
        end_s = time.monotonic() + self._how.seconds * len(self._tally.open())
        keeper = KeeperClient()
        try:
            while (tests := self._tally.open()) and len(self.loads) < _MOST_LAUNCHES:
                left_s = end_s - time.monotonic()
                if self.loads and left_s < self._overhead_s + _LEAST_SHARE_S * len(tests):
                    break
                before = self._whole
                self._launch(keeper, tests, self._share_s(left_s, len(tests)))
                if self._whole > before and self._whole in LOOKS_AT:  # a second look would not be paid for
                    self._tally.look(last=False)
        finally:
            keeper.close()
        self._tally.look(last=True)

    def _share_s(self, left_s: float, tests: int) -> float:
        """Seconds for each test, so that as many launches as are planned fit into the time that is left."""
        launches = max(1, _PLANNED_LAUNCHES - len(self.loads))
        return min(max((left_s / launches - self._overhead_s) / tests, _LEAST_SHARE_S), _MOST_SHARE_S)

    def _launch(self, keeper: KeeperClient, tests: Sequence[Asked], share_s: float) -> None:
        """A fresh process of each side, for all tests in one order."""
        began_s = time.monotonic()
        tests = [one for one in tests if self._is_everywhere(one, self._lacking_file(one))]
        if not tests:
            return
        number = len(self.loads) + 1
        self._show(f"launch {number}, {len(tests)} tests to decide")
        self.loads.append(os.getloadavg()[0])
        seed = self._draw.randrange(2**31)
        files = sorted({one.file for one in tests})
        names = self._draw.sample([*self._checkouts], len(self._checkouts))
        sides = [self._side(keeper, name, seed, files) for name in names]
        known: dict[str, list[str]] = {}
        nodeid = ""
        try:
            known = {side.name: side.collected() for side in sides}
            for side in self._leaving:  # what is still ending would disturb
                side.ended()
            tests = [one for one in tests if self._is_everywhere(one, _lacking(one, known))]
            order = [one.nodeid for one in self._draw.sample(tests, len(tests))]
            core = [self._cores[number % len(self._cores)]] if self._cores else []
            terms = Terms(share_s, core, self._draw)
            for nodeid, after in zip(order, [*order[1:], None]):
                self._show(f"launch {number}: {nodeid}")
                answers = self._tally.wants_answers(nodeid)
                self._tally.take(nodeid, measure(sides, nodeid, after, terms, answers=answers))
            self._whole += 1
        except SideLost as lost:
            if not known:
                raise
            self._tally.leave_out(nodeid, str(lost), wrong=lost.side == CURRENT)
        finally:
            for side in sides:
                side.stop()
            self._leaving = sides
        self._overhead_s = max(0.0, time.monotonic() - began_s - share_s * len(tests))

    def _side(self, keeper: KeeperClient, name: str, seed: int, files: Sequence[str]) -> Side:
        checkout, how = self._checkouts[name], self._how
        path = _module_path(self._checkouts[CURRENT].root, checkout)
        environment = {**os.environ, "PYTHONHASHSEED": str(seed), "PYTHONPATH": os.pathsep.join(path)}
        words = [*how.words, *(os.path.relpath(one, how.directory) for one in files)]
        return Side(name, checkout, keeper, words, how.directory, as_module=how.as_module, environment=environment)

    def _lacking_file(self, one: Asked) -> list[str]:
        """The versions that have no such file."""
        return [name for name, checkout in self._checkouts.items() if not (checkout.root / one.file).exists()]

    def _is_everywhere(self, one: Asked, lacking: Sequence[str]) -> bool:
        """Whether both versions have a test; else nothing can be compared."""
        if lacking:
            hint = "it is new, or has another name there" if lacking == [BASELINE] else "is it collected there?"
            self._tally.leave_out(one.nodeid, f"the {lacking[0]} version has no such test: {hint}")
        return not lacking


def _lacking(one: Asked, known: Mapping[str, Sequence[str]]) -> list[str]:
    """The versions that do not collect a test."""
    return [name for name, nodeids in known.items() if one.nodeid not in nodeids]


def _module_path(current: Path, checkout: Checkout) -> list[str]:
    """PYTHONPATH for a version: its packages, then what it is here, with its own directories for the current one's."""
    entries = [Path(entry) for entry in os.environ.get("PYTHONPATH", "").split(os.pathsep) if entry]
    moved = [checkout.root / one.relative_to(current) if one.is_relative_to(current) else one for one in entries]
    return [str(one) for one in ([checkout.packages] if checkout.packages else []) + moved]
