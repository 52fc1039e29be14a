"""Syntax trees of sources, for the names that reports use."""

from __future__ import annotations

import ast
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from pytest_parallel_lab.keeper.agent import source


def test_an_interpreter_that_refuses_once_is_asked_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "program.py"
    file.write_text("lock = 1\n")
    refused = iter([SystemError("AST constructor recursion depth mismatch"), None])
    parse = ast.parse

    def refuse_first(text: str) -> ast.Module:
        error = next(refused)
        if error is not None:
            raise error
        return parse(text)

    monkeypatch.setattr(ast, "parse", refuse_first)
    assert source.tree_of(str(file)) is not None


def test_what_is_no_python_has_no_tree(tmp_path: Path) -> None:
    (tmp_path / "program.txt").write_text("no python\n")
    assert source.tree_of(str(tmp_path / "program.txt")) is None
    assert source.tree_of(str(tmp_path / "missing.py")) is not None  # empty


def test_threads_parse_at_once(tmp_path: Path) -> None:
    text = "x = " + "+".join(f"(({n}) * {n})" for n in range(400))
    for number in range(40):
        (tmp_path / f"{number}.py").write_text(text)
    with ThreadPoolExecutor(8) as pool:
        assert None not in list(pool.map(source.tree_of, [str(tmp_path / f"{n}.py") for n in range(40)]))
