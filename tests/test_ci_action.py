"""The scripts of the action and of GitLab's example, carried out in scratch repositories."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from tests.ci import GITLAB, git, parsed, run_step

TABLE = "<!-- pytest-parallel-lab: gate -->\n## Gate: ✅ 3 passed of 3 tests\n"


@pytest.fixture
def clone(tmp_path: Path) -> Path:
    """What actions/checkout makes of a pull request: its merge with the base branch, which has moved on since."""
    upstream = tmp_path / "upstream"
    upstream.mkdir()
    git(upstream, "init", "-q")
    git(upstream, "commit", "-q", "--allow-empty", "-m", "first")
    git(upstream, "checkout", "-q", "-b", "change")
    git(upstream, "commit", "-q", "--allow-empty", "-m", "the change")
    git(upstream, "checkout", "-q", "main")
    git(upstream, "commit", "-q", "--allow-empty", "-m", "merged into")
    git(upstream, "checkout", "-q", "-b", "merged")
    git(upstream, "merge", "-q", "--no-ff", "-m", "the merge", "change")
    git(upstream, "checkout", "-q", "main")
    git(upstream, "commit", "-q", "--allow-empty", "-m", "moved on")
    git(tmp_path, "clone", "-q", f"file://{upstream}", "clone")
    git(tmp_path / "clone", "checkout", "-q", "origin/merged")
    return tmp_path / "clone"


def find_base(clone: Path, **environment: str) -> tuple[int, str, dict[str, str]]:
    return run_step("Find the base", clone, **{"PYTHON": sys.executable, "BASE": "", **environment})


def test_the_base_is_what_the_change_was_merged_into(clone: Path) -> None:
    status, printed, outputs = find_base(clone, GITHUB_BASE_REF="main")
    assert (status, printed) == (0, "")
    assert outputs["base"] == git(clone, "rev-parse", "HEAD^1")
    assert git(clone, "log", "-1", "--format=%s", outputs["base"]) == "merged into"


def test_the_base_is_where_a_branch_left(clone: Path) -> None:
    git(clone, "checkout", "-q", "origin/change")
    outputs = find_base(clone, GITHUB_BASE_REF="main")[2]
    assert git(clone, "log", "-1", "--format=%s", outputs["base"]) == "first"


def test_a_base_that_is_given_is_taken_and_cached_by_its_commit(clone: Path) -> None:
    status, _, outputs = find_base(clone, BASE="origin/main")
    assert (status, outputs["base"]) == (0, "origin/main")
    key = find_base(clone, BASE=git(clone, "rev-parse", "origin/main"))[2]["key"]
    assert outputs["key"] == key
    assert find_base(clone, BASE="HEAD")[2]["key"] != key
    assert find_base(clone, BASE="numpy==2.2.0")[2]["base"] == "numpy==2.2.0"


def test_without_a_base_it_says_what_to_give(clone: Path) -> None:
    status, printed, _ = find_base(clone)
    assert status == 1
    assert printed.startswith("::error title=parallel gate::no base: this is no pull request; give the input 'base'")


def test_a_clone_without_the_base_says_how_to_get_it(clone: Path) -> None:
    git(clone.parent, "clone", "-q", "--depth=1", "--branch=merged", f"file://{clone.parent}/upstream", "shallow")
    status, printed, _ = find_base(clone.parent / "shallow", GITHUB_BASE_REF="main")
    assert status == 1
    told = "::error title=parallel gate::HEAD and origin/main have no common commit in this clone; "
    assert f"{told}give actions/checkout fetch-depth: 0\n" in printed


def test_a_missing_pytest_is_said(tmp_path: Path) -> None:
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(tmp_path / "venv")], check=True, timeout=60)
    python = str(tmp_path / "venv/bin/python")
    status, printed, _ = run_step("Measure both", tmp_path, PYTHON=python, ARGUMENTS="", BASE="HEAD~1")
    assert status == 1
    assert f"there is no {tmp_path}/venv/bin/pytest: install the project" in printed
    assert "or give the input 'python'" in printed


def comment(directory: Path, earlier: str, status: int = 0) -> tuple[int, str, list[str]]:
    """The action's comment, with a gh that notes how it is called, and knows these comments."""
    log = directory / "gh.log"
    log.write_text("")
    gh = directory / "bin/gh"
    gh.parent.mkdir(exist_ok=True)
    gh.write_text(f"""#!/bin/bash
echo "$*" >> {log}
for argument; do case $argument in body=@*) cat "${{argument#body=@}}" >> {log};; --jq) echo "{earlier}";; esac; done
exit {status}
""")
    gh.chmod(0o755)
    told = {"NAME": "parallel-gate", "NUMBER": "7", "GITHUB_REPOSITORY": "owner/name", "GH_TOKEN": "token"}
    done, printed, _ = run_step("Comment", directory, PATH=f"{gh.parent}:{os.environ['PATH']}", **told)
    return done, printed, log.read_text().splitlines()


