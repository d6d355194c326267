"""Runs the README's Python examples against the package that is installed; `python -I tools/smoke.py`."""

import re
from pathlib import Path

import flask_rustcache

README = Path(__file__).resolve().parents[1] / "README.md"

examples = re.findall(r"```python\n(.*?)```", README.read_text("utf-8"), re.S)
assert examples, "the README has no example"
for example in examples:
    exec(compile(example, README.name, "exec"), {"__name__": "example"})  # our own text
print(f"{len(examples)} examples of the README ran with {flask_rustcache.__file__}")
