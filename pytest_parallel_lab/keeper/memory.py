"""Anonymous shared memory: segments without a name, so that no kill can leave one behind.

A segment is a ``memfd`` (Linux): it goes with the last process that has it open. Other processes
reach it through the file descriptor of one that does, either sent over a socket or opened at
``/proc/<pid>/fd/<fd>``.
"""

from __future__ import annotations

import mmap
import os
import shutil
import sys
import weakref
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pytest_parallel_lab.model.errors import ParallelError

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

_SMALL_BYTES = 1 << 26  # what containers get by default
AVAILABLE = sys.platform == "linux" and hasattr(os, "memfd_create")


def space() -> str:
    """How full the shared memory with names is, and what to do where it is small."""
    try:
        usage = shutil.disk_usage("/dev/shm")
    except OSError as error:
        return f"There is no /dev/shm ({error}); MPI and named semaphores need it."
    text = f"{_amount(usage.free)} are free of {_amount(usage.total)} in /dev/shm."
    if usage.total < _SMALL_BYTES or usage.free < usage.total // 10:
        text += " Remove what is left over there, or make it larger (docker run --shm-size=1g)."
    return text


def _amount(size_bytes: int) -> str:
    return f"{size_bytes >> 10} kB" if size_bytes < 10 << 20 else f"{size_bytes >> 20} MB"


class Segment:
    """A mapped piece of anonymous shared memory.

    The mapping lives as long as any buffer made from ``view``, the descriptor as long as the
    mapping, so nobody has to close either.
    """

    def __init__(self, fd: int, size_bytes: int, *, private: bool = False) -> None:
        """Map an open descriptor, which then belongs to the segment.

        Args:
            fd: of a memfd.
            size_bytes: its size.
            private: writes stay with this process (copy on write).
        """
        flags = mmap.MAP_PRIVATE if private else mmap.MAP_SHARED
        self.fd = fd
        self.size_bytes = size_bytes
        mapping = mmap.mmap(fd, size_bytes, flags=flags, prot=mmap.PROT_READ | mmap.PROT_WRITE)
        weakref.finalize(mapping, os.close, fd)
        self.view = memoryview(mapping)
        if not private:
            _remember(mapping, self)

    @classmethod
    def create(cls, size_bytes: int) -> Segment:
        """Make a new, zeroed segment.

        Raises:
            ParallelError: not on Linux, or no memory left.
        """
        if not AVAILABLE:
            raise ParallelError("anonymous shared memory needs Linux (memfd_create); pass the array itself instead")
        fd = os.memfd_create("parallel-lab")
        try:
            os.truncate(fd, max(size_bytes, 1))
        except OSError as error:
            os.close(fd)
            raise ParallelError(f"no shared memory for {size_bytes} bytes: {error}") from error
        return cls(fd, max(size_bytes, 1))


# Start address -> (size, descriptor, mapping) of each shared mapping of this process, so that an
# array can be traced back to the segment that it lives in.
_mappings: dict[int, tuple[int, int, weakref.ref[mmap.mmap]]] = {}


def _remember(mapping: mmap.mmap, segment: Segment) -> None:
    import ctypes

    address = ctypes.addressof(ctypes.c_char.from_buffer(mapping))
    _mappings[address] = (segment.size_bytes, segment.fd, weakref.ref(mapping))
    weakref.finalize(mapping, _mappings.pop, address, None)


def _find(address: int) -> tuple[int, int, int] | None:
    """The (start, size, descriptor) of the mapping that holds an address."""
    for start, (size_bytes, fd, mapping) in list(_mappings.items()):
        if start <= address < start + size_bytes and mapping() is not None:
            return start, size_bytes, fd
    return None


@dataclass(frozen=True)
class _Location:
    """Where another process finds a segment."""

    pid: int
    fd: int
    inode: int
    size_bytes: int


class SharedArray:
    """A NumPy array that travels to other processes of this machine without being copied.

    Pickling it sends where it lives, not what it holds. The process that made it must still be
    running when another one loads it.
    """

    def __init__(self, array: npt.NDArray[Any], location: _Location, offset: int) -> None:
        self.array = array
        self._location = location
        self._offset = offset

    @classmethod
    def empty(cls, shape: tuple[int, ...], dtype: npt.DTypeLike = float) -> SharedArray:
        """Make a new array of zeros in shared memory.

        Raises:
            ParallelError: not on Linux, or no memory left.
        """
        import numpy as np

        size_bytes = int(np.prod(shape, dtype=np.int64)) * np.dtype(dtype).itemsize
        segment = Segment.create(size_bytes)
        return cls(np.ndarray(shape, dtype, buffer=segment.view), _locate(segment.fd, segment.size_bytes), 0)

    @classmethod
    def of(cls, array: npt.NDArray[Any]) -> SharedArray:
        """Share an array: as it is where it lives in shared memory already, else as a copy.

        Large arguments of a run arrive in shared memory, so sharing those costs nothing.
        """
        address = array.__array_interface__["data"][0]
        found = _find(address) if array.size else None
        if found is None:
            shared = cls.empty(array.shape, array.dtype)
            shared.array[...] = array
            return shared
        start, size_bytes, fd = found
        return cls(array, _locate(fd, size_bytes), address - start)

    def __reduce__(self) -> tuple[Any, ...]:
        a = self.array
        return _attach, (self._location, self._offset, a.shape, a.dtype, a.strides)


def _locate(fd: int, size_bytes: int) -> _Location:
    return _Location(os.getpid(), fd, os.fstat(fd).st_ino, size_bytes)


def _attach(
    location: _Location, offset: int, shape: tuple[int, ...], dtype: np.dtype[Any], strides: tuple[int, ...]
) -> SharedArray:
    import numpy as np

    try:
        fd = os.open(f"/proc/{location.pid}/fd/{location.fd}", os.O_RDWR | os.O_CLOEXEC)
    except OSError as error:
        raise ParallelError(f"the shared array of process {location.pid} is gone: {error}") from error
    if os.fstat(fd).st_ino != location.inode:
        os.close(fd)
        raise ParallelError(f"the shared array of process {location.pid} is gone: it has been freed")
    segment = Segment(fd, location.size_bytes)
    array: npt.NDArray[Any] = np.ndarray(shape, dtype, segment.view, offset, strides)
    return SharedArray(array, location, offset)
