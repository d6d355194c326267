"""The eviction policy serves more of recorded traffic than the others do, and outlasts loops and scans.

How the figures were come by is told in docs/eviction.md.
"""

import lzma
from array import array
from pathlib import Path

import pytest
from flask_rustcache import RustCache

TRACES = Path(__file__).parents[2] / "shared" / "traces"

#: By trace and entries: percent of requests served by LRU and by S3-FIFO, as measured with a simulator.
#: S3-FIFO is the best of the known policies on the mean.
REFERENCE = {
    ("web07", 100): (33.40, 38.11),
    ("web07", 500): (45.58, 50.00),
    ("web07", 1000): (50.41, 54.08),
    ("web07", 2000): (55.50, 57.97),
    ("web07", 10000): (69.00, 69.09),
    ("multi3", 100): (6.54, 21.78),
    ("multi3", 400): (27.38, 35.37),
    ("multi3", 500): (32.65, 37.50),
    ("multi3", 600): (33.65, 43.70),
    ("multi3", 2000): (44.59, 55.23),
    ("multi3", 10000): (75.35, 75.35),
    ("cloudphysics", 100): (11.99, 14.91),
    ("cloudphysics", 500): (16.22, 16.97),
    ("cloudphysics", 2000): (17.29, 18.79),
    ("cloudphysics", 8000): (22.95, 29.12),
    ("cloudphysics", 10000): (30.24, 33.07),
}
needs_traces = pytest.mark.skipif(not TRACES.is_dir(), reason="the traces are not part of this repository")


def requests_of(trace):
    numbers = array("i")
    with lzma.open(TRACES / f"{trace}.i32.xz") as file:
        numbers.frombytes(file.read())
    return [str(number) for number in numbers]


def replay(cache, requests):
    """Cache-aside; percent of requests served."""
    before = cache.stats()["hits"]
    for key in requests:
        if cache.get(key) is None:
            cache.set(key, 1)
    return 100 * (cache.stats()["hits"] - before) / len(requests)


def full_at(entries):
    return RustCache(threshold=entries - 1, default_timeout=0)


@pytest.fixture(scope="module")
def percents():
    traces = {trace: requests_of(trace) for trace, _ in REFERENCE}
    return {(trace, entries): replay(full_at(entries), traces[trace]) for trace, entries in REFERENCE}


@needs_traces
def test_the_mean_is_a_point_above_the_best_other_policy(percents):
    mean = sum(percents.values()) / len(percents)
    best = sum(s3fifo for _, s3fifo in REFERENCE.values()) / len(REFERENCE)
    assert mean > best + 1


@needs_traces
@pytest.mark.parametrize(("trace", "entries"), REFERENCE)
def test_no_trace_is_served_worse_than_by_lru(percents, trace, entries):
    lru, _ = REFERENCE[trace, entries]
    assert percents[trace, entries] > lru - 0.5


@needs_traces
@pytest.mark.parametrize("entries", [500, 1000])
def test_the_web_is_served_as_well_as_by_the_best(percents, entries):
    _, s3fifo = REFERENCE["web07", entries]
    assert percents["web07", entries] > s3fifo - 0.4


def test_a_loop_longer_than_the_cache_is_served_in_part():
    """LRU, ARC and S3-FIFO serve nothing of it; 49.5 percent is the limit."""
    loop = [str(key) for key in range(1011)]
    assert replay(full_at(500), loop * 50) > 40


def test_a_scan_leaves_the_hot_set():
    """H5: a million keys that are asked for once leave the hit ratio of the others within two points."""
    cache = full_at(500)
    hot = [str(key) for key in range(400)] * 5
    replay(cache, hot + [f"before {key}" for key in range(1000)])
    before = replay(cache, hot)
    for key in range(1_000_000):
        cache.set(f"once {key}", 1)
    assert replay(cache, hot) > before - 2
