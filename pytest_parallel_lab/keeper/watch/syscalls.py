"""System calls that wait: their numbers by machine, and where their time limit is."""

from __future__ import annotations

import os

# Source: the kernel's syscall tables (arch/x86/entry/syscalls/syscall_64.tbl, include/uapi/asm-generic/unistd.h).
_X86_64 = {
    "read": 0, "write": 1, "poll": 7, "readv": 19, "writev": 20, "select": 23, "connect": 42, "accept": 43,
    "sendto": 44, "recvfrom": 45, "sendmsg": 46, "recvmsg": 47, "wait4": 61, "fcntl": 72, "flock": 73, "futex": 202,
    "epoll_wait": 232, "waitid": 247, "pselect6": 270, "ppoll": 271, "epoll_pwait": 281, "accept4": 288,
    "epoll_pwait2": 441, "pause": 34, "nanosleep": 35, "clock_nanosleep": 230, "rt_sigsuspend": 130,
    "rt_sigtimedwait": 128, "restart_syscall": 219,
}  # fmt: skip
_GENERIC = {
    "read": 63, "write": 64, "readv": 65, "writev": 66, "connect": 203, "accept": 202, "sendto": 206, "recvfrom": 207,
    "sendmsg": 211, "recvmsg": 212, "wait4": 260, "fcntl": 25, "flock": 32, "futex": 98, "waitid": 95, "pselect6": 72,
    "ppoll": 73, "epoll_pwait": 22, "accept4": 242, "epoll_pwait2": 441, "nanosleep": 101, "clock_nanosleep": 115,
    "rt_sigsuspend": 133, "rt_sigtimedwait": 137, "restart_syscall": 128,
}  # fmt: skip
_BY_MACHINE = {"x86_64": _X86_64, "aarch64": _GENERIC, "riscv64": _GENERIC}

_NAMES = {number: name for name, number in _BY_MACHINE.get(os.uname().machine, {}).items()}

KNOWN_MACHINE = bool(_NAMES)


def name_of(number: int) -> str:
    """The name of a system call that we know, else its number in words."""
    return _NAMES.get(number, f"system call {number}")
