"""The workflow files: pinned, parseable, with no more rights than they need."""

import re
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).parents[1]
FILES = sorted((ROOT / ".github" / "workflows").glob("*.yml"))
PINNED = re.compile(r"uses: [\w.-]+/[\w./-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+")
each_workflow = pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)


def load(file):
    return yaml.safe_load(file.read_text("utf-8"))


def steps_of(file):
    return [step for job in load(file)["jobs"].values() for step in job["steps"]]


def test_there_is_one_for_tests_and_one_for_wheels():
    assert [file.stem for file in FILES] == ["test", "wheels"]


@each_workflow
def test_every_action_is_pinned_by_commit(file):
    uses = re.findall(r"uses:.*", file.read_text("utf-8"))
    assert uses
    assert [line for line in uses if not PINNED.fullmatch(line)] == []
    assert len(uses) == len([step for step in steps_of(file) if "uses" in step])


@each_workflow
def test_permissions_are_least(file):
    workflow = load(file)
    assert workflow["permissions"] == {"contents": "read"}
    given = {name: job["permissions"] for name, job in workflow["jobs"].items() if "permissions" in job}
    assert given == ({"publish": {"id-token": "write"}} if file.stem == "wheels" else {})


@each_workflow
def test_no_credentials_stay_and_nothing_is_pasted_into_a_shell(file):
    for step in steps_of(file):
        if step.get("uses", "").startswith("actions/checkout@"):
            assert step["with"]["persist-credentials"] is False
        assert "${{" not in step.get("run", "")


@each_workflow
def test_runs_are_bounded(file):
    workflow = load(file)
    assert "github.ref" in workflow["concurrency"]["group"]
    assert all(job["timeout-minutes"] <= 60 for job in workflow["jobs"].values())


@each_workflow
def test_every_python_that_is_promised_is_there(file):
    promised = re.findall(r"Python :: (3\.\d+)", (ROOT / "pyproject.toml").read_text("utf-8"))
    # From 3.14 on without a global lock, too: in wheels, and tested by a job of their own.
    free = [f"{version}t" for version in promised if int(version.partition(".")[2]) >= 14]
    tested = [("test", promised), ("freethreaded", free)]
    wanted = tested if file.stem == "test" else [("wheel", [*promised, *free])]
    for name, versions in wanted:
        assert load(file)["jobs"][name]["strategy"]["matrix"]["python"] == versions


def test_only_a_tag_that_was_pushed_is_published():
    """YAML takes `on` for a truth value."""
    workflow = load(ROOT / ".github" / "workflows" / "wheels.yml")
    assert workflow[True]["push"] == {"tags": ["v*"]}
    publish = workflow["jobs"]["publish"]
    assert publish["if"] == "${{ github.event_name == 'push' && github.ref_type == 'tag' }}"
    assert publish["needs"] == ["wheel", "sdist"]
    assert publish["environment"] == "pypi"
