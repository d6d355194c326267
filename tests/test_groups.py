"""Tags and prefixes: the backend's methods, and those of ``Cache``."""

import gc
import threading
import weakref

import flask_rustcache
import pytest
from flask_rustcache import Cache, RustCache
from flask_rustcache.testing import ManualClock
from hypothesis import given
from hypothesis import strategies as st

from ._apps import build

KEYS = ["", "a", "ab", "abc", "b", "ba", "é", "éa", "\ud800", "a\0", "z" * 40, 1, None, ("a",)]
TAGS = ["x", "y", "é", ""]


@pytest.fixture
def clock():
    return ManualClock()


@pytest.fixture(params=[1, 16])
def store(request, clock):
    return RustCache(threshold=5_000, shards=request.param, clock=clock)


class Plain:
    """Something that dies when nobody holds it."""


class Keeps:
    """A serializer that has the very object stored."""

    def dumps(self, value):
        return value

    def loads(self, value):
        return value


steps = st.lists(
    st.one_of(
        st.tuples(st.just("set"), st.sampled_from(KEYS), st.lists(st.sampled_from(TAGS))),
        st.tuples(st.just("add"), st.sampled_from(KEYS), st.lists(st.sampled_from(TAGS))),
        st.tuples(st.just("plain"), st.sampled_from(KEYS)),
        st.tuples(st.just("inc"), st.sampled_from(KEYS)),
        st.tuples(st.just("delete"), st.sampled_from(KEYS)),
        st.tuples(st.just("tag"), st.sampled_from(TAGS)),
        st.tuples(st.just("prefix"), st.sampled_from([key for key in KEYS if isinstance(key, str)])),
    ),
    max_size=40,
)


def gone(model, is_meant):
    """What a model loses."""
    keys = [key for key in model if is_meant(key)]
    for key in keys:
        del model[key]
    return len(keys)


def happen(store, model, step, what, more=()):
    """Do a step to both, and compare what it says."""
    if step == "set":
        assert store.set(what, 1, tags=more) is True
        model[what] = set(more)
    elif step == "add":
        assert store.add(what, 1, tags=iter(more)) is (what not in model)
        model.setdefault(what, set(more))
    elif step == "plain":
        store.set(what, 1)
        model[what] = set()
    elif step == "inc":
        store.inc(what)
        model.setdefault(what, set())
    elif step == "delete":
        assert store.delete(what) is (model.pop(what, None) is not None)
    elif step == "tag":
        assert store.delete_tag(what) == gone(model, lambda key: what in model[key])
    else:
        is_meant = gone(model, lambda key: isinstance(key, str) and key.startswith(what))
        assert store.delete_prefix(what) == is_meant


@given(steps, st.sampled_from([1, 16]))
def test_any_mix_leaves_what_a_dict_would(steps, shards):
    store, model = RustCache(threshold=5_000, shards=shards), {}
    for step in steps:
        happen(store, model, *step)
        assert set(store._keys()) == set(model)
        store._validate()


def test_tags_of_users_are_none_of_ours(store):
    """What a memoized function's entries carry is no tag that anybody can name."""
    app, cache, runs = build()

    @cache.memoize(60)
    def total(number):
        return runs.count("total")

    with app.app_context():
        total(1)
        for tag in ("tests.test_groups.total_memver", *cache.cache._keys()):
            assert cache.delete_tag(tag) == 0
        assert total(1) == 1


def test_set_many_tags_each_entry(store):
    assert store.set_many({"a": 1, "b": 2}, 60, tags={"t"}) == ["a", "b"]
    store.set("c", 3)
    assert store.delete_tag("t") == 2
    assert store._keys() == ["c"]


def test_a_negative_timeout_stores_nothing_under_a_tag(store):
    store.set("a", 1, tags=["t"])
    store.set("a", 1, -1, tags=["t"])
    assert store.delete_tag("t") == 0


@pytest.mark.parametrize("call", ["set", "add", "set_many"])
@pytest.mark.parametrize(
    ("tags", "says"),
    [
        ("users", r"not one str.*use tags=\['users'\]"),
        (5, "iterable of str.*'int'"),
        ([b"a"], "each of the tags must be a str, got 'bytes'"),
        ([1], "'int'"),
    ],
)
def test_tags_that_are_none_are_refused(store, call, tags, says):
    given = ({"a": 1},) if call == "set_many" else ("a", 1)
    with pytest.raises(TypeError, match=says):
        getattr(store, call)(*given, tags=tags)
    assert len(store) == 0


@pytest.mark.parametrize("given", [1, None, b"t", ["t"]], ids=repr)
def test_what_is_no_str_is_told_which_it_was_to_be(store, given):
    for what, remove in (("tag", store.delete_tag), ("prefix", store.delete_prefix)):
        with pytest.raises(TypeError, match=f"^{what} must be one str, got '{type(given).__name__}'$"):
            remove(given)


def test_tags_are_given_by_name_only(store):
    with pytest.raises(TypeError):
        store.set("a", 1, 60, ["t"])
    with pytest.raises(TypeError):
        store.delete_tag(["t"])
    with pytest.raises(TypeError):
        store.delete_prefix(b"a")


def test_what_raises_while_it_is_iterated_is_raised(store):
    def tags():
        yield "a"
        raise KeyError("b")

    with pytest.raises(KeyError):
        store.set("a", 1, tags=tags())
    assert "a" not in store


