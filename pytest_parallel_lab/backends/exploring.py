"""Exploring one function, from the caller's side."""

from __future__ import annotations

import functools
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from pytest_parallel_lab.backends.base import Backend, RunnerBackend
from pytest_parallel_lab.backends.explorers import Show, explore_apart, start_of
from pytest_parallel_lab.backends.perturbing import PERTURBED, Perturbed
from pytest_parallel_lab.explore.plan import Plan, parse_strategies
from pytest_parallel_lab.explore.verdicts import check
from pytest_parallel_lab.explore.zygotes import Subject
from pytest_parallel_lab.keeper.client import KeeperClient, worker_environment
from pytest_parallel_lab.keeper.host import Host
from pytest_parallel_lab.keeper.shipping import pack_call
from pytest_parallel_lab.model.errors import BadSetting
from pytest_parallel_lab.model.exploration import Exploration
from pytest_parallel_lab.model.implementation import implementation_of, name_of
from pytest_parallel_lab.model.schedule import Schedule, parse_schedule
from pytest_parallel_lab.model.settings import NUMERICAL, STRATEGIES, Settings, parse_names

_NOT_GIVEN: Any = object()


def explore(
    keeper: KeeperClient,
    backend: Backend,
    workers: int,
    settings: Settings,
    function: Callable[..., Any],
    args: Sequence[Any],
    kwargs: Mapping[str, Any],
    *,
    runs: int = 300,
    seconds: float = 10.0,
    seed: int = 0,
    strategy: str | Iterable[str] = STRATEGIES,
    bound: int = 2,
    opcodes: bool = True,
    hash_seeds: bool = True,
    reference: Any = _NOT_GIVEN,
    rtol: float = 1e-9,
    atol: float = 0.0,
    numerical: str = "warn",
    replay: str | Schedule | None = None,
    where: str = "",
    show: Show | None = None,
) -> Exploration:
    """Run a function under many schedules and compare what comes of it.

    Args:
        keeper: starts the runner.
        backend: whose workers an implementation is given.
        workers: how many.
        settings: how they are started.
        function: a plain function, or an implementation.
        args: sent along.
        kwargs: sent along.
        runs: how many runs at most.
        seconds: how long to search at most; what is found then is still made small.
        seed: what sampled schedules, hash seeds and random numbers come from.
        strategy: how schedules are chosen, in this order: bounded, random, pct.
        bound: the most turns out of order in an enumerated schedule.
        opcodes: whether turns change within the user's own code, and not only where it synchronises.
        hash_seeds: whether other hash seeds are tried.
        reference: the right value, or a serial function of the same arguments; without it, all
            schedules have to give the same.
        rtol: relative tolerance within which a difference is numerical only.
        atol: absolute tolerance.
        numerical: what a numerical difference is: ``warn``, ``allow`` or ``fail``.
        replay: carry out this one schedule only.
        where: what to call it in the command that replays.
        show: shows how far it is, in words, every now and then.

    Raises:
        Race: the outcome depends on the schedule.
        Deadlock: a schedule hangs, proved.
        SameStream: several workers draw the same random numbers.
        NumericalNondeterminism: the last bits depend on the schedule, and ``numerical`` is ``fail``.
        Mismatch: every schedule gives the same value, which is not the reference's.
        CannotSend: the function or an argument cannot be sent.
        BadSetting: an option that means nothing.
        Exception: what the function raises under every schedule.
    """
    __tracebackhide__ = True
    if not callable(function):
        raise BadSetting(f"explore({function!r}): not a function; write explore(function, *its_arguments)")
    source = f"explore({name_of(function)})"
    parse_names([numerical], NUMERICAL, source, "way to take numerical differences")
    expected = None if reference is _NOT_GIVEN else reference(*args, **kwargs) if callable(reference) else reference
    plan = Plan(
        runs=runs,
        seconds=seconds,
        seed=seed,
        strategies=parse_strategies(strategy, source),
        bound=bound,
        opcodes=opcodes,
        hash_seeds=hash_seeds,
        rtol=rtol,
        atol=atol,
        stops_at_numerical=numerical == "fail",
        reference=None if reference is _NOT_GIVEN else (expected,),
        replay=parse_schedule(replay, source) if isinstance(replay, str) else replay,
    ).checked(source)
    kind = PERTURBED.get(backend.name, "")
    if plan.replay is not None and plan.replay.free != kind:
        raise BadSetting(
            f"{source}: {plan.replay} is no schedule of this kind of workers; was it told by another test?"
        )
    if kind:
        start = functools.partial(backend.start, keeper, workers, settings)
        found = Perturbed(start, kind, function, args, kwargs, plan, show).go()
    else:
        found = _in_turns(keeper, backend, workers, settings, function, args, kwargs, plan, show, source)
    check(found, name_of(function), where or name_of(function), numerical)
    return found


def _in_turns(
    keeper: KeeperClient,
    backend: Backend,
    workers: int,
    settings: Settings,
    function: Callable[..., Any],
    args: Sequence[Any],
    kwargs: Mapping[str, Any],
    plan: Plan,
    show: Show | None,
    source: str,
) -> Exploration:
    """Explore in a runner, where workers can be made to take turns."""
    __tracebackhide__ = True
    host = _host(backend, function, source)
    call = pack_call(function, args, kwargs)
    start = start_of(keeper, plan.seed)
    subject = Subject(call, host, workers, settings, keeper.directory, list(sys.path), worker_environment(), start)
    return explore_apart(keeper, subject, plan, show)


def _host(backend: Backend, function: Callable[..., Any], source: str) -> Host | None:
    if backend.name == "serial" and implementation_of(function) is None:
        return None
    if not isinstance(backend, RunnerBackend) or backend.host().role == "engine":
        raise BadSetting(
            f"{source}: the workers of backend {backend.name!r} cannot be made to take turns; "
            "explore functions that start threads or processes, or one of the backends that come with the package"
        )
    return backend.host()
