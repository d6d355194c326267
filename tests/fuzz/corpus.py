"""The corpus: for each target the inputs that together reach all that is reached, and those that failed."""

import base64
import json
from pathlib import Path

TARGETS = ("values", "keys", "settings", "requests")
FOLDER = Path(__file__).resolve().parents[1] / "corpus"
LOG = FOLDER / "log.json"


def inputs(target):
    """Return a target's inputs: those that reach something, and all that ever failed."""
    return read(f"{target}.txt") + read(f"{target}-failed.txt")


def read(name):
    file = FOLDER / name
    return [base64.b64decode(line) for line in file.read_text().split()] if file.exists() else []


def write(name, found):
    """Write a file of the corpus, the shortest first; none where there is nothing to write."""
    lines = [base64.b64encode(data).decode() for data in sorted(set(found), key=lambda one: (len(one), one))]
    if lines:
        (FOLDER / name).write_text("".join(line + "\n" for line in lines))


def keep(target, reaching, failed):
    """Replace the inputs that reach something, and add those that failed."""
    write(f"{target}.txt", reaching)
    write(f"{target}-failed.txt", read(f"{target}-failed.txt") + failed)


def log():
    """Return what was tried so far: a record for each run of a target, the latest last."""
    return json.loads(LOG.read_text()) if LOG.exists() else []


def note(record):
    """Add a record."""
    LOG.write_text(json.dumps([*log(), record], indent=1) + "\n")
