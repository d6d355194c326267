"""The second variant of the tutorial's application, in `examples/stocks_plain`: no circular import."""

import json
import os
import socket
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path
from urllib.request import ProxyHandler, Request, build_opener

import pytest

EXAMPLES = Path(__file__).resolve().parent.parent / "examples"
TUTORIAL = EXAMPLES / "stocks"
PLAIN = EXAMPLES / "stocks_plain"
LIMIT = 120

#: Has each computation print a line; what comes after it in a process runs the application.
COUNTING = """
import sys
from stocks import analysis

real = analysis.report
def report():
    print("computed", flush=True)
    return real()
analysis.report = report
"""

ASK = (
    COUNTING
    + """
import json
from app import app
client = app.test_client()
answers = [client.open("/api/stocks", method=method) for method in json.loads(sys.argv[1])]
print(json.dumps([[one.status, list(one.headers), one.text] for one in answers]))
"""
)

#: What `python app.py` does, with its computations counted.
RUN = (
    COUNTING
    + """
import runpy
runpy.run_path("app.py", run_name="__main__")
"""
)


def ask(folder, *methods):
    """Send requests to an application by its test client, in a process of its own.

    Returns:
        tuple: the answers (status, headers, text), and how often it computed.
    """
    command = [sys.executable, "-c", ASK, json.dumps(methods)]
    child = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=True, timeout=LIMIT)
    *computed, answers = child.stdout.splitlines()
    assert set(computed) == {"computed"}
    return json.loads(answers), len(computed)


@contextmanager
def served(folder, *command):
    """Start a server as Flask's reloader does: with a socket, instead of port 5000.

    Yields:
        tuple: its URL, and the process.
    """
    listener = socket.create_server(("127.0.0.1", 0))
    with listener:
        url = f"http://127.0.0.1:{listener.getsockname()[1]}/api/stocks"
        descriptor = listener.fileno()
        settings = {"WERKZEUG_RUN_MAIN": "true", "WERKZEUG_SERVER_FD": str(descriptor)}
        process = subprocess.Popen(
            [sys.executable, *command],
            cwd=folder,
            env=os.environ | settings,
            pass_fds=[descriptor],
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )
    try:
        yield url, process
    finally:
        process.kill()
        process.communicate(timeout=LIMIT)


def fetch(url, method="GET"):
    """Send a request over the network; the status, the type and the bytes of the answer."""
    opener = build_opener(ProxyHandler({}))
    with opener.open(Request(url, method=method), timeout=LIMIT) as answer:
        return answer.status, answer.headers["Content-Type"], answer.read()


def lines(file):
    """The lines of an application's file that do something; comments and documentation differ."""
    text = (PLAIN / file).read_text("utf-8")
    return [line for line in text.splitlines() if line and not line.lstrip().startswith("#")]


def test_answers_are_those_of_the_first_variant():
    """To the byte, headers included; either computes once for three requests."""
    plain, tutorial = ask(PLAIN, "GET", "GET", "GET"), ask(TUTORIAL, "GET", "GET", "GET")
    assert plain == tutorial
    answers, computed = plain
    assert computed == 1
    assert answers[0] == answers[1] == answers[2]
    assert answers[0][0] == "200 OK"
    assert json.loads(answers[0][2])["companies"].keys() == {"AAPL", "AMZN", "GOOG", "IBM", "MSFT"}


def test_head_is_kept_apart_and_post_is_none_of_its_business():
    """HEAD computes once for itself, and a method that the resource has not is refused as ever."""
    answers, computed = ask(PLAIN, "GET", "HEAD", "HEAD", "POST", "GET")
    statuses = [status for status, _, _ in answers]
    assert statuses == ["200 OK"] * 3 + ["405 METHOD NOT ALLOWED", "200 OK"]
    assert [bool(text) for _, _, text in answers] == [True, False, False, True, True]
    assert computed == 2


@pytest.mark.skipif(os.name == "nt", reason="hands a socket down, which Windows does otherwise")
def test_a_real_server_computes_once():
    with served(PLAIN, "-c", RUN) as (url, process):
        answers = [fetch(url) for _ in range(5)]
        process.terminate()
        assert process.communicate(timeout=LIMIT)[0].count("computed\n") == 1
    assert {status for status, _, _ in answers} == {200}
    assert len(set(answers)) == 1


@pytest.mark.skipif(os.name == "nt", reason="hands a socket down, which Windows does otherwise")
def test_started_as_a_script():
    """`python app.py` names the module `__main__`, which no longer matters; the answer is the tutorial's."""
    with served(PLAIN, "app.py") as (plain, _), served(TUTORIAL, "app.py") as (tutorial, _):
        answers = [fetch(plain), fetch(plain)]
        assert answers == [fetch(tutorial)] * 2


def test_the_structure_is_the_tutorials_without_the_circle():
    """The same files; the resource knows of no application, and is imported at the top of `app.py`."""
    names = {str(path.relative_to(TUTORIAL)) for path in TUTORIAL.rglob("*.py")}
    own = {str(path.relative_to(PLAIN)) for path in PLAIN.rglob("*.py")}
    assert own == {"app.py", str(Path("stocks", "__init__.py")), str(Path("stocks", "stock_list.py"))}
    assert own < names
    app, resource = lines("app.py"), lines(Path("stocks", "stock_list.py"))
    assert app.index("from stocks.stock_list import StocksList") < app.index("app = Flask(__name__)")
    assert "cache = Cache(app)" in app
    assert not any("sys" in line for line in app)
    assert not any("import" in line and "app" in line.split() for line in resource)
    at = resource.index("    @cached(3600)")
    assert resource[at + 1] == "    def get(self):"
    assert "from flask_rustcache import cached" in resource


def test_the_rest_of_the_package_is_the_neighbours():
    """Nothing is copied: the analysis is the file in `examples/stocks`."""
    code = "import stocks, stocks.analysis as a, stocks.stock_list as s; print(a.__file__); print(s.__file__)"
    command = [sys.executable, "-c", code]
    child = subprocess.run(command, cwd=PLAIN, capture_output=True, text=True, check=True, timeout=LIMIT)
    analysis, resource = (Path(line).resolve() for line in child.stdout.splitlines())
    assert analysis == TUTORIAL / "stocks" / "analysis.py"
    assert resource == PLAIN / "stocks" / "stock_list.py"


def test_the_resource_is_imported_before_there_is_an_application():
    """And by two applications in one process, each with its own entries."""
    code = COUNTING + (
        "from stocks.stock_list import StocksList\n"
        "from flask import Flask\nfrom flask_caching import Cache\nfrom flask_restful import Api\n"
        "answers = set()\n"
        "for name in 'ab':\n"
        "    app = Flask(name)\n"
        "    app.config['CACHE_TYPE'] = 'flask_rustcache.RustCache'\n"
        "    Cache(app)\n"
        "    Api(app).add_resource(StocksList, '/api/stocks')\n"
        "    answers |= {app.test_client().get('/api/stocks').text for _ in range(2)}\n"
        "print(len(answers))\n"
    )
    command = [sys.executable, "-c", code]
    child = subprocess.run(command, cwd=PLAIN, capture_output=True, text=True, check=True, timeout=LIMIT)
    assert child.stdout.split() == ["computed", "computed", "1"]
