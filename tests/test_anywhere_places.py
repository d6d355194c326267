"""The package's own decorators, where one function stands in several places."""

import pytest
from flask import Blueprint, Flask
from flask.views import View
from flask_rustcache import Cache, RustCache, cached

from ._apps import BACKEND, build


def test_a_place_has_a_host_where_the_application_tells_hosts_apart():
    """K8: one blueprint under two subdomains."""
    app = Flask("places", subdomain_matching=True)
    app.config.update(CACHE_TYPE=BACKEND, SERVER_NAME="ex.com")
    Cache(app)
    pages = Blueprint("pages", "places")

    @pages.get("/")
    @cached(60)
    def page():
        from flask import request  # noqa: PLC0415 - as a module of views would have it

        return request.host

    for name in ("a", "b"):
        app.register_blueprint(pages, name=name, subdomain=name)
    hosts = ["a.ex.com", "b.ex.com"] * 2
    assert [app.test_client().get("/", base_url=f"http://{host}").text for host in hosts] == hosts


def test_a_place_has_the_root_that_the_application_is_mounted_at():
    """K8: an application mounted twice."""
    app, _, _ = build()

    @app.get("/")
    @cached(60)
    def page():
        from flask import request  # noqa: PLC0415

        return request.root_path

    roots = ["/one", "/two"] * 2
    answers = [app.test_client().get("/", environ_overrides={"SCRIPT_NAME": root}).text for root in roots]
    assert answers == roots


def test_a_partial_view_is_the_view():
    """K9: its paths are told apart."""
    import functools  # noqa: PLC0415

    @cached(60)
    def page(greeting):
        from flask import request  # noqa: PLC0415

        return f"{greeting} {request.path}"

    app, _, _ = build()
    for path in ("/a", "/b"):
        app.add_url_rule(path, endpoint=path, view_func=functools.partial(page, "hello"))
    assert [app.test_client().get(path).text for path in ("/a", "/b", "/a")] == [
        "hello /a",
        "hello /b",
        "hello /a",
    ]


def test_views_of_two_classes_are_cleared_apart():
    """K9: all that are decorated as classes are one function to Python."""
    app, _, runs = build()

    class Shown(View):
        decorators = (cached(60),)

        def dispatch_request(self):
            return f"{type(self).__name__} {runs.count(type(self).__name__)}"

    class First(Shown):
        """One."""

    class Second(Shown):
        """Another."""

    views = [kind.as_view(kind.__name__) for kind in (First, Second)]
    for path, view in zip(("/1", "/2"), views, strict=True):
        app.add_url_rule(path, view_func=view)
    client = app.test_client()

    def answers():
        return [client.get(path).text for path in ("/1", "/2")]

    assert answers() == answers() == ["First 1", "Second 1"]
    with app.app_context():
        views[0].clear()
    assert answers() == ["First 2", "Second 1"]


class Logged(RustCache):
    """One whose application has a word on every look."""

    def get(self, key):
        return super().get(key)


@pytest.mark.parametrize(
    ("backend", "why"), [(Logged, "Logged's is overridden or patched"), ("SimpleCache", "set CACHE_TYPE")]
)
def test_clear_says_so_where_it_cannot(backend, why):
    """It does not leave values behind in silence."""
    app, cache, runs = build(CACHE_TYPE="SimpleCache")
    if backend is Logged:
        app.extensions["cache"][cache] = Logged()
    page = cached(60)(lambda: runs.count("page"))
    with app.app_context():
        assert [page(), page()] == [1, 1]
        with pytest.raises(RuntimeError, match=rf"clear\(\) needs .*{why}"):
            page.clear()


def test_clear_of_nothing_is_nothing():
    """Test suites set NullCache."""
    app, _, runs = build(CACHE_TYPE="NullCache", CACHE_NO_NULL_WARNING=True)
    page = cached(60)(lambda: runs.count("page"))
    with app.app_context():
        assert [page(), page()] == [1, 2]
        page.clear()
