"""The drawing of a run, compared as the whole text that a reader sees."""

from __future__ import annotations

import pytest

from pytest_parallel_lab.model.interleaving import Step, draw

READ, WRITE = "old = balance.value", "balance.value = old + amount"


def step(actor: str, line: int, source: str = "", op: str = "", path: str = "/home/ada/bank.py") -> Step:
    return Step(actor, op, (path, line, "deposit"), source)


def text(drawn: str) -> str:
    """A drawing as it stands in this file, where a bar begins each line."""
    return "\n".join(line.strip().removeprefix("|") for line in drawn.strip().splitlines())


LOST_UPDATE = [
    step("main.p0", 11, READ),
    step("main.p1", 11, READ),
    step("main.p1", 12, WRITE),
    step("main.p0", 12, WRITE),
]


def test_two_workers() -> None:
    assert draw(LOST_UPDATE, [1, 3]) == text(
        """
        |  main.p0                                    main.p1
        |  bank.py:11  old = balance.value
        |                                           → bank.py:11  old = balance.value
        |                                             bank.py:12  balance.value = old + amount
        |→ bank.py:12  balance.value = old + amount
        """
    )


def test_an_index_before_the_switch_marks_the_step_after_it() -> None:
    assert draw(LOST_UPDATE, [0, 2]) == draw(LOST_UPDATE, [1, 3])


def test_an_index_without_a_switch_marks_nothing() -> None:
    assert "→" not in draw([step("p0", i) for i in range(5)], [2])


def test_steps_of_one_line_say_what_they_do() -> None:
    drawn = draw(
        [
            step("p0", 5, "balance += 1", "reads"),
            step("p1", 5, "balance += 1", "writes"),
            step("p1", 6, "return", "ends"),
            step("p0", 7, op="takes lock"),
            Step("p1", "ends"),
        ],
        [1],
    )
    assert drawn == text(
        """
        |  p0                               p1
        |  bank.py:5  reads: balance += 1
        |                                 → bank.py:5  writes: balance += 1
        |                                   bank.py:6  return
        |  bank.py:7  takes lock
        |                                   ends
        """
    )


def test_steps_far_away_are_folded() -> None:
    steps = [
        *[step("p0", 3, "work()")] * 40,
        step("p1", 4, "more()"),
        *[step("p0", 3, "work()")] * 3,
        *[step("p1", 4, "more()")] * 20,
        *[step("p0", 3, "work()")] * 7,
    ]
    assert draw(steps, [40]) == text(
        """
        |  p0                  p1
        |  … 37 steps of p0 …
        |  bank.py:3  work()
        |  bank.py:3  work()
        |  bank.py:3  work()
        |                    → bank.py:4  more()
        |  bank.py:3  work()
        |  bank.py:3  work()
        |  bank.py:3  work()
        |  … 20 steps of p1, 7 of p0 …
        """
    )


def test_a_single_step_is_not_folded() -> None:
    steps = [step(actor, i, f"step_{i}()") for i, actor in enumerate(["p0"] * 4 + ["p1"] * 5)]
    assert draw(steps, [4]) == text(
        """
        |  p0                    p1
        |  bank.py:0  step_0()
        |  bank.py:1  step_1()
        |  bank.py:2  step_2()
        |  bank.py:3  step_3()
        |                      → bank.py:4  step_4()
        |                        bank.py:5  step_5()
        |                        bank.py:6  step_6()
        |                        bank.py:7  step_7()
        |                        bank.py:8  step_8()
        """
    )


def test_many_workers_who_take_part_near_the_switch_have_columns() -> None:
    steps = [
        *[step(f"p{i}", 1, "prepare()") for i in range(6) for _ in range(5)],
        step("p1", 11, READ),
        step("p4", 11, READ),
        step("p4", 12, WRITE),
        step("p1", 12, WRITE),
    ]
    assert draw(steps, [31], width=80) == text(
        """
        |  p1                           p4                           p5
        |  … 28 steps of 6 workers …
        |                                                            bank.py:1  prepare()
        |                                                            bank.py:1  prepare()
        |  bank.py:11  old = balance…
        |                             → bank.py:11  old = balance…
        |                               bank.py:12  balance.value…
        |  bank.py:12  balance.value…
        |without a column: p0 (5 steps), p2 (5 steps), p3 (5 steps)
        """
    )


def test_never_more_than_four_columns() -> None:
    steps = [step(f"p{i % 7}", i, f"step_{i}()") for i in range(60)]
    assert draw(steps, [20], width=90) == text(
        """
        |  p0                    p1                     p5                     p6
        |  … 19 steps of 7 workers …
        |                                               bank.py:19  step_19…
        |                                                                    → bank.py:20  step_20…
        |  bank.…:21  step_21…
        |                        bank.py:22  step_22…
        |  … 37 steps of 7 workers …
        |without a column: p2 (9 steps), p3 (9 steps), p4 (8 steps)
        """
    )


def test_without_an_index_the_end_is_drawn() -> None:
    steps = [step("p0", i, f"step_{i}()") for i in range(60)]
    assert draw(steps, []) == text(
        """
        |  p0
        |  … 56 steps of p0 …
        |  bank.py:56  step_56()
        |  bank.py:57  step_57()
        |  bank.py:58  step_58()
        |  bank.py:59  step_59()
        """
    )


def test_no_steps_no_drawing() -> None:
    assert draw([], [1]) == ""


def test_indices_outside_the_run_are_let_be() -> None:
    assert draw(LOST_UPDATE, [-9, -1, 1, 99]) == draw(LOST_UPDATE, [1])


def test_a_narrow_drawing_keeps_the_line_numbers() -> None:
    assert draw(LOST_UPDATE, [1, 3], width=40) == text(
        """
        |  main.p0             main.p1
        |  bank…:11  old = …
        |                    → bank.…:11  old = …
        |                      bank.…:12  balanc…
        |→ bank…:12  balanc…
        """
    )


def test_a_long_file_name_gives_way_to_the_code() -> None:
    path = "/home/ada/simulation_of_a_bank_with_accounts.py"
    steps = [step("p0", 11, READ, path=path), step("p1", 12, WRITE, path=path)]
    assert draw(steps, [1], width=80) == text(
        """
        |  p0                                      p1
        |  simulation_of_…:11  old = balance.va…
        |                                        → simulation_of_a…:12  balance.value = …
        """
    )


def test_a_long_name_of_a_worker_keeps_its_end() -> None:
    workers = ["main.process_of_the_bank.t1", "main.process_of_the_bank.t2"]
    header = draw([step(worker, 1) for worker in workers], [], width=40).splitlines()[0]
    assert header == "  …s_of_the_bank.t1   …ss_of_the_bank.t2"


@pytest.mark.parametrize("width", [20, 30, 50, 79, 100, 200])
@pytest.mark.parametrize("workers", [1, 2, 3, 4, 9])
def test_every_line_fits_the_width(workers: int, width: int) -> None:
    steps = [step(f"main.p{i * i % workers}", i, f"x[{i}] = {'long + ' * (i % 20)}1") for i in range(200)]
    lines = draw(steps, [0, 20, 77, 199], width).splitlines()
    assert [line for line in lines if len(line) > width] == []
    assert len(lines) < 60