def test_what_goes_is_freed_at_once():
    """Not when the next call comes: the value dies while the call runs."""
    store = RustCache()
    store.serializer = Keeps()
    for remove in (lambda: store.delete_tag("t"), lambda: store.delete_prefix("k")):
        value = Plain()
        alive = weakref.ref(value)
        store.set("key", value, tags=["t"])
        del value
        assert remove() == 1
        gc.collect()
        assert alive() is None


def test_a_value_may_call_the_cache_when_it_goes(store):
    """Trap A1: `__del__` runs out of every lock."""

    class Calls:
        def __init__(self, key):
            self.key = key

        def __del__(self):
            store.set(self.key, 1, tags=["late"])
            store.delete_prefix("nothing")

    store.serializer = Keeps()
    store.set("a1", Calls("x"), tags=["t"])
    store.set("a2", Calls("y"))
    assert (store.delete_tag("t"), store.delete_prefix("a")) == (1, 1)
    assert store.delete_tag("late") == 2


def test_what_expired_is_not_counted(store, clock):
    store.set("a1", 1, 10, tags=["t"])
    store.set("a2", 1, tags=["t"])
    store.set("b1", 1, 10)
    store.set("b2", 1)
    clock.advance(11)
    assert store.delete_tag("t") == 1
    assert store.delete_prefix("b") == 1
    assert store.stats()["expirations"] == 2


def test_a_prefix_takes_time_by_what_it_removes(store):
    """Thousands of others stay, whatever was stored and removed in between."""
    for number in range(4_000):
        store.set(f"user:{number % 100}:{number}", number)
    for user in range(100):
        assert store.delete_prefix(f"user:{user}:") == 40
        store.set(f"user:{user}:again", 1)
    assert store.delete_prefix("user:") == 100


def test_a_version_record_is_touched_and_removed_as_an_entry():
    app, cache, runs = build()

    @cache.memoize(60)
    def total(number):
        return runs.count("total")

    with app.app_context():
        total(1)
        total(2)
        (record,) = (key for key in cache.cache._keys() if key.endswith("_memver"))
        assert cache.ttl(record) == pytest.approx(60)
        assert cache.touch(record, 100)
        assert cache.ttl(record) == pytest.approx(100)
        # Its entries go with it.
        assert cache.delete_prefix(record.removesuffix("_memver")) == 1
        assert len(cache.cache) == 0
        assert total(1) == 3


class OldSet(RustCache):
    """Knows nothing of tags, as any subclass written for SimpleCache."""

    def set(self, key, value, timeout=None):
        return super().set(f"own {key}", value, timeout)

    def has(self, key):
        return super().has(f"own {key}")


class NewSet(RustCache):
    def set(self, key, value, timeout=None, *, tags=()):
        return super().set(key, value, timeout, tags=[*tags, "all"])


def test_a_subclass_that_knows_no_tags_works_without_them():
    store = OldSet()
    assert store.set_many({"a": 1}, 60) == ["a"]
    assert store.add("b", 2) is True
    assert store.add("b", 2) is False
    assert sorted(store._keys()) == ["own a", "own b"]
    for call in (lambda: store.set_many({"c": 1}, tags=["t"]), lambda: store.add("d", 1, tags=["t"])):
        with pytest.raises(TypeError, match="tags"):
            call()


def test_a_subclass_that_knows_tags_is_given_them():
    store = NewSet()
    store.set_many({"a": 1}, tags=iter(["t"]))
    store.add("b", 2, tags=["t"])
    store.set_many({"c": 1})
    assert store.delete_tag("t") == 2
    assert store.delete_tag("all") == 1


def test_a_cache_hands_all_of_it_on():
    app, cache, _ = build()
    with app.app_context():
        cache.set("a", 1, timeout=60, tags=["t"])
        cache.add("b", 1, tags=["t"])
        cache.set_many({"c": 1}, tags=["t"])
        assert cache.ttl("a") == pytest.approx(60)
        assert cache.touch("a", 0)
        assert cache.delete_tag("t") == 3
        cache.set("a", 1)
        assert cache.delete_prefix("a") == 1
        cache.set("d", 1, tags=["u"])
        assert flask_rustcache.delete_tag("u") == 1
        cache.set("d", 1)
        assert flask_rustcache.delete_prefix("d", cache=cache) == 1


@pytest.mark.parametrize("call", ["delete_tag", "delete_prefix", "ttl", "touch"])
def test_another_backend_is_told_of(call):
    app, cache, _ = build(CACHE_TYPE="SimpleCache")
    with app.app_context(), pytest.raises(RuntimeError, match=r"needs a RustCache.*SimpleCache"):
        getattr(cache, call)("a")


def test_a_cache_that_holds_nothing_has_nothing():
    app, cache, _ = build(Cache, CACHE_TYPE="NullCache", CACHE_NO_NULL_WARNING=True)
    with app.app_context():
        assert (cache.delete_tag("a"), cache.delete_prefix("a"), cache.touch("a")) == (0, 0, False)
        with pytest.raises(KeyError):
            cache.ttl("a")


def test_threads_that_group_and_remove_leave_a_sound_store():
    store = RustCache(threshold=300, shards=4)
    errors = []

    def work(number):
        try:
            for turn in range(600):
                store.set(f"k{turn % 40}:{number}", turn, 5, tags=[f"t{turn % 7}", "all"])
                store.touch(f"k{turn % 30}:{number}", 50)
                if turn % 5 == 0:
                    store.delete_prefix(f"k{turn % 11}")
                if turn % 13 == 0:
                    store.delete_tag(f"t{turn % 7}")
        except BaseException as error:
            errors.append(error)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert errors == []
    store._validate()
    held = len(store)
    assert store.delete_tag("all") == held
    assert len(store) == 0
