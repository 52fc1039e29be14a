"""The pytest11 entry: registration only. Everything heavy is imported at first use."""

from __future__ import annotations

from collections.abc import Generator, Iterator
from typing import Any

import pytest

from pytest_parallel_lab import benchmarking, gating, hookspecs, marks, options, selection, subjects, timeouts
from pytest_parallel_lab.backends.limit import LimitPassed
from pytest_parallel_lab.fixtures.chaos import EndedWithError, chaos
from pytest_parallel_lab.fixtures.clusters import ipcluster
from pytest_parallel_lab.fixtures.explore import explore
from pytest_parallel_lab.fixtures.leases import _parallel_leases, leases_of
from pytest_parallel_lab.fixtures.mpi import mpiexec
from pytest_parallel_lab.fixtures.pools import parallel_pool, process_pool, thread_pool
from pytest_parallel_lab.fixtures.report import parallel_report
from pytest_parallel_lab.fixtures.runs import parallel_backend, parallel_run, parallel_subject, parallel_workers
from pytest_parallel_lab.fixtures.scaling import scaling
from pytest_parallel_lab.fixtures.supervised import supervised
from pytest_parallel_lab.fixtures.write_sets import write_sets
from pytest_parallel_lab.gating import history, instructions
from pytest_parallel_lab.model.cores import usable_cores
from pytest_parallel_lab.report import attachments, collect, facts, gate_results, terminal

__all__ = [
    "_parallel_leases",
    "chaos",
    "explore",
    "ipcluster",
    "mpiexec",
    "parallel_backend",
    "parallel_pool",
    "parallel_report",
    "parallel_run",
    "parallel_subject",
    "parallel_workers",
    "process_pool",
    "scaling",
    "supervised",
    "thread_pool",
    "write_sets",
]


def pytest_addhooks(pluginmanager: pytest.PytestPluginManager) -> None:
    """Declare our hooks."""
    pluginmanager.add_hookspecs(hookspecs)


def pytest_addoption(parser: pytest.Parser) -> None:
    """Declare our options."""
    options.add_options(parser)
    history.add_option(parser)
    instructions.add_option(parser)


def pytest_configure(config: pytest.Config) -> None:
    """Read the options, so that bad ones are said at once, and declare our marks."""
    choices = options.choices_of(config)
    marks.declare(config, choices.known_backends)
    subjects.handed_in(config)
    collect.register(config)
    gating.register(config, choices)
    gate_results.register(config)
    history.register(config)
    instructions.register(config)
    config.pluginmanager.register(timeouts.Timeouts(), "parallel_lab_timeouts")


def pytest_cmdline_main(config: pytest.Config) -> int | None:
    """Run the doctor in place of the tests."""
    if not config.getoption("--parallel-doctor"):
        return None
    from pytest_parallel_lab.report.doctor import examine

    choices = options.choices_of(config)
    try:
        return examine(choices)
    finally:
        choices.close()


def pytest_report_header(config: pytest.Config) -> str:
    """Say what parallel runs use."""
    choices = options.choices_of(config)
    counts = ", ".join(map(str, choices.workers))
    return f"parallel-lab: workers {counts} on {usable_cores()} usable cores, BLAS pinned to 1 thread per worker"


@pytest.hookimpl(wrapper=True)
def pytest_generate_tests(metafunc: pytest.Metafunc) -> Generator[None, None, None]:
    """Parametrize implementations before all else, backends and worker counts after it.

    So ids begin with the one and end with the others, and tests that use the same workers are neighbours.
    """
    subjects.parametrize(metafunc)
    yield
    selection.parametrize(metafunc)


def pytest_itemcollected(item: pytest.Item) -> None:
    """Check a test's marks and add its backends' marks."""
    selection.prepare(item, options.choices_of(item.config))
    benchmarking.prepare(item)


@pytest.hookimpl(trylast=True)  # of what -m and -k have chosen
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out tests on backends that were not chosen, and where a subject is handed in those that take none."""
    benchmarking.count_as_benchmarks(config, items)
    left_out = [*selection.leave_out(items, options.choices_of(config)), *subjects.select(config, items)]
    if left_out:
        config.hook.pytest_deselected(items=left_out)


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> None:
    """Skip, or fail where it is required, a test whose backend is missing."""
    __tracebackhide__ = True
    selection.skip_if_missing(item, options.choices_of(item.config))


@pytest.hookimpl(wrapper=True)
def pytest_runtest_call(item: pytest.Item) -> Iterator[None]:
    """Complete the report: with what workers printed, and where they are once the limit has passed."""
    __tracebackhide__ = True
    failed = True
    try:
        yield
        failed = False
    except EndedWithError as ended:
        item.add_report_section("call", "chaos", f"{ended}")
        failed = False
    except LimitPassed as passed:
        raise timeouts.told_in_full(item, passed) from passed
    finally:
        leases = leases_of(item)
        if leases is not None:
            leases.call_ended(failed=failed)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Send along what the test has for the reports."""
    report = yield
    facts.attach_facts(item, call)
    attachments.send_along(item, report)
    return report


def pytest_terminal_summary(terminalreporter: Any, config: pytest.Config) -> None:
    """Print the curves that were measured."""
    terminal.summarize(terminalreporter, config, options.choices_of(config))


def pytest_unconfigure(config: pytest.Config) -> None:
    """Stop everything."""
    options.close(config)
