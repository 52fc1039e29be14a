"""The workflows, the action and the examples in the page on CI: they parse, fit their schemas, and name what exists."""

from __future__ import annotations

import configparser
import re
import subprocess
from pathlib import Path

import check_jsonschema
import pytest
from click.testing import CliRunner, Result

from tests.ci import ACTION, GITLAB, PAGE, ROOT, WORKFLOWS, examples, github_documents, parsed, scripts, steps_of
from tests.conftest import Run

SCRIPTS = list(scripts())
DOCUMENTS = dict(github_documents())
WRITTEN = [PAGE, GITLAB, ACTION, *WORKFLOWS, *(ROOT / name for name in ("tox.ini", "CONTRIBUTING.md", "README.md"))]


def check(schema: str, *paths: Path) -> Result:
    return CliRunner().invoke(check_jsonschema.main, ["--builtin-schema", schema, *map(str, paths)])


def test_workflows_are_what_github_reads(tmp_path: Path) -> None:
    shown = []
    for number, text in enumerate(examples("yaml")):
        assert text.startswith("# .github/workflows/")
        shown.append(tmp_path / f"{number}.yml")
        shown[-1].write_text(text)
    assert len(shown) == 3
    done = check("vendor.github-workflows", *WORKFLOWS, *shown)
    assert done.exit_code == 0, done.output
    done = check("custom.github-workflows-require-timeout", *WORKFLOWS, *shown)
    assert done.exit_code == 0, done.output


def test_a_workflow_with_a_slip_is_refused(tmp_path: Path) -> None:
    slip = tmp_path / "slip.yml"
    slip.write_text(WORKFLOWS[0].read_text().replace("runs-on:", "run-on:"))
    assert check("vendor.github-workflows", slip).exit_code == 1


def test_the_action_is_what_github_reads() -> None:
    done = check("vendor.github-actions", ACTION)
    assert done.exit_code == 0, done.output


def test_the_gitlab_example_is_what_gitlab_reads() -> None:
    done = check("vendor.gitlab-ci", GITLAB)
    assert done.exit_code == 0, done.output


@pytest.mark.parametrize("script", [text for _, text in SCRIPTS], ids=[name for name, _ in SCRIPTS])
def test_scripts_parse_and_take_no_text_from_outside(script: str) -> None:
    done = subprocess.run(["bash", "-n"], input=script, capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stderr) == (0, "")
    assert "${{" not in script  # a branch's name would be carried out


def test_every_option_and_mark_exists(run_pytest: Run) -> None:
    known = set(re.findall(r"--[a-z][a-z-]+", run_pytest("--help").stdout.str()))
    for path in WRITTEN:
        used = set(re.findall(r"--(?:parallel|benchmark)-[a-z-]+[a-z]", path.read_text()))
        assert used <= known, f"{path.name}: {sorted(used - known)}"
    assert {"--timeout", "--junit-xml"} <= known
    marks = re.findall(r"@pytest\.mark\.(\w+)", PAGE.read_text())
    assert marks
    declared = run_pytest("--markers").stdout.str()
    assert [mark for mark in marks if f"@pytest.mark.{mark}" not in declared] == []


def test_every_environment_of_tox_exists() -> None:
    tox = configparser.ConfigParser()
    tox.read(ROOT / "tox.ini")
    known = {section.removeprefix("testenv:") for section in tox.sections()}
    known |= {name.strip() for name in tox["tox"]["env_list"].split(",")}
    named = {name for path in WRITTEN for names in re.findall(r"tox -e ([\w,]+)", path.read_text())
             for name in names.split(",")}  # fmt: skip
    matrix = DOCUMENTS[".github/workflows/tests.yml"]["jobs"]["backends"]["strategy"]["matrix"]["environment"]
    assert {"gate", "mpich", "openmpi", "processes", "ipyparallel"} <= named
    assert {*named, *matrix} <= known


@pytest.mark.parametrize("name", [name for name in DOCUMENTS if "action.yml" not in name])
def test_gates_have_all_commits_and_results_are_kept(name: str) -> None:
    for job in DOCUMENTS[name]["jobs"].values():
        steps = job["steps"]
        text = str(steps)
        checkout = next(step for step in steps if step.get("uses", "").startswith("actions/checkout@"))
        if "--parallel-gate=" in text or "actions/gate" in text:
            assert checkout["with"]["fetch-depth"] == 0
        for step in steps:
            if step.get("uses", "").startswith("actions/upload-artifact@"):
                assert step["if"] == "${{ !cancelled() }}"


def test_the_gates_of_gitlab_have_all_commits() -> None:
    gate = parsed(GITLAB.read_text())["gate"]
    assert gate["variables"]["GIT_DEPTH"] == "0"
    assert gate["artifacts"]["when"] == "always"


def test_what_a_step_is_given_are_inputs_of_the_action() -> None:
    inputs = set(parsed(ACTION.read_text())["inputs"])
    given = [step["with"] for name, document in DOCUMENTS.items() if "action.yml" not in name
             for step in steps_of(document) if step.get("uses") == "./.github/actions/gate"]  # fmt: skip
    assert len(given) == 2
    for one in given:
        assert set(one) <= inputs
    table = set(re.findall(r"^\| `(\w+)` \| .* \|$", PAGE.read_text(), re.MULTILINE))
    assert inputs <= table


def test_links_of_the_page_lead_somewhere() -> None:
    text = PAGE.read_text()
    for target in re.findall(r"\]\(([^)]+)\)", text):
        file, _, anchor = target.partition("#")
        path = (PAGE.parent / file).resolve() if file else PAGE
        assert path.exists(), target
        if anchor:
            titles = re.findall(r"^#+ (.*)$", path.read_text(), re.MULTILINE)
            assert anchor in {re.sub(r"[^\w -]", "", title.lower()).replace(" ", "-") for title in titles}, target


def test_the_readme_leads_to_the_page() -> None:
    assert "(docs/ci.md)" in (ROOT / "README.md").read_text()
