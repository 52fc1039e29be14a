"""What workers did when: without gaps, and with waiting told apart from meetings."""

from __future__ import annotations

from pytest_parallel_lab.model.timeline import (
    COMMUNICATION,
    COMPUTE,
    STARTUP,
    WAITING,
    Section,
    Span,
    joined,
)


def test_gaps_are_filled_and_time_begins_at_the_section() -> None:
    spans = (Span(0, 11.0, 12.0, COMPUTE, "f"), Span(0, 12.5, 13.0, COMMUNICATION, "put"))
    assert Section(2, 10.0, 14.0, spans).timeline() == [
        Span(0, 0.0, 1.0, WAITING),
        Span(0, 1.0, 2.0, COMPUTE, "f"),
        Span(0, 2.0, 2.5, WAITING),
        Span(0, 2.5, 3.0, COMMUNICATION, "put"),
        Span(0, 3.0, 4.0, WAITING),
        Span(1, 0.0, 4.0, WAITING),
    ]


def test_what_is_outside_the_section_or_told_twice_does_not_count() -> None:
    spans = (
        Span(0, 5.0, 9.0, COMPUTE, "before"),
        Span(0, 9.5, 11.0, COMPUTE, "across the start"),
        Span(0, 10.5, 12.0, COMPUTE, "overlaps"),
        Span(0, 13.0, 99.0, COMPUTE, "across the end"),
        Span(0, 99.0, 100.0, COMPUTE, "after"),
    )
    (seconds,) = Section(1, 10.0, 14.0, spans).seconds()
    assert seconds == {STARTUP: 0.0, COMPUTE: 3.0, COMMUNICATION: 0.0, WAITING: 1.0}


def test_a_meeting_begins_when_its_last_worker_comes() -> None:
    first = Span(0, 1.0, 6.0, COMMUNICATION, "Allreduce", "comm 0")
    second = Span(1, 5.0, 6.0, COMMUNICATION, "Allreduce", "comm 0")
    section = Section(2, 0.0, 6.0, (first, second), gaps=COMPUTE)
    one, two = section.seconds()
    assert (one[COMPUTE], one[WAITING], one[COMMUNICATION]) == (1.0, 4.0, 1.0)
    assert (two[COMPUTE], two[WAITING], two[COMMUNICATION]) == (5.0, 0.0, 1.0)


def test_one_who_left_a_meeting_before_the_last_came_has_only_waited() -> None:
    first = Span(0, 1.0, 2.0, COMMUNICATION, "Gather", "comm 0")
    second = Span(1, 5.0, 6.0, COMMUNICATION, "Gather", "comm 0")
    one, two = Section(2, 0.0, 6.0, (first, second), gaps=COMPUTE).seconds()
    assert (one[WAITING], one[COMMUNICATION]) == (1.0, 0.0)
    assert (two[WAITING], two[COMMUNICATION]) == (0.0, 1.0)


def test_tasks_come_in_the_order_in_which_they_began_of_whichever_worker() -> None:
    spans = (
        Span(1, 2.0, 4.0, COMPUTE),
        Span(0, 1.0, 2.0, COMPUTE),
        Span(0, 0.0, 1.0, COMMUNICATION),
    )
    assert Section(2, 0.0, 4.0, spans).task_times_s() == (1.0, 2.0)
    assert Section(2, 0.0, 4.0, spans, gaps=COMPUTE).task_times_s() == ()


def test_what_ranks_tell_each_of_itself_is_one_section() -> None:
    one = Section(2, 1.0, 5.0, (Span(0, 2.0, 3.0, COMMUNICATION),), gaps=COMPUTE)
    two = Section(2, 0.5, 4.0, (Span(1, 2.0, 4.0, COMMUNICATION),), gaps=COMPUTE)
    both = joined([one, two])
    assert (both.workers, both.start_s, both.end_s, both.gaps) == (2, 0.5, 5.0, COMPUTE)
    assert [s[COMPUTE] for s in both.seconds()] == [3.5, 2.5]
