"""pytest-timeout's limit on tests that run in parallel: the whole report instead of one stack.

pytest-timeout decides what the limit is and when it starts; its own way of ending a test is
replaced, for tests that use our fixtures, through the hooks that it has for that.
"""

from __future__ import annotations

import contextlib
import os
import signal
import sys
import threading
import time
import traceback
from collections.abc import Callable
from types import FrameType
from typing import TYPE_CHECKING, Any

import pytest

from pytest_parallel_lab.backends import limit as limits
from pytest_parallel_lab.fixtures.leases import leases_of

if TYPE_CHECKING:
    from pytest_parallel_lab.model.errors import TimedOut

_GRACE_S = 2.0  # what the main thread gets to notice that the limit has passed
_REPORT_S = 20.0  # and then to ask every worker what it does, on however slow a machine
_TIMERS = pytest.StashKey[Callable[[], None]]()


class Timeouts:
    """The plugin that stands in for pytest-timeout's timers."""

    @pytest.hookimpl(optionalhook=True)
    def pytest_timeout_set_timer(self, item: pytest.Item, settings: Any) -> bool | None:
        """Set our own timer for a parallel test."""
        if not _is_parallel(item):
            return None
        text = f"the limit of {settings.timeout:g} s (pytest-timeout) has passed"
        limit = limits.Limit(text)
        limits.enter(limit)
        main = threading.current_thread() is threading.main_thread()
        by_signal = settings.method == "signal" and main and hasattr(signal, "setitimer")
        stop = _by_signal(item, limit, settings) if by_signal else _by_thread(item, limit, settings)

        def cancel() -> None:
            stop()
            limits.leave(limit)

        item.stash[_TIMERS] = cancel
        return True

    @pytest.hookimpl(optionalhook=True)
    def pytest_timeout_cancel_timer(self, item: pytest.Item) -> bool | None:
        """Stop our timer."""
        cancel = item.stash.get(_TIMERS, None)
        if cancel is None:
            return None
        del item.stash[_TIMERS]
        cancel()
        return True


def _is_parallel(item: pytest.Item) -> bool:
    return "_parallel_leases" in getattr(item, "fixturenames", ())


def _debugs(settings: Any) -> bool:
    """Whether somebody is at the debugger, whom pytest-timeout would not disturb either."""
    import pytest_timeout

    return bool(pytest_timeout.is_debugging()) and not settings.disable_debugger_detection


def _by_signal(item: pytest.Item, limit: limits.Limit, settings: Any) -> Callable[[], None]:
    def handler(number: int, frame: FrameType | None) -> None:
        __tracebackhide__ = True
        if not _debugs(settings):
            raise limits.LimitPassed(limit.text)

    def cancel() -> None:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, signal.SIG_DFL)

    def pause() -> Callable[[], None]:
        left_s, again_s = signal.setitimer(signal.ITIMER_REAL, 0)
        return lambda: None if not left_s else signal.setitimer(signal.ITIMER_REAL, left_s, again_s) and None

    limit.pause = pause
    signal.signal(signal.SIGALRM, handler)
    # Again and again: a test that swallows the first one is not without a limit from then on.
    signal.setitimer(signal.ITIMER_REAL, settings.timeout, max(settings.timeout, _GRACE_S))
    return cancel


def _by_thread(item: pytest.Item, limit: limits.Limit, settings: Any) -> Callable[[], None]:
    ended = threading.Event()

    def expire() -> None:
        if _debugs(settings):
            return
        limit.let_pass()
        if ended.wait(_GRACE_S) or (limit.taken and ended.wait(_REPORT_S)):
            return
        _end_pytest(item, limit)

    running: list[tuple[threading.Timer, float]] = []  # the timer, and when it expires

    def start(seconds: float) -> None:
        timer = threading.Timer(seconds, expire)
        timer.daemon = True
        timer.name = f"{__name__} {item.nodeid}"
        timer.start()
        running[:] = [(timer, time.monotonic() + seconds)]

    def pause() -> Callable[[], None]:
        timer, expires_s = running[0]
        left_s = expires_s - time.monotonic()
        timer.cancel()
        return lambda: start(max(0.0, left_s))

    def cancel() -> None:
        ended.set()
        running[0][0].cancel()

    limit.pause = pause
    start(settings.timeout)
    return cancel


def _end_pytest(item: pytest.Item, limit: limits.Limit) -> None:
    """Report and end pytest, as pytest-timeout does where no signal can reach the main thread."""
    with contextlib.suppress(Exception):
        capman = item.config.pluginmanager.getplugin("capturemanager")
        if capman is not None:
            capman.suspend_global_capture(in_=True)
    report = _whole_report(item, limit)
    sys.stderr.write(f"\n{item.nodeid}: {report}\n")
    sys.stderr.flush()
    os._exit(1)


def _whole_report(item: pytest.Item, limit: limits.Limit) -> str:
    """What pytest's own threads do, and every process that the test has on lease."""
    lines = [f"time-out: {limit.text}", "", f"### pytest, pid {os.getpid()}"]
    names = {thread.ident: thread.name for thread in threading.enumerate()}
    for ident, frame in sys._current_frames().items():
        if ident != threading.get_ident():
            lines += [f"thread {names.get(ident, ident)}", "".join(traceback.format_stack(frame)).rstrip()]
    leases = leases_of(item)
    for heading, verdict in leases.examine(limit.text) if leases else ():
        lines += ["", f"## {heading}", verdict.full()]
    return "\n".join(lines)


def told_in_full(item: pytest.Item, passed: limits.LimitPassed) -> TimedOut:
    """Where the limit has passed outside of any run: what the test's workers do, as a run would tell it."""
    from pytest_parallel_lab.model.errors import TimedOut
    from pytest_parallel_lab.model.verdict import Verdict

    leases = leases_of(item)
    found = leases.examine(str(passed)) if leases else []
    processes = tuple(process for _, verdict in found for process in verdict.processes)
    waits = tuple(wait for _, verdict in found for wait in verdict.waits)
    verdict = Verdict(False, f"{passed}, while the test waited in pytest's own process", waits, (), processes)
    if leases:
        leases.show_verdict(verdict)
    return TimedOut(verdict)
