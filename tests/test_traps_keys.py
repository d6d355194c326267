"""Trap J1: strange keys. What a key is equal to is CONTRACT's matter (test_contract_keys.py)."""

import pytest
from flask import Flask
from flask_caching import Cache
from flask_rustcache import RustCache
from flask_rustcache.testing import ManualClock

SURROGATES = ["\ud800", "\ud801", "\udfff", "a\ud800", "\ud800a", "\ud83d\ude00", "\U0001f600", "\ufffd", "?"]
NULS = ["", "\0", "\0\0", "a", "a\0", "a\0b", "ab", "\0a"]
UNICODE = ["\u00e9", "e\u0301", "\u00c5", "\u212b", "\u00df", "ss", "\u200b", "\ufeff", "\uffff", "\xff"]
UNICODE += ["\U0010ffff"]
BYTES = [b"", b"\0", b"a", b"\xff", b"\xff\0\0\0\0\0\0\0\1", b"\xed\xa0\x80"]
OTHERS = [None, Ellipsis, int, len, 0, 1, -1, 2**64, -(2**64), 1.5, 1j, (), ("",), (None,), range(3)]
MEGABYTE = "x" * 2**20
LONG = [MEGABYTE, MEGABYTE + "x", MEGABYTE[:-1] + "y", "y" + MEGABYTE[1:], "é" * 2**19, ("x",) * 2**16]
ALL = SURROGATES + NULS + UNICODE + BYTES + OTHERS + LONG


@pytest.fixture
def cache():
    return RustCache(clock=ManualClock())


@pytest.mark.parametrize("keys", [SURROGATES, NULS, UNICODE, BYTES, OTHERS, LONG, ALL])
def test_strange_keys_are_told_apart_and_come_back_whole(cache, keys):
    """J1: surrogates, NUL, 1 MB, empty, non-str: each is a key of its own, by every verb."""
    assert cache.set_many({key: [number] for number, key in enumerate(keys)}) == keys
    expected = [[number] for number in range(len(keys))]
    assert [cache.get(key) for key in keys] == cache.get_many(*keys) == expected
    assert list(cache.get_dict(*keys).values()) == expected
    assert all(cache.has(key) and not cache.add(key, "no") for key in keys)
    assert len(cache) == len(keys)
    # Equal, and of the very same type: sets would take 1 for True.
    assert sorted(map(repr, cache._cache)) == sorted(map(repr, keys))
    cache._validate()


@pytest.mark.parametrize("keys", [SURROGATES, NULS, UNICODE, BYTES, OTHERS, LONG])
def test_deleting_one_strange_key_spares_the_others(cache, keys):
    """J1: and going, a key takes nothing else along."""
    cache.set_many(dict.fromkeys(keys, 1))
    for number, key in enumerate(keys, 1):
        assert cache.inc(key) == 2
        assert cache.delete(key) is True
        assert cache.delete(key) is False
        assert len(cache) == len(keys) - number
    assert cache.get_many(*keys) == [None] * len(keys)
    cache._validate()


def test_a_lone_surrogate_comes_back_as_itself(cache):
    """J1: the key's bytes are our own affair; what `_cache` shows is the str that was given."""
    for key in SURROGATES:
        cache.set(key, 1)
        assert list(cache._cache) == [key]
        cache.clear()


def test_a_str_is_never_the_bytes_or_the_number_it_looks_like(cache):
    """J1: "1", b"1", 1 and the text of an internal form are four keys."""
    cache.set(("numbered",), "numbered")
    forms = ["\xff" + "\0" * 7 + "\1", b"\xff" + b"\0" * 7 + b"\1", "\udcff" + "\0" * 7 + "\1", 1, "1"]
    assert cache.get_many(*forms) == [None] * len(forms)
    for number, key in enumerate(forms):
        cache.set(key, number)
    assert cache.get_many(*forms) == list(range(len(forms)))
    assert cache.get(("numbered",)) == "numbered"


def test_keys_that_share_a_hash_are_told_apart(cache):
    """J1: a thousand non-str keys of one hash work (and cost what they would cost in a dict)."""

    class Same:
        def __hash__(self):
            return 5

    keys = [Same() for _ in range(200)]
    for number, key in enumerate(keys):
        cache.set(key, number)
    assert cache.get_many(*keys) == list(range(200))
    assert cache.get_many(-1, -2) == [None, None]


def test_a_changed_key_object_harms_nothing(cache):
    """J1: a key whose hash changes is lost, as in a dict; the store stays whole."""

    class Shifty:
        number = 1

        def __hash__(self):
            return self.number

        def __eq__(self, other):
            return self is other

    key = Shifty()
    cache.set(key, "value")
    key.number = 2
    assert cache.get(key) is None
    cache._validate()
    key.number = 1
    assert cache.get(key) == "value"
    key.number = 3
    cache.set(key, "other")
    assert cache.get(key) == "other"
    cache._validate()


def test_strange_paths_are_cached_apart_through_the_application():
    """J1: the paths of a real application, percent-encoded and not."""
    app = Flask("app")
    app.config["CACHE_TYPE"] = "flask_rustcache.RustCache"
    cache = Cache(app)

    @app.get("/<path:name>")
    @cache.cached()
    def view(name):
        return ascii(name)

    client = app.test_client()
    paths = ["/a%00b", "/a", "/%C3%A9", "/e%CC%81", "/%F0%9F%98%80", "/x" + "y" * 5000, "/a%2520b", "/a%20b"]
    first = [client.get(path).text for path in paths]
    assert len(set(first)) == len(paths)
    assert [client.get(path).text for path in paths] == first
    assert len(app.extensions["cache"][cache]) == len(paths)
