"""Scripts under a launcher of their own, each rank's output and end kept apart."""

from __future__ import annotations

import contextlib
import os
import runpy
import subprocess
import sys
import tempfile
import traceback
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pytest_parallel_lab.backends.collect import gather, ready
from pytest_parallel_lab.backends.mpi.deputy import take_over
from pytest_parallel_lab.backends.mpi.launch import Launch
from pytest_parallel_lab.backends.mpi.launchers import rank_by_environment
from pytest_parallel_lab.backends.mpi.post import connect_back, forget_key
from pytest_parallel_lab.keeper.channel import Channel, ChannelClosed, Message
from pytest_parallel_lab.keeper.client import KeeperClient, python_command
from pytest_parallel_lab.keeper.network import Home
from pytest_parallel_lab.keeper.tree import die_with_parent, kill_tree
from pytest_parallel_lab.model.errors import ScriptFailed, StartFailed
from pytest_parallel_lab.model.outcome import Died
from pytest_parallel_lab.model.settings import Settings

_FAILURE_GRACE_S = 0.5  # what the other ranks get to come to their own end once one has failed
_STOP_LIMIT_S = 5.0
_COLLECT_LIMIT_S = 3.0
_KEPT_BYTES = 1 << 20  # of each stream of a rank on another host


@dataclass(frozen=True)
class ScriptResult:
    """How a script went, by rank.

    Attributes:
        script: its path.
        returncode: each rank's exit code, or minus the signal that ended it; None for a rank
            that was still running when another one had failed, and was then killed.
        stdout: what each rank printed.
        stderr: what each rank wrote to standard error.
        launcher: what the launcher itself printed, such as why it has ended all ranks.
    """

    script: str
    returncode: list[int | None]
    stdout: list[str]
    stderr: list[str]
    launcher: str = ""

    def check(self) -> None:
        """Raise ScriptFailed unless every rank ended with exit code 0."""
        __tracebackhide__ = True
        if all(code == 0 for code in self.returncode):
            return
        failed = ", ".join(map(str, self._failed()))
        what = f"failed on rank {failed}" if failed else "failed: all ranks were ended at once, as by MPI_Abort"
        lines = [f"mpi: {self.script} {what}"]
        if self.launcher:
            lines += ["", "### the launcher printed", self.launcher.rstrip()]
        for rank in sorted(range(len(self.returncode)), key=lambda r: r not in self._failed()):
            code = self.returncode[rank]
            end = "was ended before it could tell how" if code is None else _end(code)
            lines += ["", f"### rank {rank} of {len(self.returncode)} {end}", self.stderr[rank].rstrip()]
        raise ScriptFailed("\n".join(lines).rstrip())

    def _failed(self) -> list[int]:
        return [rank for rank, code in enumerate(self.returncode) if code]


def _end(code: int) -> str:
    return f"ended with exit code {code}" if code >= 0 else Died(code).reason


def run_script(
    keeper: KeeperClient, settings: Settings, script: Path, args: Sequence[str], ranks: int, env: Mapping[str, str]
) -> ScriptResult:
    """Run a Python script on ranks of its own and wait for all to end.

    Raises:
        StartFailed: the launcher did not start the ranks.
    """
    with tempfile.TemporaryDirectory(dir=keeper.directory, prefix="script-") as directory:
        launch = Launch(keeper, settings, ranks, __name__, [directory, str(script), *args], env)
        away = launch.post.site is not None
        channels: dict[int, Channel] = {}
        codes: dict[int, int] = {}
        try:

            def take(channel: Channel, message: Message) -> None:
                rank = message.body["rank"]
                if rank is None or rank in channels:
                    what = "no rank" if rank is None else f"rank {rank} twice"
                    raise StartFailed(
                        f"{launch.post.heading}: the launcher gave {what} to the processes of {script.name}. "
                        f"It printed:\n{launch.printed() or '(nothing)'}"
                    )
                channels[rank] = channel

            def note(index: int, message: Message | None) -> float | None:
                if message is not None:
                    codes[in_order[index]] = message.body["status"]
                    keep(index, message)
                failed = message is None or message.body["status"] != 0
                return _FAILURE_GRACE_S if failed else None

            def keep(index: int, message: Message | None) -> None:
                if away and message is not None:
                    for name in ("out", "err"):
                        Path(directory, f"{in_order[index]}.{name}").write_bytes(message.body[name])

            launch.accept(take, lambda: len(channels) == ranks)
            in_order = sorted(channels)
            gather([channels[rank] for rank in in_order], note, done=lambda: len(codes) == ranks)
            if away and len(codes) < ranks:
                _collect([channels[rank] for rank in in_order], keep)
        finally:
            launch.close(limit_s=_STOP_LIMIT_S if len(codes) == ranks or away else 0.0)
        out, err = ([_read(directory, rank, name) for rank in range(ranks)] for name in ("out", "err"))
        return ScriptResult(str(script), [codes.get(rank) for rank in range(ranks)], out, err, launch.printed())


