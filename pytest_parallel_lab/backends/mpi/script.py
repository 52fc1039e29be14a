"""Scripts under a launcher of their own, each rank's output and end kept apart."""

from __future__ import annotations

import contextlib
import os
import runpy
import subprocess
import sys
import tempfile
import traceback
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from pytest_parallel_lab.backends.collect import gather
from pytest_parallel_lab.backends.mpi.launch import (
    Launch,
    connect_back,
    forget_key,
    rank_by_environment,
)
from pytest_parallel_lab.keeper.channel import Channel, ChannelClosed, Message
from pytest_parallel_lab.keeper.client import KeeperClient, python_command
from pytest_parallel_lab.keeper.tree import die_with_parent
from pytest_parallel_lab.model.errors import ScriptFailed, StartFailed
from pytest_parallel_lab.model.outcome import Died
from pytest_parallel_lab.model.settings import Settings

_FAILURE_GRACE_S = 0.5  # what the other ranks get to come to their own end once one has failed
_STOP_LIMIT_S = 5.0


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
        module = "pytest_parallel_lab.backends.mpi.script"
        command = [*python_command(module), directory, str(script), *args]
        launch = Launch(keeper, settings, ranks, command, env)
        channels: dict[int, Channel] = {}
        codes: dict[int, int] = {}
        try:

            def take(channel: Channel, message: Message) -> None:
                rank = message.body["rank"]
                if rank is None or rank in channels:
                    raise StartFailed(
                        f"mpi: the launcher gave {'no rank' if rank is None else f'rank {rank} twice'} to the "
                        f"processes of {script.name}. It printed:\n{launch.printed() or '(nothing)'}"
                    )
                channels[rank] = channel

            def note(index: int, message: Message | None) -> float | None:
                if message is not None:
                    codes[in_order[index]] = message.body["status"]
                failed = message is None or message.body["status"] != 0
                return _FAILURE_GRACE_S if failed else None

            launch.accept(take, lambda: len(channels) == ranks)
            in_order = sorted(channels)
            gather([channels[rank] for rank in in_order], note, done=lambda: len(codes) == ranks)
        finally:
            launch.close(limit_s=_STOP_LIMIT_S if len(codes) == ranks else 0.0)
        out, err = ([_read(directory, rank, name) for rank in range(ranks)] for name in ("out", "err"))
        return ScriptResult(str(script), [codes.get(rank) for rank in range(ranks)], out, err, launch.printed())


def _read(directory: str, rank: int, name: str) -> str:
    with contextlib.suppress(FileNotFoundError):
        return Path(directory, f"{rank}.{name}").read_text(encoding="utf-8", errors="replace")
    return ""


def main() -> None:
    """Be what the launcher starts for a rank: run the script, keep its output, tell how it ended."""
    directory, *command = sys.argv[1:]
    channel = connect_back()
    forget_key()
    rank = rank_by_environment()
    channel.send("rank", {"rank": rank})
    guard_pid = os.getpid()
    with open(Path(directory, f"{rank}.out"), "wb") as out, open(Path(directory, f"{rank}.err"), "wb") as err:
        process = subprocess.Popen(
            [*python_command(__name__, "run()"), *command],
            stdout=out,
            stderr=err,
            close_fds=False,  # MPICH's launcher talks to its ranks over one that they inherit
            preexec_fn=lambda: die_with_parent(guard_pid),
        )
        status = process.wait()
    with contextlib.suppress(ChannelClosed):
        channel.send("exited", {"status": status})
        channel.receive()  # until it closes: a guard that ends makes the launcher end the other ranks
    os._exit(0)


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
