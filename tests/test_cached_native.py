"""The native path of ``Cache.cached``: that it is taken where it may be, and left where it may not."""

from unittest import mock

import flask_caching
import flask_rustcache
import pytest
from cachelib.serializers import SimpleSerializer
from flask import Response, abort
from flask_caching import signals
from flask_rustcache import RustCache

from ._apps import build, native, one_view, text


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"key_prefix": "fixed"},
        {"key_prefix": "before %s after"},
        {"key_prefix": ""},
        {"key_prefix": "%d"},
        {"cache_none": True},
        {"response_filter": lambda value: True},
        {"source_check": None},
        {"unless": lambda: False},
        {"forced_update": lambda: False},
        {"is_stale": lambda value: False},
        {"response_hit_indication": True},
        {"make_cache_key": lambda name: "made"},
    ],
)
def test_plain_hits_are_native(options):
    app, cache, _ = build()
    one_view(app, cache, **options)
    assert [native(app) for _ in range(4)] == [(True, "run 1")] * 4


@pytest.mark.parametrize(
    "options",
    [
        {"source_check": True},
        {"key_prefix": lambda: "called"},
    ],
)
def test_keys_that_only_flask_caching_can_make_are_asked_for(options):
    app, cache, _ = build()
    one_view(app, cache, **options)
    assert [native(app) for _ in range(3)] == [(False, "run 1")] * 3


@pytest.mark.parametrize("value", [None, 0, 1, "yes", []])
def test_query_string_may_be_anything_that_has_a_truth(value):
    """Flask-Caching asks ``if query_string``."""
    app, cache, _ = build()
    one_view(app, cache, query_string=value)
    assert text(app, "/?a=1") == "run 1"
    assert text(app, "/?a=2") == ("run 2" if value else "run 1")


def patched_class(cache):
    return mock.patch.object(flask_rustcache.Cache, "get", return_value="patched", create=True)


def patched_upstream(cache):
    return mock.patch.object(flask_caching.Cache, "get", return_value="patched")


def patched_instance(cache):
    return mock.patch.object(cache, "get", return_value="patched")


def patched_backend_class(cache):
    return mock.patch.object(RustCache, "get", return_value="patched", create=True)


def patched_backend(cache):
    return mock.patch.object(cache.app.extensions["cache"][cache], "get", return_value="patched")


PATCHES = [patched_class, patched_upstream, patched_instance, patched_backend_class, patched_backend]


@pytest.mark.parametrize("patch", PATCHES)
def test_patched_get_is_asked_from_the_next_call_on(patch):
    """People patch in tests: it counts at once, and so does the undoing."""
    app, cache, _ = build()
    one_view(app, cache)
    text(app)
    for _ in range(2):
        assert native(app) == (True, "run 1")
        with patch(cache) as get:
            assert [text(app) for _ in range(2)] == ["patched"] * 2
        assert get.call_count == 2
        assert native(app) == (True, "run 1")


@pytest.mark.parametrize("name", ["get", "cache"])
def test_overriding_subclass_sees_every_hit(name):
    seen = []

    def get(self, key):
        seen.append(key)
        return super(own, self).get(key)

    def backend(self):
        seen.append("cache")
        return super(own, self).cache

    override = {"get": get, "cache": property(backend)}[name]
    own = type("Own", (flask_rustcache.Cache,), {name: override})
    app, cache, _ = build(own)
    one_view(app, cache)
    text(app)
    seen.clear()
    assert native(app) == (False, "run 1")
    assert seen == (["view//"] if name == "get" else ["cache"])


@pytest.mark.parametrize("name", ["_bypass_cache", "_forced_update", "_is_stale"])
def test_subclass_that_overrides_what_a_hit_asks_is_asked(name):
    """Flask-Caching's decorated function asks these three at every hit."""
    seen = []

    def override(self, *args, **kwargs):
        seen.append(name)
        return getattr(flask_caching.Cache, name)(self, *args, **kwargs)

    app, cache, _ = build(type("Own", (flask_rustcache.Cache,), {name: override}))
    one_view(app, cache)
    text(app)
    seen.clear()
    assert text(app) == "run 1"
    assert seen == [name]


def test_subclass_that_overrides_other_things_stays_native():
    class Own(flask_rustcache.Cache):
        def set(self, *args, **kwargs):
            return super().set(*args, **kwargs)

        def extra(self):
            return 1

    app, cache, _ = build(Own)
    one_view(app, cache)
    text(app)
    assert native(app) == (True, "run 1")


def test_subclass_patched_after_its_first_hit():
    class Own(flask_rustcache.Cache):
        pass

    app, cache, _ = build(Own)
    one_view(app, cache)
    text(app)
    assert native(app) == (True, "run 1")
    Own.get = lambda self, key: "own"
    assert text(app) == "own"
    del Own.get
    assert native(app) == (True, "run 1")


