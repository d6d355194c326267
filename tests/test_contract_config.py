"""CONTRACT 1 and 2: how the backend is found and built, and every setting of an application."""

import json
import math
from datetime import timedelta
from types import SimpleNamespace

import pytest
from cachelib.serializers import BaseSerializer
from flask import Flask
from flask_caching import Cache
from flask_caching.backends.base import BaseCache
from flask_rustcache import Cache as OurCache
from flask_rustcache import RustCache
from flask_rustcache._native import Store
from flask_rustcache.testing import ManualClock

DOTTED = "flask_rustcache.RustCache"
# Flask-Caching takes a name without a dot for one of its own backends, so the colon needs a dot too.
COLON = "flask_rustcache.backend:RustCache"


class Json(BaseSerializer):
    """Counts its calls on the class, so that an instance made by Flask-Caching is seen too."""

    calls = 0

    def dumps(self, value):
        type(self).calls += 1
        return json.dumps(value).encode()

    def loads(self, bvalue):
        return {"from": "Json", "value": json.loads(bvalue)}


class Named(RustCache):
    """A subclass with a signature of its own."""

    def __init__(self, name, *, colour="red", **options):
        super().__init__(**options)
        self.name, self.colour = name, colour


class Closed(RustCache):
    """A subclass that takes no options but its own."""

    def __init__(self, flavour):
        super().__init__(threshold=7)
        self.flavour = flavour

    @classmethod
    def factory(cls, app, config, args, kwargs):
        return cls(*args)


def build(cache_type=DOTTED, **config):
    app = Flask("app")
    app.config.update({"CACHE_TYPE": cache_type, **config})
    cache = Cache(app)
    return app.extensions["cache"][cache]


@pytest.mark.parametrize("cache_type", [DOTTED, COLON])
def test_the_type_is_found_by_its_path_and_serves_the_application(cache_type):
    app = Flask("app")
    app.config["CACHE_TYPE"] = cache_type
    cache = Cache(app)
    calls = []

    @app.get("/")
    @cache.cached()
    def view():
        calls.append(1)
        return {"a": [1]}

    client = app.test_client()
    assert [client.get("/").json for _ in range(3)] == [{"a": [1]}] * 3
    assert len(calls) == 1
    with app.app_context():
        assert type(cache.cache) is RustCache
        assert list(cache.cache._cache) == ["view//"]
        assert cache.delete("view//") is True


def test_native_methods_come_before_flask_cachings():
    assert issubclass(RustCache, BaseCache)
    assert RustCache.__mro__.index(Store) < RustCache.__mro__.index(BaseCache)
    assert "cachelib" not in f"{RustCache.__module__}.{RustCache.__qualname__}{DOTTED}{COLON}"


def test_defaults_are_simple_caches():
    backend = build()
    assert (backend._threshold, backend.default_timeout) == (500, 300)
    assert backend.ignore_delete_many_errors is False
    assert backend.stats()["prototype_bytes_limit"] == 16 * 1024 * 1024


def test_settings_arrive():
    backend = build(CACHE_DEFAULT_TIMEOUT=7, CACHE_THRESHOLD=9, CACHE_IGNORE_ERRORS=True)
    assert (backend._threshold, backend.default_timeout) == (9, 7)
    assert backend.ignore_delete_many_errors is True


def test_settings_work():
    clock = ManualClock()
    options = {"clock": clock}
    backend = build(CACHE_DEFAULT_TIMEOUT=7, CACHE_THRESHOLD=9, CACHE_OPTIONS=options)
    backend.set("a", 1)
    clock.advance(6.5)
    assert backend.get("a") == 1
    clock.advance(0.5)
    assert backend.get("a") is None
    backend.set_many({str(number): number for number in range(50)})
    assert len(backend) == 10


def test_numeric_text_from_the_environment_is_a_number():
    backend = build(CACHE_DEFAULT_TIMEOUT="60", CACHE_THRESHOLD="42", CACHE_PROTOTYPE_BYTES="1000")
    assert (backend._threshold, backend.default_timeout) == (42, 60)
    assert backend.stats()["prototype_bytes_limit"] == 1000
    assert build(CACHE_OPTIONS={"prototype_bytes": "2KiB"}).stats()["prototype_bytes_limit"] == 2048
    assert build(CACHE_THRESHOLD="inf")._threshold == math.inf


def test_options_win_over_the_default_timeout_but_not_over_the_threshold():
    options = {"default_timeout": 5, "threshold": 3, "ignore_delete_many_errors": True}
    backend = build(CACHE_DEFAULT_TIMEOUT=60, CACHE_THRESHOLD=11, CACHE_OPTIONS=options)
    assert (backend.default_timeout, backend._threshold) == (5, 11)
    assert backend.ignore_delete_many_errors is True


