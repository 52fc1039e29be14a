"""What the tests of CI share: the workflows, the action, the documents' examples, and the scripts in them."""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).parents[1]
ACTION = ROOT / ".github/actions/gate/action.yml"
GITLAB = ROOT / "docs/examples/gitlab-ci.yml"
PAGE = ROOT / "docs/ci.md"
WORKFLOWS = sorted((ROOT / ".github/workflows").glob("*.yml"))


def parsed(text: str) -> dict[Any, Any]:
    """A document in YAML."""
    document = yaml.safe_load(text)
    assert isinstance(document, dict)
    return document


def examples(language: str) -> list[str]:
    """The fenced blocks of a language in the page on CI."""
    return re.findall(rf"^```{language}\n(.*?)^```", PAGE.read_text(), re.DOTALL | re.MULTILINE)


def steps_of(document: Mapping[Any, Any]) -> list[dict[str, Any]]:
    """The steps of a workflow or of an action."""
    if "runs" in document:
        return list(document["runs"]["steps"])
    return [step for job in document["jobs"].values() for step in job["steps"]]


def github_documents() -> Iterator[tuple[str, dict[Any, Any]]]:
    """All that GitHub would read, with names: workflows, the action, the page's examples."""
    for path in [*WORKFLOWS, ACTION]:
        yield str(path.relative_to(ROOT)), parsed(path.read_text())
    for number, text in enumerate(examples("yaml")):
        yield f"docs/ci.md {number}", parsed(text)


def scripts() -> Iterator[tuple[str, str]]:
    """All shell scripts in workflows, the action and the examples, with names."""
    for name, document in github_documents():
        for step in steps_of(document):
            if "run" in step:
                yield f"{name}: {step.get('name', step['run'].splitlines()[0])}", step["run"]
    for job, content in parsed(GITLAB.read_text()).items():
        for part in ("script", "after_script"):
            for number, script in enumerate(content.get(part, ()) if isinstance(content, dict) else ()):
                yield f"gitlab-ci.yml: {job} {part} {number}", script
    for number, text in enumerate(examples("sh")):
        yield f"docs/ci.md sh {number}", text


def run_step(name: str, directory: Path, **environment: str) -> tuple[int, str, dict[str, str]]:
    """Carry out a step of the action as GitHub does.

    Returns:
        Its exit status, what it printed, and its outputs.
    """
    (script,) = (step["run"] for step in steps_of(parsed(ACTION.read_text())) if step.get("name") == name)
    outputs = directory / "outputs.txt"
    outputs.write_text("")
    passed_on = {key: value for key, value in os.environ.items() if not key.startswith("GITHUB_")}
    done = subprocess.run(
        ["bash", "--noprofile", "--norc", "-eo", "pipefail", "-c", script],
        cwd=directory,
        env={**passed_on, "GITHUB_OUTPUT": str(outputs), **environment},
        capture_output=True,
        text=True,
        timeout=100,
    )
    lines = [line.partition("=") for line in outputs.read_text().splitlines()]
    outputs.unlink()
    return done.returncode, done.stdout + done.stderr, {key: value for key, _, value in lines}


def git(directory: Path, *words: str) -> str:
    """What git says in a directory, as somebody with a name and no settings."""
    environment = {**os.environ, "GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_NOSYSTEM": "1"}
    named = ["-c", "user.name=test", "-c", "user.email=test@example.invalid", "-c", "init.defaultBranch=main"]
    done = subprocess.run(
        ["git", *named, *words], cwd=directory, env=environment, capture_output=True, text=True, check=True, timeout=60
    )
    return done.stdout.strip()