def test_overriding_backend_sees_every_hit():
    class Own(RustCache):
        def get(self, key):
            return "own" if len(self) else super().get(key)

    app, cache, _ = build()
    app.extensions["cache"][cache] = Own()
    one_view(app, cache)
    assert [text(app) for _ in range(3)] == ["run 1", "own", "own"]


def test_signals_are_sent():
    """Signals may be switched on and off at any time."""
    app, cache, _ = build(CACHE_ENABLE_SIGNALS=True)
    one_view(app, cache)
    sent = []

    def on_hit(sender, **details):
        sent.append(("hit", details["cache_key"]))

    def on_miss(sender, **details):
        sent.append(("miss", details["cache_key"]))

    with signals.cache_view_hit.connected_to(on_hit), signals.cache_view_miss.connected_to(on_miss):
        assert [text(app) for _ in range(3)] == ["run 1"] * 3
        assert sent == [("miss", "view//"), ("hit", "view//"), ("hit", "view//")]
        cache.enable_signals = False
        assert native(app) == (True, "run 1")
        assert len(sent) == 3
        cache.enable_signals = True
        assert native(app) == (True, "run 1")
    assert len(sent) == 4


def test_debug_mode_may_be_toggled(caplog):
    """In debug mode each hit is logged."""
    app, cache, _ = build()
    one_view(app, cache)
    caplog.set_level("INFO", "flask_caching")
    text(app)
    for toggle in ({"DEBUG": True}, {"DEBUG": False}):
        app.config.update(toggle)
        caplog.clear()
        assert native(app) == (True, "run 1")
        logged = [record.getMessage() for record in caplog.records if record.name == "flask_caching"]
        assert logged == (["Cache used for key: view//"] if toggle["DEBUG"] else [])


def test_source_check_switched_on_is_obeyed():
    """``CACHE_SOURCE_CHECK`` puts the source into the key: an entry under the bare key is another's."""
    app, cache, _ = build(CACHE_SOURCE_CHECK=True)
    one_view(app, cache)
    cache.set("view//", "another's")
    assert [text(app) for _ in range(2)] == ["run 1"] * 2
    cache.source_check = False
    assert text(app) == "another's"
    cache.source_check = True
    assert text(app) == "run 1"


def test_replaced_make_cache_key_is_asked_at_every_call():
    app, cache, _ = build()
    page = one_view(app, cache)
    text(app)
    asked = []
    page.make_cache_key = lambda *args, **kwargs: asked.append(kwargs) or "other"
    assert [text(app) for _ in range(3)] == ["run 2"] * 3
    assert asked == [{"name": "", "use_request": True}] * 3


@pytest.mark.parametrize(("kind", "second"), [("SimpleCache", "run 1"), ("NullCache", "run 2")])
def test_other_backends_go_through_upstream(kind, second):
    app, cache, _ = build(CACHE_TYPE=kind, CACHE_NO_NULL_WARNING=True)
    one_view(app, cache)
    text(app)
    assert native(app) == (False, second)


class Counting(SimpleSerializer):
    loaded = 0

    def loads(self, data):
        Counting.loaded += 1
        return super().loads(data)


def test_serializer_of_ones_own_is_used_once_a_hit():
    app, cache, _ = build(CACHE_SERIALIZER=Counting)
    one_view(app, cache)
    text(app)
    Counting.loaded = 0
    assert [text(app) for _ in range(3)] == ["run 1"] * 3
    assert Counting.loaded == 3


class Pickled:
    """No type that has a native form."""

    def __call__(self, environ, start_response):
        return Response("pickled")(environ, start_response)


def test_values_that_may_be_exceptions_are_raised_if_they_are():
    """Pickled values, None and HTTPExceptions: what is to be raised is raised."""
    app, cache, runs = build()

    @app.route("/pickled")
    @cache.cached(60)
    def pickled():
        runs.count("pickled")
        return Pickled()

    @app.route("/stop")
    @cache.cached(60)
    def stop():
        runs.count("stop")
        return abort(410)

    @app.route("/none")
    def none():
        return str(nothing())

    @cache.cached(60, cache_none=True)
    def nothing():
        runs.count("none")

    for path, answer in (("/pickled", (200, "pickled")), ("/stop", (410, None)), ("/none", (200, "None"))):
        text(app, path)
        for _ in range(3):
            got = app.test_client().get(path)
            assert got.status_code == answer[0]
            assert answer[1] in {None, got.text}
            assert native(app, path)[0] is True
    assert runs == {"pickled": 1, "stop": 1, "none": 1}
