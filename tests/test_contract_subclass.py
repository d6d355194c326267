"""CONTRACT 3: subclasses written for SimpleCache, and patches on the class and the instance."""

from unittest import mock

import pytest
from flask_rustcache import RustCache
from flask_rustcache.testing import ManualClock

from ._apps import build


class Logged(RustCache):
    """Writes down what goes through the method that a subclass of it overrides."""

    def __init__(self, **options):
        super().__init__(**options)
        self.log = []


class LoggedGet(Logged):
    def get(self, key):
        self.log.append(key)
        return super().get(key)


class LoggedSet(Logged):
    def set(self, key, value, timeout=None):
        self.log.append((key, value, timeout))
        return super().set(key, value, timeout)


class LoggedHas(Logged):
    def has(self, key):
        self.log.append(key)
        return super().has(key)


class LoggedDelete(Logged):
    def delete(self, key):
        self.log.append(key)
        return super().delete(key)


class LoggedGetMany(Logged):
    def get_many(self, *keys):
        self.log.append(keys)
        return super().get_many(*keys)


class Prefixed(RustCache):
    """What people write subclasses for: every key gets a prefix."""

    def get(self, key):
        return super().get("p:" + key)

    def set(self, key, value, timeout=None):
        return super().set("p:" + key, value, timeout)

    def has(self, key):
        return super().has("p:" + key)

    def delete(self, key):
        return super().delete("p:" + key)


def test_a_subclass_may_have_its_own_signature():
    class Sized(RustCache):
        def __init__(self, size, /, *names, **options):
            super().__init__(size, **options)
            self.names = names

    cache = Sized(3, "a", "b", clock=ManualClock())
    assert (cache._threshold, cache.names) == (3, ("a", "b"))
    assert cache.set("k", 1) is True
    assert cache.get("k") == 1


@pytest.mark.parametrize(
    "call",
    [
        lambda cache: cache.get("a"),
        lambda cache: cache.set("a", 1),
        lambda cache: cache.add("a", 1),
        lambda cache: cache.has("a"),
        lambda cache: cache.delete("a"),
        lambda cache: cache.clear(),
        lambda cache: cache.inc("a"),
        lambda cache: cache.get_many("a"),
        lambda cache: cache.set_many({"a": 1}),
        len,
        lambda cache: list(cache._cache),
        lambda cache: cache.stats(),
        lambda cache: setattr(cache, "_threshold", 5),
    ],
)
def test_an_init_that_forgets_super_is_told_so(call):
    class Forgetful(RustCache):
        def __init__(self):
            pass

    with pytest.raises(RuntimeError, match=r"must call super\(\).__init__\(\)"):
        call(Forgetful())


def test_init_may_be_called_again_and_empties():
    cache = RustCache(3)
    cache.set("a", 1)
    cache.__init__(5)
    assert (cache._threshold, len(cache), cache.get("a")) == (5, 0, None)
    cache.set_many(dict.fromkeys("abcdefghi", 1))
    assert len(cache) == 6


def test_the_batch_verbs_read_through_an_overridden_get():
    cache = LoggedGet()
    cache.set_many({"a": 1, "b": 2})
    assert cache.get_many("a", "x", "b") == [1, None, 2]
    assert cache.get_dict("a", "x") == {"a": 1, "x": None}
    assert cache.inc("a", 4) == 5
    assert cache.dec("b") == 1
    assert cache.log == ["a", "x", "b", "a", "x", "a", "b"]
    assert cache.get_many() == []


def test_the_writing_verbs_write_through_an_overridden_set():
    cache = LoggedSet()
    assert cache.set_many({"a": 1, "b": 2}, 7) == ["a", "b"]
    assert cache.add("a", 9, timeout=3) is False
    assert cache.add("c", 3, timeout=4) is True
    assert cache.inc("c", 10) == 13
    assert cache.dec("new") == -1
    assert [entry[:2] for entry in cache.log] == [
        ("a", 1),
        ("b", 2),
        ("c", 3),
        ("c", 13),
        ("new", -1),
    ]
    assert [entry[2] for entry in cache.log[:3]] == [7, 7, 4]
    assert cache.get_many("a", "b", "c", "new") == [1, 2, 13, -1]


