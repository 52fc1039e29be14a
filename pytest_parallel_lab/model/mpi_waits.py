"""Which MPI ranks can never go on: a fixpoint over what each waits for and what has been sent.

A rank is *hopeful* if it is not waiting, or if what it waits for has been sent, has been entered by
all others, or can still come from a hopeful rank. The ranks left over wait for each other, or for
ranks that have returned: with counters that stand still, that is a deadlock. It is the AND-OR model
of wait-for graphs that MPI correctness tools use (Hilbrich et al., "A graph based approach for MPI
deadlock detection", ICS 2009), with messages under way counted in; and it is one-sided: where
something is not known, a rank is hopeful.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from pytest_parallel_lab.model.told import Site
from pytest_parallel_lab.model.wait_for import Wait

SEND, RECEIVE, COLLECTIVE = "send", "receive", "collective"


@dataclass(frozen=True)
class Part:
    """One thing that a call waits for.

    Attributes:
        kind: ``SEND``, ``RECEIVE`` or ``COLLECTIVE``.
        comm: the communicator, by a name that all its ranks use.
        members: the ranks in it, as ranks of the run.
        peer: to or from whom; None for any.
        tag: the message's; None for any.
        index: the how-manieth collective on the communicator it is, from 0.
        name: the collective with its root, or the method that began to send or receive.
    """

    kind: str
    comm: str
    members: tuple[int, ...]
    peer: int | None = None
    tag: int | None = None
    index: int = 0
    name: str = ""


@dataclass(frozen=True)
class Call:
    """The blocking call that a rank is in; it ends when all its parts have, or any."""

    operation: str
    parts: tuple[Part, ...]
    any_will_do: bool = False
    at: Site | None = None


@dataclass(frozen=True)
class RankState:
    """What one rank has done so far.

    Attributes:
        rank: its number in the run.
        moves: how many calls it has entered and left.
        call: the one it is in, if any.
        finished: it has returned or raised.
        sent: messages by communicator, destination and tag.
        received: messages by communicator, source and tag.
        pending: what it has begun and not waited for.
        entered: how many collectives on each communicator, and the last one's name.
        opaque: it has used something that is not traced, so that nothing can be concluded.
        cpu_s: processor seconds that the process has used.
    """

    rank: int
    moves: int = 0
    call: Call | None = None
    finished: bool = False
    sent: Mapping[tuple[str, int, int], int] = field(default_factory=dict)
    received: Mapping[tuple[str, int, int], int] = field(default_factory=dict)
    pending: tuple[Part, ...] = ()
    entered: Mapping[str, tuple[int, str]] = field(default_factory=dict)
    opaque: bool = False
    cpu_s: float = 0.0


class Ranks:
    """All ranks of a run at one moment."""

    def __init__(self, states: Sequence[RankState]) -> None:
        """Find out who is hopeful."""
        self._states = {state.rank: state for state in states}
        self._hopeful = {s.rank for s in states if not s.finished and s.call is None}
        if any(s.opaque for s in states):
            self._hopeful |= {s.rank for s in states if not s.finished}
        grew = True
        while grew:
            more = {s.rank for s in states if s.rank not in self._hopeful and s.call and self._can_end(s.rank, s.call)}
            self._hopeful |= more
            grew = bool(more)

    def stuck(self) -> list[int]:
        """The ranks that can never go on."""
        return [r for r, s in sorted(self._states.items()) if s.call and not s.finished and r not in self._hopeful]

    def _can_end(self, rank: int, call: Call) -> bool:
        ends = (self._can_be_met(rank, part) for part in call.parts)
        return any(ends) if call.any_will_do else all(ends)

    def _can_be_met(self, rank: int, part: Part) -> bool:
        if part.kind == COLLECTIVE:
            missing = self.missing(part)
            return missing is not None and all(m in self._hopeful for m in missing)
        if part.kind == SEND:
            assert part.peer is not None
            to = self._states[part.peer]
            taking = [*(to.call.parts if to.call else ()), *to.pending]
            return (
                self._under_way(part.comm, rank, part.peer, part.tag) <= 0
                or any(p.kind == RECEIVE and p.comm == part.comm and _takes(p, rank, part.tag) for p in taking)
                or part.peer in self._hopeful
            )
        sources = part.members if part.peer is None else (part.peer,)
        return any(self._under_way(part.comm, s, rank, part.tag) > 0 for s in sources) or any(
            s in self._hopeful for s in sources if s != rank
        )

    def missing(self, part: Part) -> list[int] | None:
        """Who has not entered a collective yet; None where one has entered another in its place."""
        missing = []
        for member in part.members:
            count, name = self._states[member].entered.get(part.comm, (0, ""))
            if count <= part.index:
                missing.append(member)
            elif count == part.index + 1 and name != part.name:
                return None
        return missing

    def _under_way(self, comm: str, source: int, destination: int, tag: int | None) -> int:
        """Messages sent and not known to be received."""
        sent, received = self._states[source].sent, self._states[destination].received
        return _count(sent, comm, destination, tag) - _count(received, comm, source, tag)

    def waits(self) -> tuple[Wait, ...]:
        """What every stuck rank waits for."""
        return tuple(self._wait(rank) for rank in self.stuck())

    def cycle(self) -> tuple[Wait, ...]:
        """A cycle among the stuck ranks; empty where they wait for ranks that have returned."""
        stuck = self.stuck()
        for start in stuck:
            path = [start]
            while (after := next((b for b in self._blamed(path[-1]) if b in stuck), None)) is not None:
                if after in path:
                    return tuple(self._wait(rank) for rank in path[path.index(after) :])
                path.append(after)
        return ()

    def _blamed(self, rank: int) -> Iterator[int]:
        """The ranks that would have to act for a stuck rank to go on."""
        call = self._states[rank].call
        for part in call.parts if call else ():
            if self._can_be_met(rank, part):
                continue
            if part.kind == COLLECTIVE:
                yield from self.missing(part) or (m for m in part.members if m != rank)
            elif part.peer is not None:
                yield part.peer
            else:
                yield from (m for m in part.members if m != rank)

    def _wait(self, rank: int) -> Wait:
        call = self._states[rank].call
        assert call is not None
        parts = [part for part in call.parts if not self._can_be_met(rank, part)]
        what = " and ".join(dict.fromkeys(self._what(part) for part in parts))
        blamed = list(dict.fromkeys(self._blamed(rank)))
        return Wait(f"rank {rank}", what, _operation(call), call.at, ", ".join(self._condition(b) for b in blamed))

    def _what(self, part: Part) -> str:
        on = f" on {part.comm}"
        if part.kind == COLLECTIVE:
            return f"all ranks to enter {part.name}{on} (its collective number {part.index + 1})"
        tag = "any tag" if part.tag is None else f"tag {part.tag}"
        if part.kind == SEND:
            return f"rank {part.peer} to receive its message, {tag}{on}"
        return f"a message from {'any rank' if part.peer is None else f'rank {part.peer}'}, {tag}{on}"

    def _condition(self, rank: int) -> str:
        state = self._states[rank]
        if state.finished:
            return f"rank {rank}, which has returned"
        if state.call is None:
            return f"rank {rank}"
        return f"rank {rank}, which is in {state.call.operation}{f' at {state.call.at}' if state.call.at else ''}"


def _operation(call: Call) -> str:
    begun = sorted({part.name for part in call.parts if part.kind != COLLECTIVE} - {call.operation})
    return f"{call.operation} for {', '.join(begun)}" if begun else call.operation


def stood_still(
    before: Sequence[RankState], now: Sequence[RankState], ranks: Sequence[int], least_cpu_s: float
) -> bool:
    """Whether these ranks did not move between two looks although they had the processor.

    Args:
        before: all ranks at the first look.
        now: all ranks at the second look.
        ranks: whose counters have to have stood still.
        least_cpu_s: processor seconds each must have used: time enough to take in what was there.
    """
    earlier = {state.rank: state for state in before}
    return all(
        s.moves == earlier[s.rank].moves and s.call is not None and s.cpu_s - earlier[s.rank].cpu_s >= least_cpu_s
        for s in now
        if s.rank in ranks
    )


def _takes(receive: Part, source: int, tag: int | None) -> bool:
    return receive.peer in (None, source) and (receive.tag is None or receive.tag == tag)


def _count(messages: Mapping[tuple[str, int, int], int], comm: str, peer: int, tag: int | None) -> int:
    return sum(n for (c, p, t), n in messages.items() if c == comm and p == peer and tag in (None, t))
