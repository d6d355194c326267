"""The documentation tells the truth: every Python block in it runs."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
NAMES = ("README.md", "SECURITY.md", "CONTRIBUTING.md")
PAGES = [*(ROOT / name for name in NAMES), *sorted((ROOT / "docs").glob("*.md"))]
BLOCKS = [
    pytest.param(block, id=f"{page.name}-{number}")
    for page in PAGES
    for number, block in enumerate(re.findall(r"```python\n(.*?)```", page.read_text("utf-8"), re.S))
]


@pytest.mark.parametrize("block", BLOCKS)
def test_block_runs(block):
    exec(compile(block, "README.md", "exec"), {"__name__": "example"})  # our own text


def test_the_readme_has_its_three_examples():
    assert len([block for block in BLOCKS if block.id.startswith("README")]) >= 3


def test_the_diff_is_the_one_of_the_example():
    app = (ROOT / "examples" / "stocks" / "app.py").read_text("utf-8")
    backend, decorators = re.findall(r"^\+(.+)$", (ROOT / "README.md").read_text("utf-8"), re.M)
    assert backend in app
    assert decorators == "from flask_rustcache import Cache"
    assert "from flask_caching import Cache" in app


def test_local_links_lead_somewhere():
    for page in PAGES:
        for target in re.findall(r"\]\(([^)#:]+)\)", page.read_text("utf-8")):
            assert (page.parent / target).exists(), f"{page.name}: {target}"