@pytest.mark.parametrize("given", [timedelta(minutes=2), 120, "120", 120.0])
def test_a_default_timeout_may_be_a_timedelta(given):
    assert build(CACHE_DEFAULT_TIMEOUT=given).default_timeout == 120
    assert RustCache(default_timeout=given).default_timeout == 120


def test_an_older_flask_caching_passes_the_default_timeout_alone():
    config = {"CACHE_THRESHOLD": 4, "CACHE_IGNORE_ERRORS": True}
    backend = RustCache.factory(Flask("app"), config, [], {"default_timeout": 5})
    assert (backend._threshold, backend.default_timeout) == (4, 5)
    assert backend.ignore_delete_many_errors is True


def test_an_unknown_option_is_a_type_error_that_names_it():
    with pytest.raises(TypeError, match="treshold"):
        build(CACHE_OPTIONS={"treshold": 5})


def test_arguments_go_to_a_subclass_with_its_own_signature():
    patch = pytest.MonkeyPatch()
    with patch.context() as patch:
        patch.setattr("flask_rustcache.Named", Named, raising=False)
        patch.setattr("flask_rustcache.Closed", Closed, raising=False)
        options = {"colour": "blue"}
        named = build("flask_rustcache.Named", CACHE_ARGS=["prices"], CACHE_OPTIONS=options)
        closed = build("flask_rustcache.Closed", CACHE_ARGS=["mint"])
    assert (named.name, named.colour, named._threshold) == ("prices", "blue", 500)
    assert (closed.flavour, closed._threshold) == ("mint", 7)
    assert named.set("a", [1]) is True
    assert named.get("a") == [1]


@pytest.mark.parametrize("serializer", [Json, Json()], ids=["class", "instance"])
def test_the_serializer_is_used_both_ways(serializer):
    backend = build(CACHE_SERIALIZER=serializer)
    before = Json.calls
    backend.set("a", {"b": 1})
    assert Json.calls == before + 1
    assert backend.get("a") == {"from": "Json", "value": {"b": 1}}
    assert backend._cache["a"][1] == b'{"b": 1}'


def test_each_init_app_makes_a_fresh_store():
    app, cache = Flask("app"), Cache(config={"CACHE_TYPE": DOTTED})
    cache.init_app(app)
    first = app.extensions["cache"][cache]
    first.set("a", 1)
    cache.init_app(app)
    second = app.extensions["cache"][cache]
    assert second is not first
    assert (first.get("a"), second.get("a")) == (1, None)


def test_two_caches_of_one_application_and_two_applications_of_one_cache_are_apart():
    one, other = Flask("one"), Flask("other")
    shared, alone = Cache(config={"CACHE_TYPE": DOTTED}), Cache(config={"CACHE_TYPE": DOTTED})
    for app, cache in [(one, shared), (other, shared), (one, alone)]:
        cache.init_app(app)
    with one.app_context():
        shared.set("a", 1)
        assert (shared.get("a"), alone.get("a")) == (1, None)
    with other.app_context():
        assert shared.get("a") is None


def test_the_key_prefix_is_ignored_as_by_simple_cache():
    backend = build(CACHE_KEY_PREFIX="mine_")
    backend.set("a", 1)
    assert list(backend._cache) == ["a"]


BAD = [
    ("CACHE_THRESHOLD", "many", ValueError, "must be a positive number"),
    ("CACHE_THRESHOLD", -1, ValueError, "use math.inf for no bound"),
    ("CACHE_THRESHOLD", "-5", ValueError, "use math.inf for no bound"),
    ("CACHE_THRESHOLD", math.nan, ValueError, "use math.inf for no bound"),
    ("CACHE_THRESHOLD", [5], TypeError, "must be a positive number"),
    ("CACHE_THRESHOLD", "", ValueError, "must be a positive number"),
    ("CACHE_THRESHOLD", [], TypeError, "must be a positive number"),
    ("CACHE_THRESHOLD", b"5", TypeError, "must be a positive number"),
    ("CACHE_DEFAULT_TIMEOUT", None, TypeError, "a number of seconds or a timedelta"),
    ("CACHE_DEFAULT_TIMEOUT", [5], TypeError, "a number of seconds or a timedelta"),
    ("CACHE_DEFAULT_TIMEOUT", math.nan, ValueError, "use 0 for no expiry"),
    ("CACHE_IGNORE_ERRORS", "yes", TypeError, "must be True or False"),
    ("CACHE_PROTOTYPE_BYTES", "lots", ValueError, "must be a number of bytes"),
    ("CACHE_PROTOTYPE_BYTES", "5 parsecs", ValueError, "must be a number of bytes"),
    ("CACHE_PROTOTYPE_BYTES", -1, ValueError, "must be a number of bytes"),
    ("CACHE_PROTOTYPE_BYTES", 1.5, TypeError, "must be a number of bytes"),
    ("CACHE_PROTOTYPE_BYTES", True, TypeError, "must be a number of bytes"),
    ("CACHE_PROTOTYPE_BYTES", None, TypeError, "must be a number of bytes"),
    ("CACHE_SERIALIZER", "pickle", ValueError, "subclass or instance"),
]