def _collect(channels: Sequence[Channel], keep: Callable[[int, Message | None], None]) -> None:
    """Have the scripts that still run on other hosts ended, and keep what they had printed."""
    for channel in channels:
        with contextlib.suppress(ChannelClosed):
            channel.send("end")
    gather(channels, keep, limit_s=_COLLECT_LIMIT_S)


def _read(directory: str, rank: int, name: str) -> str:
    with contextlib.suppress(FileNotFoundError):
        return Path(directory, f"{rank}.{name}").read_text(encoding="utf-8", errors="replace")
    return ""


def main(address: str = "", key_file: str = "") -> None:
    """Be what the launcher starts for a rank: run the script, keep its output, tell how it ended.

    Args:
        address: on a site: where to connect back to.
        key_file: on a site: the key for that.
    """
    directory, *command = sys.argv[1:]
    if not address:
        channel = connect_back()
        forget_key()
        _run_kept(channel, directory, command, away=False)
    else:
        channel, environ = Home(address, key_file).connect()
        take_over(environ)
        with tempfile.TemporaryDirectory(prefix="parallel-lab-") as own:
            _run_kept(channel, own, command, away=True)
    os._exit(0)


def _run_kept(channel: Channel, directory: str, command: Sequence[str], *, away: bool) -> None:
    rank = rank_by_environment()
    channel.send("rank", {"rank": rank})
    guard_pid = os.getpid()
    paths = [Path(directory, f"{rank}.{name}") for name in ("out", "err")]
    with paths[0].open("wb") as out, paths[1].open("wb") as err:
        process = subprocess.Popen(
            [*python_command(__name__, "run()"), *command],
            stdout=out,
            stderr=err,
            close_fds=False,  # MPICH's launcher talks to its ranks over one that they inherit
            preexec_fn=lambda: die_with_parent(guard_pid),
        )
        if away:
            with open(os.pidfd_open(process.pid), "rb", buffering=0) as ended:
                if ended not in ready([channel, ended], None):  # we are to end it, or nobody waits for it any more
                    kill_tree(process.pid)
        status = process.wait()
    body: dict[str, Any] = {"status": status}
    with contextlib.suppress(ChannelClosed):
        if away:
            body.update(zip(("out", "err"), (path.read_bytes()[-_KEPT_BYTES:] for path in paths)))
        channel.send("exited", body)
        while True:
            channel.receive()  # until it closes: a guard that ends makes the launcher end the other ranks


def run() -> None:
    """Run the script as ``__main__``; end at once where it fails.

    Python would go on to MPI_Finalize, which waits for ever for ranks that wait for this one.
    """
    del sys.argv[0]  # "-c"
    sys.path[0] = str(Path(sys.argv[0]).parent)
    status = 1
    try:
        runpy.run_path(sys.argv[0], run_name="__main__")
        return
    except SystemExit as end:
        if end.code is None or end.code == 0:
            return
        status = end.code if isinstance(end.code, int) else 1
        if not isinstance(end.code, int):
            print(end.code, file=sys.stderr)
    except BaseException as error:
        users = error.__traceback__
        while users is not None and users.tb_frame.f_code.co_filename != sys.argv[0]:
            users = users.tb_next
        traceback.print_exception(type(error), error, users)
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(status)
