"""Bring a site up and keep it until Ctrl-C, the end of input, or the end of the process that asked for it."""

from __future__ import annotations

import argparse
import json
import os
import select
import signal
import sys
import traceback
from types import FrameType
from typing import Any

from tests.sites.gridengine import GridEngine
from tests.sites.hosts import Hosts
from tests.sites.node import SiteError
from tests.sites.server import Server
from tests.sites.slurm import Slurm

SERVERS: dict[str, type[Server]] = {"slurm": Slurm, "gridengine": GridEngine, "hosts": Hosts}
SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
COMMANDS = {"down": 1, "restore": 1, "cut": 1, "mend": 1, "hide": 2, "show": 2, "queue": 0, "drain": 0}
FOR_TESTS = {"shared_memory": 0, "clear_shared_memory": 0}
EPILOG = (
    "Typed while it is up: down NODE, restore NODE, cut NODE, mend NODE, hide NODE PATH, show NODE PATH, queue, drain."
)


def main(arguments: list[str] | None = None) -> int:
    """Run the command."""
    parser = argparse.ArgumentParser("python -m tests.sites.up", description=__doc__, epilog=EPILOG)
    parser.add_argument("kind", choices=SERVERS)
    parser.add_argument("--json", action="store_true", help="tell what is there as one line of JSON")
    options = parser.parse_args(arguments)
    parent = os.pidfd_open(os.getppid())
    for number in SIGNALS:
        signal.signal(number, _end)
    try:
        _keep(SERVERS[options.kind](), parent, as_json=options.json)
    except SiteError as error:
        print(error, file=sys.stderr)
        return 1
    except BrokenPipeError:  # nobody listens any more
        return 1
    return 0


def _keep(server: Server, parent: int, *, as_json: bool) -> None:
    try:
        server.bring_up()
        print(_as_json(server) if as_json else _as_text(server), flush=True)
        _serve(server, parent)
    finally:
        for number in SIGNALS:
            signal.signal(number, signal.SIG_IGN)
        server.take_down()


def _end(number: int, frame: FrameType | None) -> None:
    raise SystemExit(0)


def _as_json(server: Server) -> str:
    facts = {
        "directory": str(server.directory),
        "environment": server.environment,
        "nodes": list(server.nodes),
    }
    return json.dumps(facts)


def _as_text(server: Server) -> str:
    return "\n".join(
        [
            f"{server.kind} is up in {server.directory}; nodes: {' '.join(server.nodes)}",
            *(f"export {name}={value}" for name, value in server.environment.items()),
            f"to run a command there: {server.directory}/run COMMAND …",
            EPILOG,
        ]
    )


def _serve(server: Server, parent: int) -> None:
    """Carry out commands until there are no more to come; each is answered by one line."""
    text = b""
    while True:
        ready, _, _ = select.select([sys.stdin, parent], [], [])
        # The end of input alone would not do: a process that our starter forked may hold the other end.
        if parent in ready:
            return
        read = os.read(sys.stdin.fileno(), 65536)
        if not read:
            return
        *lines, text = (text + read).split(b"\n")
        for line in lines:
            print(json.dumps(_answer(server, line.decode())), flush=True)


def _answer(server: Server, line: str) -> dict[str, Any]:
    name, *arguments = line.split(maxsplit=2) or [""]
    if {**COMMANDS, **FOR_TESTS}.get(name) != len(arguments):
        return {"error": f"{line!r} is no command. {EPILOG}"}
    try:
        return {"done": getattr(server, name)(*arguments)}
    except SiteError as error:
        return {"error": str(error)}
    except Exception:
        return {"error": traceback.format_exc()}


if __name__ == "__main__":
    sys.exit(main())
