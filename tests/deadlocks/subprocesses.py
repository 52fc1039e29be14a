"""Other programs, and the pipes to them."""

from __future__ import annotations

import sys
from subprocess import PIPE, Popen

from tests.deadlocks.corpus import buggy, fixes

PRINTS_MUCH = (sys.executable, "-c", "print('x' * 1_000_000)")
COMPLAINS_MUCH = (sys.executable, "-c", "import sys; sys.stderr.write('x' * 1_000_000); print('done')")
GREETS_BACK = (sys.executable, "-c", "print('hello', input())")


@buggy(says=("Popen.wait",))
def wait_before_read() -> int:
    """The parent waits for the end of a child that waits for its output to be read."""
    with Popen(PRINTS_MUCH, stdout=PIPE, text=True) as child:
        child.wait()
        assert child.stdout
        return len(child.stdout.read())


@fixes(wait_before_read)
def wait_before_read_fixed() -> int:
    """The parent reads the output while it waits."""
    with Popen(PRINTS_MUCH, stdout=PIPE, text=True) as child:
        return len(child.communicate()[0])


@buggy(says=("read",))
def errors_never_read() -> str:
    """The parent reads the output of a child that waits for its errors to be read."""
    with Popen(COMPLAINS_MUCH, stdout=PIPE, stderr=PIPE, text=True) as child:
        assert child.stdout
        return child.stdout.read()


@fixes(errors_never_read)
def errors_never_read_fixed() -> str:
    """The parent reads the output and the errors at the same time."""
    with Popen(COMPLAINS_MUCH, stdout=PIPE, stderr=PIPE, text=True) as child:
        return child.communicate()[0]


@buggy(says=("readline",))
def both_read() -> str:
    """The child waits for its input, the parent for the child's output."""
    with Popen(GREETS_BACK, stdin=PIPE, stdout=PIPE, text=True) as child:
        assert child.stdout
        return child.stdout.readline()


@fixes(both_read)
def both_read_fixed() -> str:
    """The parent sends the input first."""
    with Popen(GREETS_BACK, stdin=PIPE, stdout=PIPE, text=True) as child:
        assert child.stdin
        assert child.stdout
        print("you", file=child.stdin, flush=True)
        return child.stdout.readline()


@buggy(says=("readline",))
def input_never_flushed() -> str:
    """The input of the child is still in a buffer of the parent, which waits for the answer."""
    with Popen(GREETS_BACK, stdin=PIPE, stdout=PIPE, text=True) as child:
        assert child.stdin
        assert child.stdout
        print("you", file=child.stdin)
        return child.stdout.readline()


@fixes(input_never_flushed)
def input_never_flushed_fixed() -> str:
    """The buffer is line by line."""
    with Popen(GREETS_BACK, stdin=PIPE, stdout=PIPE, text=True, bufsize=1) as child:
        assert child.stdin
        assert child.stdout
        print("you", file=child.stdin)
        return child.stdout.readline()


@buggy(says=("write",))
def both_write() -> int:
    """The parent writes to a filter that waits for its output to be read."""
    with Popen(["cat"], stdin=PIPE, stdout=PIPE) as child:
        assert child.stdin
        assert child.stdout
        child.stdin.write(bytes(1_000_000))
        child.stdin.close()
        return len(child.stdout.read())


@fixes(both_write)
def both_write_fixed() -> int:
    """The parent writes and reads at the same time."""
    with Popen(["cat"], stdin=PIPE, stdout=PIPE) as child:
        return len(child.communicate(bytes(1_000_000))[0])


@buggy(says=("read",))
def input_never_closed() -> bytes:
    """The parent reads the output of a program that sorts its input, and has not ended the input."""
    with Popen(["sort"], stdin=PIPE, stdout=PIPE) as child:
        assert child.stdin
        assert child.stdout
        child.stdin.write(b"b\na\n")
        child.stdin.flush()
        return child.stdout.read()


@fixes(input_never_closed)
def input_never_closed_fixed() -> bytes:
    """The parent ends the input, then reads."""
    with Popen(["sort"], stdin=PIPE, stdout=PIPE) as child:
        assert child.stdin
        assert child.stdout
        child.stdin.write(b"b\na\n")
        child.stdin.close()
        return child.stdout.read()


@buggy(says=("Popen.wait",))
def two_programs_in_a_line() -> bytes:
    """The parent waits for the first program of a line whose last one has a full output."""
    with Popen(PRINTS_MUCH, stdout=PIPE) as first, Popen(["cat"], stdin=first.stdout, stdout=PIPE) as last:
        first.wait()
        return last.communicate()[0][:1]


@fixes(two_programs_in_a_line)
def two_programs_in_a_line_fixed() -> bytes:
    """The parent reads the output of the last program, then waits for the first."""
    with Popen(PRINTS_MUCH, stdout=PIPE) as first, Popen(["cat"], stdin=first.stdout, stdout=PIPE) as last:
        output = last.communicate()[0][:1]
        first.wait()
        return output
