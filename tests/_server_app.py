"""The application that the servers' tests and the long run serve: all that could leak or go stale is in it.

Servers import it by its name, so it imports nothing of the tests. Each answer follows from the path, the
query and the session alone, or names the worker that it depends on, so that visitors can check it
(`_visitors.py`). `SHOP_CACHE_THRESHOLD=500` in the environment sets `CACHE_THRESHOLD`, and so on.
"""

import os
import time

from flask import Flask, abort, jsonify, request, session
from flask_rustcache import Cache

app = Flask(__name__)
app.config.update(CACHE_TYPE="flask_rustcache.RustCache", CACHE_THRESHOLD=50_000, SECRET_KEY="k")
app.config.from_prefixed_env("SHOP")
cache = Cache(app)

LOADED_BY = os.getpid()


def give_way():
    """Let others run, so that fills meet; as a query to a database would."""
    for _ in range(3):
        time.sleep(0)


@app.get("/login/<user>")
def login(user):
    session["user"] = user
    return user


@app.get("/page/<int:number>")
@cache.cached(tags=lambda number: [f"shelf {number % 10}"])
def page(number):
    give_way()
    return jsonify(page=number, lines=[f"line {line} of {number}" for line in range(number % 40)])


@app.get("/search")
@cache.cached(query_string=True)
def search():
    give_way()
    # One entry for all orders of the query.
    return {name: sorted(request.args.getlist(name)) for name in request.args}


@cache.memoize()
def profile(user):
    give_way()
    return {"user": user, "friends": [{"name": f"{user}'s friend", "tags": {"kind"}}]}


@app.get("/profile")
def own_profile():
    """Change what came from the cache: it is this visitor's own."""
    found = profile(session["user"])
    seen = found.setdefault("seen by", [])
    seen.append(session["user"])
    found["friends"][0]["tags"] = sorted(found["friends"][0]["tags"])
    return found


@app.get("/count")
def count():
    return {"worker": os.getpid(), "count": cache.inc(f"count {session['user']}")}


@app.get("/note/<int:number>")
def note(number):
    """Leave a note for oneself, and return the one before."""
    key = ("note", session["user"])
    before = cache.get(key)
    cache.set(key, {"of": session["user"], "number": number})
    return {"worker": os.getpid(), "before": before}


@app.get("/absent/<int:number>")
@cache.cached()
def absent(number):
    give_way()
    abort(404, f"no {number}")


@app.get("/broken/<int:number>")
@cache.cached()
def broken(number):
    give_way()
    raise RuntimeError(f"broken {number}")


@app.errorhandler(RuntimeError)
def explain(error):
    return str(error), 500


REMOVALS = {
    "delete": lambda number: cache.delete(f"view//page/{number}"),
    "memoized": lambda number: cache.delete_memoized(profile),
    "tag": lambda number: cache.delete_tag(f"shelf {number % 10}"),
    "prefix": lambda number: cache.delete_prefix(f"view//page/{number % 10}"),
    "clear": lambda number: cache.clear(),
}


@app.get("/forget/<what>/<int:number>")
def forget(what, number):
    REMOVALS[what](number)
    return {"forgotten": what}


@app.get("/state")
def state():
    """What this worker's cache says of itself, which is looked over before."""
    cache.cache._validate()
    return {"worker": os.getpid(), "loaded by": LOADED_BY, "stats": cache.cache.stats()}


@app.after_request
def mark(response):
    """Change the session and the response of each request, cached or not."""
    if "user" in session:
        session["visits"] = session.get("visits", 0) + 1
        response.headers.add("X-User", session["user"])
    return response
