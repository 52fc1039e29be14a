"""Random numbers: seeded in every run, and told apart in every process of it.

A forked process goes on with its parent's streams. Two that both draw from the same one get the
same numbers, which no difference between runs will show.
"""

from __future__ import annotations

import functools
import hashlib
import random
import sys
from collections.abc import Callable
from typing import Any

from pytest_parallel_lab.explore.inside.opcodes import is_users_file
from pytest_parallel_lab.explore.inside.turns import me

_BLOCKS = 64  # so far ahead is looked for a Mersenne Twister that has been drawn from
_WORDS = 624
_birth: dict[str, Any] = {}
_told: set[str] = set()


def number_from(seed: int, label: str) -> int:
    """A number of 32 bits that depends on the seed and a label only."""
    return int.from_bytes(hashlib.sha256(f"{seed} {label}".encode()).digest()[:4], "big")


def begin(seed: int, label: str = "main") -> None:
    """Seed the random generators that a program may use without asking."""
    _seed_plainly(random, number_from(seed, label))
    numpy = sys.modules.get("numpy.random")
    if numpy is not None:
        _seed_plainly(numpy, number_from(seed, label))
    _notice_seeding()


def _seed_plainly(module: Any, number: int) -> None:
    getattr(module.seed, "__wrapped__", module.seed)(number)


def _notice_seeding() -> None:
    """Remember what a process seeds its global generators with: another may begin with the same."""
    for name, module, drawn in _global_generators():
        if not hasattr(module.seed, "__wrapped__"):
            module.seed = _noticed(name, module, drawn)


def _noticed(name: str, module: Any, drawn: Callable[[Any], bool]) -> Callable[..., Any]:
    original = module.seed

    @functools.wraps(original)
    def seed(*args: Any, **kwargs: Any) -> Any:
        tell()
        result = original(*args, **kwargs)
        actor = me()
        if actor is not None and (args or kwargs):
            _birth[name] = (_state(module), drawn)
            _told.discard(name)
        return result

    return seed


def _global_generators() -> list[tuple[str, Any, Callable[[Any], bool]]]:
    found: list[tuple[str, Any, Callable[[Any], bool]]] = [("random", random, _twister(random))]
    numpy = sys.modules.get("numpy.random")
    if numpy is not None:
        found.append(("numpy.random", numpy, _drawn_from_numpy))
    return found


def _state(module: Any) -> Any:
    return module.getstate() if module is random else module.get_state()


def remember(seed: int, label: str) -> None:
    """Remember the streams that a forked process has inherited; the module ``random`` seeds itself anew there."""
    _birth.clear()
    _told.clear()
    _seed_plainly(random, number_from(seed, label))
    for name, generator in _generators(random.Random):
        _birth[name] = (generator.getstate(), _twister(generator))
    numpy = sys.modules.get("numpy.random")
    if numpy is not None:
        _birth["numpy.random"] = (numpy.get_state(), _drawn_from_numpy)
        for name, generator in _generators(numpy.Generator):
            _birth[name] = (str(generator.bit_generator.state), _changed(generator))


def _generators(kind: type) -> list[tuple[str, Any]]:
    """The generators that are globals of the user's modules."""
    found = []
    for module in list(sys.modules.values()):
        path = getattr(module, "__file__", None)
        if path and is_users_file(path):
            found += [(f"{module.__name__}.{k}", v) for k, v in list(vars(module).items()) if isinstance(v, kind)]
    return found


def tell() -> None:
    """Tell which inherited streams this process has drawn from, as far as that is new."""
    actor = me()
    if actor is None:
        return
    for name, (state, drawn) in _birth.items():
        if name not in _told and drawn(state):
            _told.add(name)
            actor.note("draws", hashlib.sha256(repr(state).encode()).hexdigest()[:16], name=name)


def _changed(generator: Any) -> Callable[[Any], bool]:
    return lambda state: str(generator.bit_generator.state) != state


def _twister(generator: Any) -> Callable[[Any], bool]:
    def drawn(state: Any) -> bool:
        now = generator.getstate()
        if now == state:
            return False
        ahead = random.Random()
        ahead.setstate(state)
        return _meets(now[1][:_WORDS], lambda: ahead.getstate()[1][:_WORDS], lambda: ahead.getrandbits(32 * _WORDS))

    return drawn


def _drawn_from_numpy(state: Any) -> bool:
    numpy = sys.modules["numpy.random"]
    now = numpy.get_state()
    if now[2] == state[2] and (now[1] == state[1]).all():
        return False
    ahead = numpy.RandomState()
    ahead.set_state(state)
    return _meets(now[1].tobytes(), lambda: ahead.get_state()[1].tobytes(), lambda: ahead.bytes(4 * _WORDS))


def _meets(words: Any, of_ahead: Callable[[], Any], go_on: Callable[[], Any]) -> bool:
    """Whether a generator that goes on comes by these words; one that was seeded anew does not."""
    for _ in range(_BLOCKS):
        if of_ahead() == words:
            return True
        go_on()
    return False
