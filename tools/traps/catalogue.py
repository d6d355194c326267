"""The traps: failures seen in other caches, by which this one is tested. One line each."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
#: The list that this one was made from; it lies beside the repository, and not everywhere.
SOURCE = ROOT.parent / "shared" / "TRAPS.md"
NAME = re.compile(r"\b[A-CE-K]\d{1,2}\b")

TRAPS = {
    "A1": "a `__del__` calls the cache while its object leaves it",
    "A2": "a key's `__eq__` or `__hash__` calls the cache, or raises",
    "A3": "garbage collection starts at any point, in any thread",
    "A4": "serializer, `__reduce__`, `response_filter` or clock call the cache",
    "A5": "a lock of the cache and the interpreter's are wanted crosswise by threads",
    "A6": "a panic or exception leaves the store consistent",
    "B1": "a value that refers to the cache is collectable",
    "B2": "keys are iterated while the cache changes or is gone",
    "B3": "use from a finaliser while the interpreter shuts down",
    "B4": "no background thread",
    "B5": "a memoized method does not keep its instance alive",
    "B6": "memory stays flat; what is deleted or evicted dies at once",
    "B7": "cached containers do not slow garbage collection down",
    "C1": "the leader of a fill raises or dies: the next caller computes",
    "C2": "a function calls itself for the same key",
    "C3": "two fills wait for each other",
    "C4": "failures are neither cached nor shared; who waited is released at once",
    "C5": "thousands of failing keys leave nothing in memory",
    "C6": "deleted, cleared or set anew during a fill: the late result is not stored",
    "C7": "slow fills of different keys overlap",
    "C8": "many callers of one key: the function runs once",
    "C9": "waiting is bounded and can be interrupted",
    "C10": "other greenlets run while one waits",
    "C11": "async views for one key, each in its own event loop",
    "E1": "forks while other threads use the cache",
    "E2": "`gunicorn --preload`: workers start warm, and nothing is lost",
    "E3": "hash seeds and random choices differ between children where it matters",
    "E4": "sub-interpreters work or are refused clearly",
    "F1": "free threading: no borrow errors",
    "F2": "counters are exact under threads",
    "F3": "the suites hold on a free-threaded build",
    "G1": "timeouts: 0 never, None default, negative gone",
    "G2": "entries that never expire are not thrown out first",
    "G3": "overwriting replaces the old deadline",
    "G4": "huge timeouts saturate",
    "G5": "steps of the wall clock change nothing",
    "G6": "expired entries give memory back in a quiet application",
    "H1": "the bound holds after every operation",
    "H2": "thresholds 0, None, infinite, negative, text",
    "H3": "`len`, statistics and `_cache` are true now",
    "H4": "a value above the byte budget is refused; the rest stays",
    "H5": "a scan of one-off keys does not flush the hot ones",
    "H6": "one-off traffic does not evict what `memoize` needs",
    "I1": "what cannot be pickled poisons no entry",
    "I2": "callers cannot change what is cached, nor each other's copies",
    "I3": "exact types come back",
    "I4": "`==` and truth of values are never used",
    "I5": "True, 1, 1.0, -0.0, nan and huge ints stay what they are",
    "I6": "shared references, cycles and depth within a value",
    "J1": "surrogates, NUL, 1 MB, empty and non-str keys",
    "J2": "no two different calls share a key",
    "J3": "calls in different forms: defaults, keywords, `args_to_ignore`",
    "J4": "view arguments named like the cache's own",
    "J5": "query order, repeated names, blanks, encodings",
    "J6": "functions with equal qualified names",
    "J7": "a function decorated afresh at every call finds its entries",
    "K1": "a cookie added after the view reaches no other visitor",
    "K2": "`make_conditional` and `after_request` do not change the entry",
    "K3": "headers do not pile up over hits",
    "K4": "streams and `send_file` are complete every time",
    "K5": "a cached HTTPException grows no traceback",
    "K6": "every kind of answer that Flask knows",
    "K7": "a failing backend never makes the view run twice",
    "K8": "several applications, several caches, blueprints",
    "K9": "methods, class views, resources, decorator orders",
    "K10": "a decorated function keeps attributes, signature, pickling",
}


def differences(source: Path = SOURCE) -> list[str]:
    """Return the names that only one of the two lists has; none where the source is not there."""
    if not source.exists():
        return []
    lines = [line for line in source.read_text("utf-8").splitlines() if line.startswith("* ")]
    return sorted(set(NAME.findall("\n".join(lines))) ^ set(TRAPS))