def test_a_refusing_set_is_believed():
    class Picky(RustCache):
        def set(self, key, value, timeout=None):
            return value != "no" and super().set(key, value, timeout)

    cache = Picky()
    assert cache.set_many({"a": "no", "b": "yes"}) == ["b"]
    assert cache.add("c", "no") is False
    cache.set("d", "n")
    assert cache.inc("d", "o") is None
    assert cache.get_many("a", "b", "c", "d") == [None, "yes", None, "n"]


def test_add_and_delete_many_ask_an_overridden_has():
    cache = LoggedHas()
    assert cache.add("a", 1) is True
    assert cache.add("a", 2) is False
    assert cache.log == ["a", "a"]
    assert cache.delete_many("a", "b") == ["a", "b"]
    assert cache.log == ["a", "a", "b"]


def test_delete_many_goes_through_an_overridden_delete():
    cache = LoggedDelete()
    cache.set_many({"a": 1, "b": 2})
    assert cache.delete_many("a", "x") == ["a", "x"]
    assert cache.log == ["a", "x"]
    assert cache.get_many("a", "b") == [None, 2]


def test_get_dict_goes_through_an_overridden_get_many():
    cache = LoggedGetMany()
    cache.set("a", 1)
    assert cache.get_dict("a", "x") == {"a": 1, "x": None}
    assert cache.log == [("a", "x")]


def test_methods_may_be_made_of_the_view_as_of_simplecaches_dict():
    """A5: such a method called itself for ever."""

    class Old(RustCache):
        def delete(self, key):
            return self._cache.pop(key, None) is not None

        def clear(self):
            self._cache.clear()
            return not self._cache

        def has(self, key):
            return key in self._cache

        def __len__(self):
            return len(self._cache)

    cache = Old()
    cache.set_many({"a": 1, "b": 2})
    assert len(cache) == 2
    assert cache.delete_many("a") == ["a"]
    assert (cache.has("a"), cache.has("b"), cache.delete("a")) == (False, True, False)
    assert cache.clear() is True
    assert len(cache) == 0


def test_the_views_keys_are_those_that_are_stored():
    """To be deleted as they are, whatever a subclass makes of those that it is given."""

    class Prefixed(RustCache):
        def set(self, key, value, timeout=None):
            return super().set(f"p:{key}", value, timeout)

        def delete(self, key):
            return super().delete(f"p:{key}")

    cache = Prefixed()
    cache.set_many({"a": 1, "b": 2})
    for key in list(cache._cache):
        del cache._cache[key]
    assert len(cache) == 0


@pytest.mark.parametrize(
    "name", ["_app", "_bound", "_entry", "_is_plain", "_keys", "_records", "_version", "_wall_clock"]
)
def test_a_subclass_may_have_attributes_of_any_name(name, monkeypatch):
    """What ours keeps for itself is not what a subclass keeps under the same name."""

    class Own(RustCache):
        def __init__(self, *args, **kwargs):
            super().__init__(*args, **kwargs)
            setattr(self, name, {"mine"})

    monkeypatch.setitem(globals(), "Own", Own)
    app, cache, runs = build(CACHE_TYPE=f"{__name__}.Own")

    @cache.memoize(60)
    def total(number):
        return runs.count("total")

    with app.app_context():
        assert total(1) == total(1) == 1
        assert len(list(cache.cache._cache.items())) == 2
        cache.delete_memoized(total)
        assert total(1) == 2
        cache.cache._threshold = 5
        assert cache.cache._threshold == 5
        setattr(cache.cache, name, {"mine"})
        cache.cache.clock = None
        cache.set("a", 1)
        assert getattr(cache.cache, name) == {"mine"}


def test_private_methods_of_simplecache_take_no_part():
    """As docs/migration.md says; the way is to override what is public."""

    class Capped(RustCache):
        def _normalize_timeout(self, timeout):
            raise AssertionError

        _prune = _over_threshold = _remove_expired = _remove_older = _normalize_timeout

        def set(self, key, value, timeout=None, **more):
            return super().set(key, value, min(timeout or 5, 5), **more)

    cache = Capped(threshold=2, clock=ManualClock())
    cache.set_many({number: number for number in range(10)}, 60)
    cache.inc("n")
    assert len(cache) == 3
    assert cache.ttl("n") == 5