@pytest.mark.parametrize(("key", "value", "error", "fix"), BAD)
def test_a_bad_value_fails_at_init_app_and_names_the_key_and_the_fix(key, value, error, fix):
    with pytest.raises(error) as raised:
        build(**{key: value})
    assert key in str(raised.value)
    assert fix in str(raised.value)
    if key != "CACHE_SERIALIZER":
        assert repr(value) in str(raised.value)


@pytest.mark.parametrize(
    ("options", "error", "name"),
    [
        ({"default_timeout": []}, TypeError, "CACHE_DEFAULT_TIMEOUT"),
        ({"ignore_delete_many_errors": "no"}, TypeError, "CACHE_IGNORE_ERRORS"),
        ({"prototype_bytes": -5}, ValueError, "CACHE_PROTOTYPE_BYTES"),
        ({"clock": "noon"}, TypeError, "clock"),
        ({"shards": 3}, ValueError, "shards"),
        ({"shards": "2"}, TypeError, "shards"),
        ({1: 5}, TypeError, "CACHE_OPTIONS"),
    ],
)
def test_a_bad_option_fails_at_init_app_and_is_named(options, error, name):
    with pytest.raises(error, match=name):
        build(CACHE_OPTIONS=options)


@pytest.mark.parametrize(
    ("given", "limit"),
    [(0, 0), ("0", 0), ("64MB", 64_000_000), ("1 MiB", 2**20), ("1.5kb", 1500), ("7B", 7)],
)
def test_the_prototype_budget_in_bytes(given, limit):
    stats = build(CACHE_PROTOTYPE_BYTES=given).stats()
    assert stats["prototype_bytes_limit"] == limit


def test_constructor_positions_are_simple_caches():
    cache = RustCache(5, 6, True)
    assert (cache._threshold, cache.default_timeout) == (5, 6)
    assert cache.ignore_delete_many_errors is True
    with pytest.raises(TypeError):
        RustCache(5, 6, True, None, ManualClock())


def test_ignore_errors_is_a_deprecated_alias():
    with pytest.warns(DeprecationWarning, match="ignore_delete_many_errors"):
        cache = RustCache(ignore_errors=True)
    assert cache.ignore_delete_many_errors is True
    with pytest.warns(DeprecationWarning, match="ignore_delete_many_errors"):
        cache = build(CACHE_OPTIONS={"ignore_errors": True})
    assert cache.ignore_delete_many_errors is True
    with pytest.warns(DeprecationWarning, match="ignore_delete_many_errors"):
        assert RustCache(5, 6, True, False).ignore_delete_many_errors is False


def test_ignore_errors_decides_what_a_failed_deletion_does():
    class Sticky(RustCache):
        def delete(self, key):
            return False

    config = SimpleNamespace(strict=Sticky(), lenient=Sticky(ignore_delete_many_errors=True))
    for cache in vars(config).values():
        cache.set_many({"a": 1, "b": 2})
    with pytest.raises(RuntimeError, match=r"Failed to delete keys: \['a', 'b'\]"):
        config.strict.delete_many("a", "never", "b")
    assert config.lenient.delete_many("a", "never", "b") == ["never"]


@pytest.mark.parametrize("cache_class", [Cache, OurCache])
@pytest.mark.parametrize("config", ["text", [("CACHE_TYPE", DOTTED)], 5])
def test_settings_that_are_no_dict(cache_class, config):
    """CONTRACT 4: the same error from both."""
    app = Flask(__name__)
    app.config["CACHE_TYPE"] = DOTTED
    with pytest.raises(ValueError, match="`config` must be an instance of dict or None"):
        cache_class().init_app(app, config)
    with pytest.raises(ValueError, match="`config` must be an instance of dict or None"):
        cache_class(app, config=config)
