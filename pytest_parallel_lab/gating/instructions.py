"""``--parallel-instructions``: what serial benchmarks execute, kept with their times."""

from __future__ import annotations

from collections.abc import Callable, Generator, Mapping, Sequence
from functools import lru_cache
from typing import Any

import pytest

from pytest_parallel_lab.fixtures.runs import ParallelRun
from pytest_parallel_lab.model.errors import BadSetting, CannotSend, ParallelError
from pytest_parallel_lab.model.implementation import backend_of, name_of

OPTION = "--parallel-instructions"
KEY = "instructions"
"""Where the count is in a benchmark's ``extra_info``."""
_OF_THE_RUN = ("workers", "reference", "rtol", "atol")  # arguments of parallel_run that it keeps for itself

Call = tuple[Callable[..., Any], Sequence[Any], Mapping[str, Any]]


def add_option(parser: pytest.Parser) -> None:
    """Declare the option."""
    parser.getgroup("parallel").addoption(
        OPTION,
        metavar="TOOL",
        default=None,
        help="count the instructions of serial benchmarks with valgrind or perf, and keep them with their times",
    )


def register(config: pytest.Config) -> None:
    """Have instructions counted where that was asked for.

    Raises:
        pytest.UsageError: the tool cannot count here, or nothing is benchmarked.
    """
    tool = config.getoption(OPTION)
    if tool is None or hasattr(config, "workerinput") or config.option.collectonly:
        return
    if not config.pluginmanager.hasplugin("benchmark"):
        raise pytest.UsageError(f"{OPTION}: counts for pytest-benchmark, which is turned off (-p no:benchmark)")
    from pytest_parallel_lab.gate.instructions import check_tool

    try:
        check_tool(tool)
    except ParallelError as error:
        raise pytest.UsageError(f"{OPTION}: {error}") from error
    config.pluginmanager.register(InstructionCounts(tool), "parallel_lab_instructions")


class InstructionCounts:
    """Counts for each benchmark of a serial function, once it was timed."""

    def __init__(self, tool: str) -> None:
        self._tool = tool
        self._told: list[str] = []

    @pytest.hookimpl(wrapper=True)
    def pytest_fixture_setup(self, fixturedef: pytest.FixtureDef[Any]) -> Generator[None, Any, Any]:
        """Have the benchmark fixture remember what it was given."""
        fixture = yield
        if fixturedef.argname == "benchmark" and type(fixture) is _remembering().__base__:
            fixture.__class__ = _remembering()
        return fixture

    @pytest.hookimpl(wrapper=True)
    def pytest_runtest_call(self, item: pytest.Item) -> Generator[None, object, object]:
        """Count, once the test has passed; what cannot be counted is told, and fails nothing."""
        result = yield
        fixture = getattr(item, "funcargs", {}).get("benchmark")
        if fixture is None or getattr(fixture, "stats", None) is None:
            return result
        from pytest_parallel_lab.gate.counted_call import count_call

        try:
            function, args, kwargs = _serial_call(fixture, item)
            found = count_call(function, args, kwargs, directory=item.config.invocation_params.dir, tool=self._tool)
        except (CannotSend, BadSetting, ParallelError) as error:
            self._told.append(f"{item.nodeid}: not counted: {error}")
        else:
            fixture.extra_info[KEY] = {"tool": found.tool, "count": found.count}
            item.user_properties.append((KEY, f"{found.count:.0f}"))
            self._told.append(f"{item.nodeid}: {found.count:,.0f}")
        return result

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
        """Print the counts."""
        if self._told and config.get_verbosity() >= 0:
            terminalreporter.section(f"instructions of one call, by {self._tool}", sep="=")
            for line in self._told:
                terminalreporter.write_line(line)


@lru_cache(maxsize=1)
def _remembering() -> type:
    """A benchmark fixture that remembers its call; made at the first use, as pytest-benchmark is imported then."""
    from pytest_benchmark.fixture import BenchmarkFixture

    class Remembering(BenchmarkFixture):
        called: Call | None = None

        def __call__(self, function_to_benchmark: Any, *args: Any, **kwargs: Any) -> Any:
            self.called = function_to_benchmark, args, kwargs
            return super().__call__(function_to_benchmark, *args, **kwargs)  # type: ignore[no-untyped-call]

        def pedantic(
            self, target: Any, args: Any = (), kwargs: Any = None, setup: Any = None, *more: Any, **rest: Any
        ) -> Any:
            self.called = None if setup else (target, args, kwargs or {})
            return super().pedantic(target, args, kwargs, setup, *more, **rest)  # type: ignore[no-untyped-call]

    return Remembering


def _serial_call(fixture: Any, item: pytest.Item) -> Call:
    """The call of the kernel itself, without what runs it.

    Raises:
        BadSetting: it is none of one process.
    """
    called: Call | None = getattr(fixture, "called", None)
    if called is None:
        raise BadSetting("its arguments are made anew for each round")
    function, args, kwargs = called
    if not isinstance(function, ParallelRun):
        return called
    options = dict(kwargs)
    given = options.pop("backend", None) or getattr(item, "funcargs", {}).get("parallel_backend")
    backend = backend_of(args[0], given)
    if backend != "serial":
        raise BadSetting(f"{name_of(args[0])} runs on {backend}, whose workers wait for each other")
    return args[0], args[1:], {name: value for name, value in options.items() if name not in _OF_THE_RUN}
