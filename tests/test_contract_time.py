"""CONTRACT 3, "Time": frozen-time tests go on working, and production goes by the native clock.

Whether a cache follows ``time.time`` is decided by what the process has loaded, and pytest has loaded
time-machine here; so what holds without it is shown in processes of their own.
"""

import subprocess
import sys
from datetime import UTC, datetime, timedelta

import pytest
import time_machine
from flask import Flask
from flask_caching import Cache
from flask_rustcache import RustCache
from flask_rustcache.testing import ManualClock
from freezegun import freeze_time

NOON = datetime(2030, 6, 1, 12, 0, tzinfo=UTC)


# --- The application, and the fixtures as Flask's testing guide has them ---------------------------

cache = Cache()


def create_app():
    app = Flask(__name__)
    app.config["CACHE_TYPE"] = "flask_rustcache.RustCache"
    cache.init_app(app)
    calls = []

    @app.get("/prices")
    @cache.cached(timeout=60)
    def prices():
        calls.append(1)
        return {"call": len(calls)}

    return app


@pytest.fixture
def app():
    app = create_app()
    app.config.update({"TESTING": True})
    return app


@pytest.fixture
def client(app):
    return app.test_client()


def by_freezegun():
    return freeze_time(NOON)


def by_time_machine():
    return time_machine.travel(NOON, tick=False)


def move(frozen, seconds):
    advance = getattr(frozen, "tick", None) or frozen.shift
    advance(timedelta(seconds=seconds))


LIBRARIES = pytest.mark.parametrize("freeze", [by_freezegun, by_time_machine])


@LIBRARIES
def test_a_view_expires_when_frozen_time_moves(client, freeze):
    with freeze() as frozen:
        assert [client.get("/prices").json["call"] for _ in range(3)] == [1, 1, 1]
        move(frozen, 59.5)
        assert client.get("/prices").json["call"] == 1
        move(frozen, 0.5)
        assert client.get("/prices").json["call"] == 2
        move(frozen, 3600)
        assert [client.get("/prices").json["call"] for _ in range(2)] == [3, 3]


@LIBRARIES
def test_frozen_time_stands_still(app, freeze):
    with app.app_context(), freeze() as frozen:
        cache.set("a", 1, 0.000001)
        for _ in range(1000):
            assert cache.get("a") == 1
        assert cache.cache._cache["a"][0] == pytest.approx(NOON.timestamp(), abs=0.001)
        move(frozen, 1)
        assert cache.get("a") is None


@LIBRARIES
def test_freezing_in_the_middle_of_a_test_moves_what_was_there_before(app, freeze):
    with app.app_context():
        cache.set("a", 1, 60)
        assert cache.get("a") == 1
        with freeze():
            # Years later.
            assert cache.get("a") is None
            cache.set("b", 2, 60)
        # Thawed, and years earlier.
        assert cache.get("b") == 2


@LIBRARIES
def test_a_bare_cache_follows_too(freeze):
    with freeze() as frozen:
        bare = RustCache()
        bare.set("a", 1, 5)
        move(frozen, 5)
        assert bare.get("a") is None


@LIBRARIES
def test_clock_wins_over_frozen_time(freeze):
    clock = ManualClock()
    app = Flask("app")
    app.config.update(TESTING=True, CACHE_TYPE="flask_rustcache.RustCache")
    app.config["CACHE_OPTIONS"] = {"clock": clock}
    own = Cache(app)
    with app.app_context(), freeze() as frozen:
        own.set("a", 1, 5)
        move(frozen, 1000)
        assert own.get("a") == 1
        clock.advance(5)
        assert own.get("a") is None


@pytest.mark.parametrize("value", [5, "noon", object()])
def test_what_is_no_clock_is_an_error_that_names_it(value):
    """CONTRACT 2: assigned as well as given to the constructor; time goes on as before."""
    cache = RustCache()
    with pytest.raises(TypeError, match="clock must be a callable"):
        cache.clock = value
    assert cache.clock is None
    assert cache.set("a", 1, 60)
    assert cache.get("a") == 1


def test_installing_the_hand_moved_clock_in_an_application(app):
    clock = ManualClock()
    clock.install(app)
    with app.app_context():
        cache.set("a", 1, 60)
        clock.advance(timedelta(minutes=1))
        assert cache.get("a") is None


def test_installing_it_where_there_is_no_cache_is_an_error():
    with pytest.raises(LookupError, match="init_app"):
        ManualClock().install(Flask("bare"))


# --- What the process decides --------------------------------------------------------------------

PREAMBLE = """
import sys, time
from flask import Flask
from flask_caching import Cache
from flask_rustcache import RustCache

real = time.time

def later(seconds):
    time.time = lambda: real() + seconds

def application(**config):
    app = Flask("app")
    app.config.update({"CACHE_TYPE": "flask_rustcache.RustCache", **config})
    cache = Cache(app)
    return app, app.extensions["cache"][cache]

assert not {"freezegun", "time_machine"} & set(sys.modules)
"""


def run(code):
    process = subprocess.run(
        [sys.executable, "-W", "error", "-c", PREAMBLE + code],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert process.returncode == 0, process.stderr
    return process.stdout.split()


def test_production_goes_by_the_native_clock():
    answers = run("""
app, cache = application()
bare = RustCache()
for each in (cache, bare):
    each.set("a", 1, 60)
    later(10_000)
    print(each.get("a"))
    time.time = lambda: 1 / 0
    print(each.get("a"), each.set("b", 1), each.has("b"))
    later(-10_000)
    print(each.get("a"))
""")
    assert answers == ["1", "1", "True", "True", "1"] * 2


@pytest.mark.parametrize(
    "setting",
    [
        "app, cache = application(TESTING=True)",
        'app, cache = application(); app.config["TESTING"] = True',
        'app, cache = application(TESTING=True); app.config["TESTING"] = False',
        "app, cache = application(); import freezegun",
        "app, cache = application(); import time_machine",
        "import freezegun; cache = RustCache()",
    ],
)
def test_what_makes_a_cache_follow_the_wall_clock(setting):
    answers = run(f"""
{setting}
cache.set("a", 1, 60)
later(59)
print(cache.get("a"))
later(61)
print(cache.get("a"))
""")
    assert answers == ["1", "None"]


def test_what_is_set_after_the_first_call_changes_nothing():
    answers = run("""
app, cache = application()
cache.set("a", 1, 60)
app.config["TESTING"] = True
import freezegun
later(1000)
print(cache.get("a"))
""")
    assert answers == ["1"]


def test_a_clock_wins_in_a_testing_application():
    answers = run("""
now = [100.0]
app, cache = application(TESTING=True, CACHE_OPTIONS={"clock": lambda: now[0]})
cache.set("a", 1, 60)
later(1000)
print(cache.get("a"))
now[0] += 60
print(cache.get("a"))
""")
    assert answers == ["1", "None"]
