"""Doors to other hosts: who is let in, where they listen, and who can read the key."""

from __future__ import annotations

import os
import select
import socket
import stat
from collections.abc import Iterator
from multiprocessing import AuthenticationError
from pathlib import Path

import psutil
import pytest

from pytest_parallel_lab import StartFailed
from pytest_parallel_lab.keeper.channel import Channel
from pytest_parallel_lab.keeper.network import (
    Home,
    NetworkDoor,
    is_open,
    own_address,
    private_directory,
    read_key,
    travelling,
)

LIMIT_S = 10.0


@pytest.fixture
def door(tmp_path: Path) -> Iterator[NetworkDoor]:
    made = NetworkDoor("127.0.0.1", (0, 0), tmp_path, {"COLOUR": "blue"})
    yield made
    made.close()


def came_in(door: NetworkDoor) -> Channel | None:
    assert select.select([door], [], [], LIMIT_S)[0]
    return door.take()


def test_who_knows_the_key_comes_in(door: NetworkDoor) -> None:
    channel, environ = Home(door.address, str(door.key_file)).connect()
    inside = came_in(door)
    assert inside is not None
    assert environ == {"COLOUR": "blue"}
    inside.send("hello", {"a": 1})
    assert channel.receive().body == {"a": 1}
    assert is_open(inside)
    channel.close()
    assert select.select([inside], [], [], LIMIT_S)[0]
    assert not is_open(inside)
    inside.close()


def test_who_does_not_know_it_does_not(door: NetworkDoor, tmp_path: Path) -> None:
    guess = tmp_path / "guess"
    guess.write_text("00" * 32)
    guess.chmod(0o600)
    with pytest.raises((AuthenticationError, EOFError)):
        Home(door.address, str(guess)).connect()
    assert not select.select([door], [], [], 0.1)[0]


def test_strangers_who_say_nothing_keep_nobody_waiting(door: NetworkDoor) -> None:
    host, _, port = door.address.partition(":")
    with socket.create_connection((host, int(port))) as stranger:
        stranger.sendall(b"GET / HTTP/1.0\r\n\r\n")
        with socket.create_connection((host, int(port))):
            channel, _ = Home(door.address, str(door.key_file)).connect()
            inside = came_in(door)
            assert inside is not None
            channel.close()
            inside.close()


def test_it_listens_on_one_address_only(door: NetworkDoor) -> None:
    port = int(door.address.rpartition(":")[2])
    listens = [c.laddr for c in psutil.Process().net_connections("tcp") if c.status == psutil.CONN_LISTEN]
    assert [address.ip for address in listens if address.port == port] == ["127.0.0.1"]


def test_the_key_is_ours_alone_and_goes_with_the_door(door: NetworkDoor) -> None:
    assert stat.S_IMODE(door.key_file.stat().st_mode) == 0o600
    door.key_file.chmod(0o640)
    with pytest.raises(PermissionError, match=r"holds a key, but it is not ours alone \(mode 640\)"):
        read_key(str(door.key_file))
    door.close()
    assert not door.key_file.exists()
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", int(door.address.rpartition(":")[2])))


def test_ports_are_those_allowed(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(StartFailed, match=rf"no port from {port} to {port} is free on 127.0.0.1; give ports"):
            NetworkDoor("127.0.0.1", (port, port), tmp_path, {})


def test_a_directory_that_others_can_write_to_holds_no_keys(tmp_path: Path) -> None:
    tmp_path.chmod(0o777)
    with pytest.raises(StartFailed, match="others may write to it; chmod go-w"):
        private_directory(str(tmp_path), "a")
    tmp_path.chmod(0o700)
    assert stat.S_IMODE(private_directory(str(tmp_path), "a").stat().st_mode) == 0o700


def test_the_address_is_that_which_leads_there() -> None:
    assert own_address("", "localhost", "here") == "127.0.0.1"
    with pytest.raises(StartFailed, match=r'here: cannot tell which address .*name one with interface = "eth0"'):
        own_address("", "no-such-host.invalid", "here")


def test_what_a_launcher_said_stays_where_it_was_said() -> None:
    environ = {"PATH": "a", "SLURM_JOB_ID": "1", "PMI_RANK": "0", "TMPDIR": "/x", "OMP_NUM_THREADS": "1"}
    assert travelling(environ) == {"PATH": "a", "OMP_NUM_THREADS": "1"}
    assert "HOME" in travelling(os.environ)
