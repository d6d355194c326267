"""What is asked and changed of lifetimes without values: ``ttl``, ``touch``, jitter."""

import pytest
from flask_rustcache import RustCache
from flask_rustcache.testing import ManualClock

from ._apps import build


@pytest.fixture
def clock():
    return ManualClock()


@pytest.fixture(params=[1, 16])
def store(request, clock):
    return RustCache(threshold=5_000, shards=request.param, clock=clock)


def test_ttl_tells_of_the_lifetime_and_counts_nothing(store, clock):
    store.set("a", 1, 10)
    store.set("b", 1, 0)
    store.set(("c",), 1, 5)
    clock.advance(4)
    assert store.ttl("a") == pytest.approx(6)
    assert store.ttl("b") is None
    assert store.ttl(("c",)) == pytest.approx(1)
    clock.advance(6)
    for key in ("a", ("c",), "d", 7):
        with pytest.raises(KeyError) as caught:
            store.ttl(key)
        assert caught.value.args == (key,)
    with pytest.raises(TypeError):
        store.ttl([])
    assert store.stats()["hits"] == store.stats()["misses"] == 0


def test_touch_gives_a_lifetime_and_leaves_the_rest(store, clock):
    store.default_timeout = 100
    store.set("a", [1], 10, tags=["t"])
    assert store.touch("a", 20) is True
    clock.advance(15)
    assert store.get("a") == [1]
    assert store.touch("a") is True
    assert store.ttl("a") == pytest.approx(100)
    assert store.touch("a", 0) is True
    assert store.ttl("a") is None
    assert store.delete_tag("t") == 1
    assert store.touch("a", 20) is False
    assert store.stats()["hits"] == 1


def test_touch_into_the_past_removes(store):
    store.set("a", 1)
    assert store.touch("a", -1) is True
    assert "a" not in store
    assert store.touch("a", -1) is False


@pytest.mark.parametrize("timeout", ["10", float("nan")])
def test_touch_refuses_what_set_refuses(store, timeout):
    store.set("a", 1)
    with pytest.raises((TypeError, ValueError)):
        store.touch("a", timeout)
    assert store.get("a") == 1


@pytest.mark.parametrize("jitter", [0.2, "0.2"])
def test_jitter_shortens_lifetimes_at_random(jitter, clock):
    store = RustCache(jitter=jitter, clock=clock, threshold=1_000)
    for number in range(500):
        store.set(number, 1, 100)
    left = [store.ttl(number) for number in range(500)]
    assert 80 <= min(left) < 85
    assert 95 < max(left) <= 100
    assert len(set(left)) > 400
    store.set("for ever", 1, 0)
    assert store.ttl("for ever") is None
    store.touch("for ever", 100)
    assert 80 <= store.ttl("for ever") <= 100
    clock.advance(101)
    assert len(store) == 0


def test_there_is_no_jitter_unless_asked_for(store):
    store.set("a", 1, 100)
    assert store.ttl("a") == 100


@pytest.mark.parametrize("jitter", [-0.1, 1.1, float("nan"), "much", None, True])
def test_jitter_is_a_fraction(jitter):
    with pytest.raises((TypeError, ValueError), match="CACHE_JITTER must be a fraction from 0 to 1"):
        build(CACHE_JITTER=jitter)


def test_the_setting_reaches_the_store():
    app, cache, _ = build(CACHE_JITTER=0.5)
    with app.app_context():
        left = set()
        for _ in range(20):
            cache.set("a", 1, 100)
            left.add(cache.ttl("a"))
    assert len(left) > 10
    assert min(left) >= 50