def test_a_prefixing_subclass_works_by_every_verb():
    cache = Prefixed(clock=ManualClock())
    cache.set("a", 1)
    assert cache.add("a", 2) is False
    assert cache.set_many({"b": 2, "c": 3}) == ["b", "c"]
    assert cache.inc("a", 10) == 11
    assert cache.get_many("a", "b", "c", "p:a") == [11, 2, 3, None]
    assert cache.get_dict("b") == {"b": 2}
    assert sorted(cache._cache) == ["p:a", "p:b", "p:c"]
    assert cache.delete_many("b", "c") == ["b", "c"]
    assert sorted(cache._cache) == ["p:a"]


def test_an_override_of_one_subclass_is_not_another_ones():
    logged, plain = LoggedGet(), RustCache()
    for cache in (logged, plain):
        cache.set("a", 1)
        assert cache.get_many("a") == [1]
    assert logged.log == ["a"]


def patched_get(self, key):
    return f"patched {key}"


def answers(cache):
    return [cache.get("a"), cache.get_many("a"), cache.get_dict("a"), cache.inc("a", "!")]


@pytest.mark.parametrize("target", [RustCache, Logged], ids=["base", "subclass"])
def test_a_patch_on_the_class_is_noticed_at_once_and_undone_again(monkeypatch, target):
    cache = Logged()
    patched = "patched a"
    for _ in range(3):
        cache.set("a", "real")
        assert answers(cache) == ["real", ["real"], {"a": "real"}, "real!"]
        monkeypatch.setattr(target, "get", patched_get)
        expected = [patched, [patched], {"a": patched}, "patched a!"]
        assert answers(cache) == expected
        monkeypatch.undo()
        assert cache.get_many("a") == ["patched a!"]


def test_a_patch_on_the_instance_is_noticed_at_once_and_undone_again(monkeypatch):
    cache, other = RustCache(), RustCache()
    for _ in range(3):
        for each in (cache, other):
            each.set("a", "real")
        monkeypatch.setattr(cache, "get", lambda key: f"mine {key}")
        assert cache.get_many("a", "b") == ["mine a", "mine b"]
        assert cache.get_dict("a") == {"a": "mine a"}
        assert other.get_many("a", "b") == ["real", None]
        monkeypatch.undo()
        assert cache.get_many("a", "b") == ["real", None]


def test_a_class_that_was_patched_very_often_is_still_asked():
    """From 3.13 on CPython gives a class a thousand versions, and then none."""

    class Often(RustCache):
        pass

    cache = Often()
    for number in range(1500):
        cache.set("a", number)
        Often.unrelated = number
        assert cache.get_many("a") == [number]
    Often.get = patched_get
    assert cache.get_many("a") == ["patched a"]
    del Often.get
    assert cache.get_many("a") == [1499]
    cache.get = lambda key: f"mine {key}"
    assert cache.get_many("a") == ["mine a"]


def test_mocks_see_the_traffic():
    cache = RustCache()
    with mock.patch.object(cache, "set", return_value=True) as seen:
        assert cache.set_many({"a": 1}) == ["a"]
        assert cache.add("b", 2) is True
    assert [call.args[:2] for call in seen.call_args_list] == [("a", 1), ("b", 2)]
    assert len(cache) == 0
    with mock.patch.object(RustCache, "has", return_value=True):
        assert cache.add("c", 3) is False
    assert cache.add("c", 3) is True
    with mock.patch.object(RustCache, "delete", return_value=False):
        cache.ignore_delete_many_errors = True
        assert cache.delete_many("c", "d") == ["d"]
    assert cache.delete_many("c", "d") == ["c", "d"]


def test_a_method_given_to_the_class_after_its_creation_counts():
    class Late(RustCache):
        pass

    cache = Late()
    cache.set("a", 1)
    assert cache.get_many("a") == [1]
    Late.get = patched_get
    assert cache.get_many("a") == ["patched a"]
    del Late.get
    assert cache.get_many("a") == [1]


def test_a_mixin_before_the_cache_counts():
    class Mixin:
        def get(self, key):
            return ("mixed", super().get(key))

    class Mixed(Mixin, RustCache):
        pass

    cache = Mixed()
    cache.set("a", 1)
    assert cache.get_many("a") == [("mixed", 1)]
    with mock.patch.object(Mixin, "get", patched_get):
        assert cache.get_many("a") == ["patched a"]
    assert cache.get_many("a") == [("mixed", 1)]


def test_instances_hold_attributes_of_their_own():
    cache = RustCache()
    cache.note = [1]
    assert cache.note == [1]
    del cache.note
    with pytest.raises(AttributeError):
        _ = cache.note
