"""Processes that take turns: forked, spawned, and by a fork server."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from dataclasses import asdict
from typing import Any

from pytest_parallel_lab.explore.inside import opcodes, streams
from pytest_parallel_lab.explore.inside.callers import users_site
from pytest_parallel_lab.explore.inside.threads import DONE
from pytest_parallel_lab.explore.inside.turns import (
    FREE,
    TIMED_OUT,
    Actor,
    Rules,
    enter,
    here,
    me,
    native,
    process,
)
from pytest_parallel_lab.explore.protocol import MINOR
from pytest_parallel_lab.keeper.watch.procfs import has_ended

_TOLD_LIMIT_S = 1.0
_paused: list[Actor | None] = []
_next: dict[str, str] = {}  # the label of the child that is being started


def take_turns() -> None:
    """Have the processes that turn-taking threads start from now on take turns as well."""
    os.register_at_fork(before=_before_fork, after_in_child=_in_child, after_in_parent=_go_on)
    _starts()
    _bootstraps()
    _joins()


def _before_fork() -> None:
    actor = me()
    _next["label"] = ""
    if actor is not None:
        _next["label"] = label = actor.child("p")
        actor.expects(label)
        actor.note("starts", label)
    _pause()


def _pause() -> None:
    """Have this thread take no turns while it forks: its child must not take itself for it."""
    _paused.append(getattr(here, "actor", None))
    here.actor = None


def _go_on() -> None:
    """Have it take turns again."""
    here.actor = _paused.pop()


def _forget_all() -> None:
    """Close what a forked child has inherited: none of its parent's threads is in it."""
    for actor in process.actors.values():
        actor.forget()
    process.actors.clear()
    process.threads = 1
    _paused.clear()
    here.actor = None


def _in_child() -> None:
    _forget_all()
    label, rules = _next.get("label", ""), process.rules
    if label and rules is not None:
        actor = enter(label, rules)
        streams.remember(rules.seed, label)
        site = users_site(sys._getframe(1))
        actor.point("starts", tier=MINOR, at=(site, 0) if site else None)


def carried() -> str:
    """What a spawned child is to do first: the source of a call, for a child that takes turns."""
    label, rules = _next.pop("spawned", ""), process.rules
    if not label or rules is None:
        return ""
    return f"from {__name__} import begin_spawned; begin_spawned({label!r}, {asdict(rules)!r})"


def begin_spawned(label: str, rules: dict[str, Any]) -> None:
    """Take turns in a process that was not forked from one that does."""
    from pytest_parallel_lab.explore.inside.install import take_turns_here

    take_turns_here()
    entered = Rules(**rules)
    streams.begin(entered.seed, label)
    actor = enter(label, entered)
    actor.point("starts", tier=MINOR)
    actor.within += 1  # until the process has imported what it is to run
    _next["imports"] = label


def _starts() -> None:
    """Spawned children and those of a fork server have their label sent along."""
    from multiprocessing import popen_fork, popen_forkserver, popen_spawn_posix

    def labelled(popen: Any) -> None:
        launch: Callable[[Any, Any], None] = popen._launch

        def launching(self: Any, process_obj: Any) -> None:
            actor = me()
            if actor is None:
                launch(self, process_obj)
                return
            label = _next["spawned"] = actor.child("p")
            before = os.environ.get("PYTHONHASHSEED")
            os.environ["PYTHONHASHSEED"] = str(streams.number_from(process.rules.seed if process.rules else 0, label))
            try:
                with actor.patient(), native():
                    launch(self, process_obj)
            finally:
                if before is None:
                    del os.environ["PYTHONHASHSEED"]
                else:
                    os.environ["PYTHONHASHSEED"] = before
            actor.expects(label, self.pid)
            actor.note("starts", label)
            process_obj._parallel_lab_label = label
            actor.point("goes on after Process.start", tier=MINOR)

        popen._launch = launching

    labelled(popen_spawn_posix.Popen)
    labelled(popen_forkserver.Popen)
    fork_launch: Callable[[Any, Any], int] = popen_fork.Popen._launch  # type: ignore[attr-defined]

    def fork_launching(self: Any, process_obj: Any) -> None:
        fork_launch(self, process_obj)
        process_obj._parallel_lab_label = _next.get("label", "")
        actor = me()
        if actor is not None:
            actor.point("goes on after Process.start", tier=MINOR)

    popen_fork.Popen._launch = fork_launching  # type: ignore[attr-defined]


def _bootstraps() -> None:
    """Have a spawned child take turns in its own code once it comes to that."""
    from multiprocessing.process import BaseProcess

    bootstrap: Callable[..., Any] = BaseProcess._bootstrap  # type: ignore[attr-defined]

    def bootstrapping(self: Any, *args: Any, **kwargs: Any) -> Any:
        actor = me()
        if _next.pop("imports", "") and actor is not None:
            actor.within -= 1
            opcodes.traced(actor.rules).__enter__()  # to the process's end
        return bootstrap(self, *args, **kwargs)

    BaseProcess._bootstrap = bootstrapping  # type: ignore[attr-defined]


def _joins() -> None:
    from multiprocessing.process import BaseProcess

    join = BaseProcess.join

    def joining(self: Any, timeout: float | None = None) -> None:
        actor = me()
        popen = getattr(self, "_popen", None)
        if actor is not None and popen is not None and timeout != 0:
            wait_s = -1.0 if timeout is None else max(0.0, timeout)
            answer = actor.point("Process.join", DONE, lambda: _ended(popen), wait_s=wait_s)
            if answer == TIMED_OUT:
                return
            if answer != FREE:
                actor.note("joins", getattr(self, "_parallel_lab_label", ""))
                timeout = None
        with native():
            join(self, timeout)

    BaseProcess.join = joining  # type: ignore[method-assign]


def _ended(popen: Any) -> bool:
    with native():
        if popen.poll() is None and has_ended(popen.pid):
            popen.wait(_TOLD_LIMIT_S)  # a fork server has yet to tell
        return popen.poll() is not None
