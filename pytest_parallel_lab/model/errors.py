"""The exceptions with names that this project raises."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pytest_parallel_lab.model.exploration import Exploration
    from pytest_parallel_lab.model.lock_order import Potential
    from pytest_parallel_lab.model.outcome import Outcome
    from pytest_parallel_lab.model.verdict import ProcessReport, Verdict
    from pytest_parallel_lab.model.wait_for import Wait
    from pytest_parallel_lab.model.write_sets import WriteSets


class ParallelError(Exception):
    """Base of everything this project raises on its own account."""


class BadSetting(ParallelError, ValueError):
    """An option, ini key, mark or argument has a value that means nothing."""


class BackendMissing(ParallelError):
    """A backend cannot run here; the text says why and what would add it."""


class CannotSend(ParallelError, TypeError):
    """A function, argument or result cannot travel between processes."""


class StartFailed(ParallelError):
    """Workers could not be started; the text carries what their launcher printed."""


class KeeperLost(ParallelError):
    """The keeper, the process that forks and reaps all others, is gone."""


class LeftOver(ParallelError):
    """A test left something behind in workers that the next test would have met."""


class Mismatch(ParallelError, AssertionError):
    """An implementation's result does not agree with the reference."""


class ScriptFailed(ParallelError):
    """A script under mpiexec ended badly on some rank; the text has every rank's end and errors."""


class NotHarmed(ParallelError):
    """A run ended before its worker could be harmed: nothing was tested."""


class WorkerRaised(ParallelError):
    """What every worker was doing when one of them raised.

    It is the ``__cause__`` of the worker's own exception, and is raised itself where that
    exception cannot travel between processes.

    Attributes:
        outcome: the whole outcome, with every worker's fate.
    """

    def __init__(self, text: str, outcome: Outcome) -> None:
        super().__init__(text)
        self.outcome = outcome


class WorkerDied(ParallelError):
    """A worker's process ended in the middle of a run.

    Attributes:
        outcome: the whole outcome, with every worker's fate.
    """

    def __init__(self, text: str, outcome: Outcome) -> None:
        super().__init__(text)
        self.outcome = outcome


class Stuck(ParallelError):
    """A run did not come to its end: a Deadlock where that is proved, else a TimedOut.

    Attributes:
        verdict: all that is known; ``verdict.full()`` is the whole report.
        replay: of an explored run: the schedule, as ``--parallel-replay`` takes it.
    """

    def __init__(self, verdict: Verdict) -> None:
        super().__init__(verdict.short())
        self.verdict = verdict
        self.replay = ""

    @property
    def cycle(self) -> tuple[Wait, ...]:
        """The cycle of waits; empty where none was found, as when nobody is left who could end a wait."""
        return self.verdict.cycle

    @property
    def waits(self) -> tuple[Wait, ...]:
        """What every thread of the user's code waits for."""
        return self.verdict.waits

    @property
    def processes(self) -> tuple[ProcessReport, ...]:
        """Every process of the run, with its threads and their stacks, or how it ended."""
        return self.verdict.processes


class Deadlock(Stuck):
    """It is proved that nothing in a run can move any more."""


class TimedOut(Stuck):
    """The limit passed; whether the run would have come to its end is not known."""


class PotentialDeadlock(ParallelError):
    """A run went well, but its locks, queues or workers were used so that another run may hang.

    Attributes:
        found: what, each with who would wait for whom.
    """

    def __init__(self, found: tuple[Potential, ...]) -> None:
        super().__init__("\n\n".join(f"potential deadlock: {one}" for one in found))
        self.found = found


class Race(ParallelError, AssertionError):
    """The outcome depends on who goes when.

    Attributes:
        exploration: all that was found; ``exploration.failure`` has the schedule.
    """

    def __init__(self, text: str, exploration: Exploration) -> None:
        super().__init__(text)
        self.exploration = exploration

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (str(self), self.exploration)

    @property
    def replay(self) -> str:
        """The schedule, as ``--parallel-replay`` takes it."""
        found = self.exploration
        schedule = found.failure.schedule if found.failure is not None else found.numerical
        return "" if schedule is None else str(schedule)


class NumericalNondeterminism(Race):
    """The last bits of a result depend on who goes when."""


class SameStream(Race):
    """Several workers draw the same random numbers."""


class NumericalNondeterminismWarning(UserWarning):
    """The last bits of a result depend on who goes when."""


class WritesOverlap(ParallelError):
    """Two tasks write the same elements of a shared array: which value stays is a matter of timing.

    Attributes:
        sets: what every task writes.
    """

    def __init__(self, text: str, sets: WriteSets) -> None:
        super().__init__(text)
        self.sets = sets


class WritesMissing(ParallelError):
    """No task writes some elements of a shared array.

    Attributes:
        sets: what every task writes.
    """

    def __init__(self, text: str, sets: WriteSets) -> None:
        super().__init__(text)
        self.sets = sets


for _error in list(globals().values()):
    if isinstance(_error, type) and issubclass(_error, (ParallelError, UserWarning)):
        _error.__module__ = __name__.partition(".")[0]  # where users import it from, and see it come from
