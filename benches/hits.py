"""Hit ratios: what share of recorded requests each product serves, and each policy in the simulator."""

import functools
import json
import lzma
import shutil
import subprocess
import tempfile
from array import array
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from threading import Lock
from typing import Any

import contestants
from contestants import Contestant
from measure import Row
from report import Grid, Table
from workloads import Field, WrongAnswerError

ROOT = Path(__file__).resolve().parents[1]
TRACES = ROOT.parent / "shared" / "traces"
UNIT = "% of requests served, more is better"
# As the simulator has it.
LOOP = "loop 1011"
LRU_CACHE = "functools.lru_cache"
REPEATS, QUICK_REQUESTS = 3, 2_000
# The simulator takes seconds, building it may take a minute or two.
TIME_LIMIT = 570

REPLAY = """
def replay(c, keys, v, read, lock):
    hits = 0
    for k in keys:
        if read(c, k) is None:
            {set}
        else:
            hits += 1
    return hits
"""
Product = Callable[[int, list[str]], int]


@dataclass(frozen=True)
class Load:
    """What is asked for, and by how large a cache it is answered.

    Attributes:
        name: of the trace, or of the rule.
        entries: the cache's bound.
    """

    name: str
    entries: int

    def requests(self) -> list[str]:
        """Return the keys in the order they are asked for."""
        if self.name == LOOP:
            return [str(number % 1_011) for number in range(150_000)]
        numbers = array("i")
        with lzma.open(TRACES / f"{self.name}.i32.xz") as file:
            numbers.frombytes(file.read())
        return [str(number) for number in numbers]


LOADS = (
    Load("web07", 500),
    Load("web07", 1_000),
    Load("multi3", 400),
    Load("multi3", 600),
    Load("cloudphysics", 2_000),
    Load(LOOP, 500),
)


def replay(contestant: Contestant, entries: int, keys: list[str]) -> int:
    """Return how many of the requests a new cache serves; what it misses is stored.

    Raises:
        WrongAnswerError: it held more than it was allowed to.
    """
    namespace: dict[str, Any] = dict(contestant.names)
    exec(REPLAY.format(set=contestant.set.replace("\n", "\n            ")), namespace)
    cache = contestant.make(entries - contestant.more)
    hits: int = namespace["replay"](cache, keys, "value", contestant.read, Lock())
    if contestant.size(cache) > entries + contestant.late:
        raise WrongAnswerError(f"{contestant.name}: holds {contestant.size(cache)} of {entries}")
    return hits


def lru_cache(entries: int, keys: list[str]) -> int:
    """Return how many of the requests functools.lru_cache serves."""
    function = functools.lru_cache(entries)(str.upper)
    for key in keys:
        function(key)
    return function.cache_info().hits


def products(field: Field) -> dict[str, tuple[Product, str]]:
    """Return who is compared, with a note: each contestant, and each policy that a peer offers besides."""
    others, _ = contestants.gather(contestants.POLICIES)
    found: dict[str, tuple[Product, str]] = {
        one.name: (partial(replay, one), "") for one in field.contestants + others
    }
    return found | {LRU_CACHE: (lru_cache, "as a decorator")}


def on_load(field: Field, load: Load) -> Table:
    """Return the hit ratio of each product on one load."""
    quick = field.settings.quick
    keys = load.requests()[: QUICK_REQUESTS if quick else None]
    rows = []
    for name, (product, note) in products(field).items():
        repeats = 1 if quick else REPEATS
        rows.append(Row(name, [100 * product(load.entries, keys) / len(keys) for _ in range(repeats)], note))
    contestants.close()
    remarks = ["through each one's own Python API: get, and on a miss set; each time a new cache"]
    title = f"{load.name}, {len(keys):,} requests, {load.entries:,} entries"
    return Table(f"hits-{load.name}@{load.entries}", title, UNIT, rows, reference=None, remarks=remarks)


def hits(field: Field) -> Iterator[Table]:
    """Measure hit ratios through the Python APIs, on the recorded traces that are there and on a loop."""
    for load in LOADS:
        if load.name == LOOP or TRACES.is_dir():
            table = on_load(field, load)
            if not TRACES.is_dir():
                table.remarks.append("the recorded traces are not here: only the loop was tried")
            yield table


def simulator(quick: bool, kept: Path) -> list[str]:
    """Return the command that runs the simulator; quick: the tests' own build, on the made loops alone."""
    kind = "test" if quick else "bench"
    arguments = ["--traces", str(TRACES), "--json", str(kept)] + ["--only", "loop "] * quick
    return ["cargo", kind, "--quiet", "--bench", "simulator", "--", *arguments]


def simulate(quick: bool) -> dict[str, Any]:
    """Run the simulator and return what it found.

    Raises:
        subprocess.CalledProcessError: it failed, or it could not be built.
    """
    with tempfile.TemporaryDirectory() as folder:
        kept = Path(folder) / "simulator.json"
        command = simulator(quick, kept)
        subprocess.run(command, cwd=ROOT, capture_output=True, check=True, timeout=TIME_LIMIT)
        found: dict[str, Any] = json.loads(kept.read_text())
    return found


def missing_part(quick: bool) -> str:
    """Return what the simulator needs and is not here, in words; empty if nothing is missing."""
    if shutil.which("cargo") is None:
        return "cargo is not installed"
    if quick:
        return ""
    if not TRACES.is_dir():
        return "the recorded traces are not here"
    return "" if shutil.which("xz") else "xz is not installed"


def policies(field: Field) -> Iterator[Grid]:
    """Let the simulator compare policies, ours among them, with each other and with the limit."""
    quick = field.settings.quick
    grid = Grid("policies", "hit ratio of policies, by the simulator", UNIT)
    missing = missing_part(quick)
    try:
        found = {} if missing else simulate(quick)
    except subprocess.CalledProcessError as error:
        missing = " ".join(error.stderr.decode(errors="replace").strip().splitlines()[-1:])
    except subprocess.TimeoutExpired:
        missing = f"no answer in {TIME_LIMIT} s"
    if missing:
        grid.remarks.append(f"left out: {missing}")
        yield grid
        return
    grid.names = [*found["policies"], "BELADY"]
    grid.recorded = sorted({row["load"] for row in found["rows"] if row["trace"]})
    for row in found["rows"]:
        grid.rows[f"{row['load']}, {row['entries']}"] = [*row["percent"], row["limit"]]
    grid.remarks += ["one run each: there is no chance in it", "BELADY knows the future: the limit"]
    yield grid