@pytest.fixture
def measured(tmp_path: Path) -> Path:
    (tmp_path / "parallel-gate").mkdir()
    (tmp_path / "parallel-gate/gate.md").write_text(TABLE)
    return tmp_path


def test_the_first_comment_is_new(measured: Path) -> None:
    status, printed, (asked, posted, *body) = comment(measured, "")
    assert (status, printed) == (0, "")
    assert asked.startswith("api --paginate repos/owner/name/issues/7/comments --jq ")
    assert posted.startswith("api --silent --method POST repos/owner/name/issues/7/comments --field body=@")
    assert body == ["<!-- parallel-gate -->", *TABLE.splitlines()]


def test_the_next_one_takes_its_place(measured: Path) -> None:
    posted = comment(measured, "31\n32")[2][1]
    assert posted.startswith("api --silent --method PATCH repos/owner/name/issues/comments/31 --field body=@")


def test_without_the_right_to_comment_the_verdict_stands(measured: Path) -> None:
    status, printed, _ = comment(measured, "", status=1)
    assert status == 0
    assert "::warning title=parallel gate::the comment was not written; the job needs permissions: " in printed
    assert "pull-requests: write. The verdict stands." in printed


def test_where_nothing_was_measured_there_is_no_comment(tmp_path: Path) -> None:
    status, printed, calls = comment(tmp_path, "")
    assert (status, calls) == (0, [])
    assert "::warning title=parallel gate::nothing was measured, so there is no comment" in printed


class GitLabNotes(BaseHTTPRequestHandler):
    """As much of GitLab as writing a note takes."""

    notes: list[dict[str, object]]
    calls: list[tuple[str, str, object]]

    def answer(self) -> None:
        length = int(self.headers.get("Content-Length", 0))
        body = json.loads(self.rfile.read(length)) if length else None
        type(self).calls.append((self.command, self.path, body))
        text = json.dumps(self.notes if self.command == "GET" else {}).encode()
        self.send_response(200 if self.headers["PRIVATE-TOKEN"] == "secret" else 401)
        self.end_headers()
        self.wfile.write(text)

    do_GET = do_POST = do_PUT = answer  # noqa: N815

    def log_message(self, format: str, *args: object) -> None:
        """Nothing on the terminal."""


@pytest.fixture
def gitlab() -> Iterator[str]:
    GitLabNotes.notes, GitLabNotes.calls = [], []
    with ThreadingHTTPServer(("127.0.0.1", 0), GitLabNotes) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


def note(directory: Path, api: str, **environment: str) -> tuple[int, str]:
    (script,) = parsed(GITLAB.read_text())["gate"]["after_script"]
    where = {"CI_API_V4_URL": api, "CI_PROJECT_ID": "5", "CI_MERGE_REQUEST_IID": "7", "no_proxy": "*"}
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    done = subprocess.run(
        ["bash", "-eo", "pipefail", "-c", script],
        cwd=directory,
        env={**os.environ, "PATH": path, **where, **environment},
        capture_output=True,
        text=True,
        timeout=60,
    )
    return done.returncode, done.stderr


def test_a_note_in_gitlab_is_written_once_and_then_replaced(tmp_path: Path, gitlab: str) -> None:
    (tmp_path / "results").mkdir()
    (tmp_path / "results/gate.md").write_text(TABLE)
    assert note(tmp_path, gitlab, GATE_TOKEN="secret") == (0, "")
    GitLabNotes.notes = [{"id": 3, "body": "other"}, {"id": 2, "body": TABLE}]
    assert note(tmp_path, gitlab, GATE_TOKEN="secret") == (0, "")
    listed, posted, _, put = GitLabNotes.calls
    assert listed == ("GET", "/projects/5/merge_requests/7/notes?sort=desc&per_page=100", None)
    assert posted == ("POST", "/projects/5/merge_requests/7/notes", {"body": TABLE})
    assert put == ("PUT", "/projects/5/merge_requests/7/notes/2", {"body": TABLE})


def test_a_note_that_cannot_be_written_says_why(tmp_path: Path, gitlab: str) -> None:
    assert note(tmp_path, gitlab) == (1, "no note: nothing was measured\n")
    (tmp_path / "results").mkdir()
    (tmp_path / "results/gate.md").write_text(TABLE)
    told = "no note: there is no variable GATE_TOKEN, a project access token with the scope api\n"
    assert note(tmp_path, gitlab) == (1, told)
    assert GitLabNotes.calls == []
