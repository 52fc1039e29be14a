"""What is kept warm: clusters that take seconds to start rather than pools that take milliseconds."""

from __future__ import annotations

from pytest_parallel_lab.model.greedy_dual import GreedyDual


class Kept:
    """Three things at most, on a clock that only this moves."""

    def __init__(self) -> None:
        self.now_s = 0.0
        self.things: GreedyDual[str, str] = GreedyDual(3, lambda: self.now_s)

    def use(self, name: str, seconds: float) -> list[str]:
        """Take a thing, or make it in so many seconds, and put it back; what had to go."""
        if self.things.pop(name) is None:
            with self.things.making(name):
                self.now_s += seconds
        return self.things.put(name, name)


def test_what_is_cheap_to_make_again_goes_first() -> None:
    kept = Kept()
    assert [kept.use(name, seconds) for name, seconds in [("cluster", 2.0), ("pool", 0.1), ("ranks", 0.5)]] == [[]] * 3
    assert kept.use("threads", 0.1) == ["pool"]
    assert "cluster" in kept.things
    assert kept.things.pop("pool") is None


def test_of_those_alike_the_least_recently_used_goes() -> None:
    kept = Kept()
    for name in ("a", "b", "c", "a"):
        kept.use(name, 0.5)
    assert kept.use("d", 0.5) == ["b"]


def test_what_is_dear_goes_when_many_others_have_been_used_since() -> None:
    kept = Kept()
    kept.use("cluster", 2.0)
    gone = [name for number in range(12) for name in kept.use(f"pool {number}", 0.5)]
    assert gone.index("cluster") == 9  # those before it are worth half a second more, three by three


def test_all_that_is_kept_is_given_back_in_the_end() -> None:
    kept = Kept()
    kept.use("a", 1.0)
    kept.use("b", 1.0)
    assert kept.things.clear() == ["a", "b"]
    assert kept.things.clear() == []
