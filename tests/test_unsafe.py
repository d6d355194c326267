"""All `unsafe` is in one file, each use of it with a note."""

import re
from pathlib import Path

ROOT = Path(__file__).parent.parent
HOME = ROOT / "src/py/ffi.rs"
COMMENT = re.compile(r"//.*")


def code(path):
    return COMMENT.sub("", path.read_text(encoding="utf-8"))


def test_unsafe_is_in_one_file():
    """No other Rust file of the package, its tests or its benchmarks says `unsafe`, or allows it."""
    files = [path for folder in ("src", "tests", "benches") for path in (ROOT / folder).rglob("*.rs")]
    assert HOME in files
    assert len(files) > 50
    assert [path for path in files if re.search(r"\bunsafe", code(path))] == [HOME]
    assert re.search(r'^unsafe_code = "deny"$', (ROOT / "Cargo.toml").read_text(encoding="utf-8"), re.M)


def test_each_unsafe_block_has_a_note_of_its_own():
    """One operation a block, and before it the argument why it is sound."""
    lines = HOME.read_text(encoding="utf-8").splitlines()
    blocks = [number for number, line in enumerate(lines) if re.search(r"\bunsafe\b", COMMENT.sub("", line))]
    assert len(blocks) > 15
    for number in blocks:
        above = number - 1
        while not lines[above].lstrip().startswith("//") and number - above < 3:
            above -= 1
        while lines[above - 1].lstrip().startswith("//"):
            above -= 1
        assert lines[above].lstrip().startswith("// SAFETY: "), f"line {number + 1}"
