"""The tutorial's application in `examples/stocks`, and the demonstration of it."""

import csv
import difflib
import importlib
import json
import os
import re
import shutil
import socket
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path
from statistics import fmean, stdev
from urllib.request import ProxyHandler, build_opener

import pytest

EXAMPLES = Path(__file__).resolve().parent.parent / "examples"
APPLICATION = EXAMPLES / "stocks"
LIMIT = 120

OURS = 'app.config["CACHE_TYPE"] = "flask_rustcache.RustCache"\n'
THEIRS = 'app.config["CACHE_TYPE"] = "SimpleCache"\n'

# Two requests, and how often the resource really computed.
ASK_TWICE = """
import json, sys
from app import app
from stocks import analysis

runs = []
report = analysis.report
analysis.report = lambda: runs.append(1) or report()
client = app.test_client()
answers = [client.get("/api/stocks") for _ in range(2)]
print(json.dumps([[one.status_code, one.content_type, one.text] for one in answers]), len(runs))
"""


@pytest.fixture(scope="module")
def stocks():
    """Import the example's modules by name, and leave no trace of them behind."""
    patch = pytest.MonkeyPatch()
    patch.syspath_prepend(APPLICATION)
    names = ["analysis", "bootstrap", "measures", "portfolios", "prices"]
    modules = {name: importlib.import_module(f"stocks.{name}") for name in names}
    yield type("Stocks", (), modules)
    patch.undo()
    for name in [name for name in sys.modules if name.partition(".")[0] == "stocks"]:
        del sys.modules[name]


@pytest.fixture(scope="module")
def report(stocks):
    return stocks.analysis.report()


@pytest.fixture(scope="module")
def rows(stocks):
    """Read the data file again, in another way than the example does."""
    with stocks.prices.price_file().open(encoding="utf-8") as file:
        return list(csv.reader(file))[1:]


@pytest.fixture(scope="module")
def apple(rows):
    return [float(price) for symbol, _, price in rows if symbol == "AAPL"]


def run(code, folder):
    """Run Python code in a process of its own, with an application's folder to import from."""
    command = [sys.executable, "-c", code]
    return subprocess.run(
        command, cwd=folder, capture_output=True, text=True, check=True, timeout=LIMIT
    ).stdout


# --- the analysis


def test_every_price_of_the_file_is_in_the_history(report, rows):
    assert len(rows) == 560
    prices = {
        (symbol, month["month"]): month["price"]
        for symbol, company in report["companies"].items()
        for month in company["history"]
    }
    assert len(prices) == len(rows)
    assert prices["MSFT", "2000-01"] == 39.81
    assert prices["AAPL", "2010-03"] == 223.02
    assert sorted(prices.values()) == sorted(float(price) for _, _, price in rows)


def test_history_is_in_order_of_time(report):
    for company in report["companies"].values():
        months = [month["month"] for month in company["history"]]
        assert months == sorted(set(months))
        assert len(months) == company["months"]


def test_moving_averages(report, apple):
    history = report["companies"]["AAPL"]["history"]
    assert [month["average_3"] for month in history[:3]] == [None, None, 29.516667]
    for at in (11, 60, 122):
        assert history[at]["average_3"] == pytest.approx(fmean(apple[at - 2 : at + 1]), abs=1e-6)
        assert history[at]["average_12"] == pytest.approx(fmean(apple[at - 11 : at + 1]), abs=1e-6)
    assert history[10]["average_12"] is None


def test_growth_and_volatility(report, apple):
    company = report["companies"]["AAPL"]
    changes = [apple[at] / apple[at - 1] for at in range(1, len(apple))]
    years = len(changes) / 12
    assert (1 + company["growth"]) ** years == pytest.approx(apple[-1] / apple[0], rel=1e-4)
    assert company["volatility"] == pytest.approx(stdev(changes) * 12**0.5, abs=1e-6)


def test_max_drawdown_is_the_worst_of_all_pairs_of_months(report, apple):
    company = report["companies"]["AAPL"]
    pairs = ((high, low) for at, high in enumerate(apple) for low in apple[at:])
    high, low = min(pairs, key=lambda pair: pair[1] / pair[0])
    deepest = company["max_drawdown"]
    prices = {month["month"]: month["price"] for month in company["history"]}
    assert deepest["depth"] == pytest.approx(low / high - 1, abs=1e-6)
    assert (prices[deepest["peak"]], prices[deepest["trough"]]) == (high, low)
    assert prices[deepest["recovered"]] >= high


def test_a_fall_that_has_not_ended_was_not_recovered(stocks):
    deepest = stocks.analysis.deepest({"2000-01": 1.0, "2000-02": 4.0, "2000-03": 1.0})
    assert deepest == {
        "depth": -0.75,
        "peak": "2000-02",
        "trough": "2000-03",
        "recovered": None,
    }


def test_correlations_are_symmetric_and_right(stocks, report):
    table = report["correlations"]
    for left, row in table.items():
        assert row[left] == 1.0
        assert all(table[right][left] == value for right, value in row.items())
        assert all(-1 <= value <= 1 for value in row.values())
    assert stocks.measures.correlation([1, 2, 3], [2, 4, 6]) == pytest.approx(1)
    assert stocks.measures.correlation([1, 2, 3], [3, 2, 1]) == pytest.approx(-1)
    assert stocks.measures.correlation([1, 2, 3, 4], [1, 2, 2, 1]) == pytest.approx(0)


def test_a_company_without_luck_has_no_width_in_its_bands(stocks):
    rng = stocks.analysis.Random(1)
    bands = stocks.bootstrap.confidence([1.0] * 24, rng)
    assert set(bands) == {"growth", "volatility", "max_drawdown"}
    assert all(set(band.values()) == {0.0} for band in bands.values())
    outlook = stocks.bootstrap.outlook([2.0] * 6, rng)
    assert [band["median"] for band in outlook] == [2.0**month for month in range(1, 25)]


def test_bands_are_ordered_and_hold_what_was_measured(report):
    for company in report["companies"].values():
        for name, band in company["confidence"].items():
            assert band["low"] <= band["median"] <= band["high"]
            measured = company[name]
            measured = measured["depth"] if name == "max_drawdown" else measured
            assert band["low"] <= measured <= band["high"]


def test_a_drawn_history_is_made_of_blocks_of_the_real_one(stocks):
    steps = [1.0 + at / 100 for at in range(20)]
    drawn = stocks.bootstrap.resample(steps, 15, stocks.analysis.Random(1))
    assert len(drawn) == 15
    places = [steps.index(step) for step in drawn]
    for at in range(1, 15):
        assert at % 6 == 0 or places[at] == (places[at - 1] + 1) % 20


def test_every_split_of_money_is_measured_once(stocks, report):
    assert sorted(stocks.portfolios.splits(2, 3)) == [(0, 3), (1, 2), (2, 1), (3, 0)]
    splits = list(stocks.portfolios.splits(5, 20))
    assert len(set(splits)) == len(splits) == report["portfolios"]["measured"] == 10_626
    assert all(sum(split) == 20 for split in splits)


def test_all_money_in_one_company_is_that_company(stocks):
    months = [(1.1, 0.5), (0.9, 0.5), (1.2, 0.5)]
    alone = stocks.portfolios.measure((1.0, 0.0), months)
    assert alone["growth"] == pytest.approx((1.1 * 0.9 * 1.2) ** 4 - 1, abs=1e-6)
    assert alone["volatility"] == pytest.approx(stdev([1.1, 0.9, 1.2]) * 12**0.5, abs=1e-6)
    assert alone["max_drawdown"] == -0.1


def test_the_frontier_only_grows(report):
    frontier = report["portfolios"]["frontier"]
    for name in ("growth", "volatility"):
        values = [portfolio[name] for portfolio in frontier]
        assert values == sorted(set(values))
    assert frontier[0]["volatility"] == report["portfolios"]["calmest"]["volatility"]


def test_the_report_is_json_as_it_stands_and_the_same_every_time(stocks, report):
    assert json.loads(json.dumps(report)) == report
    assert stocks.analysis.report() == report


def test_the_computation_does_without_pandas():
    """Importing pandas would take longer than what is to be shown."""
    code = "import sys, stocks.analysis as a; a.load(); print('pandas' in sys.modules)"
    assert run(code, APPLICATION) == "False\n"


# --- the application


def test_one_line_is_the_whole_difference_to_simplecache(tmp_path):
    """Both versions answer the same bytes, and compute once for two requests."""
    theirs = tmp_path / "stocks"
    shutil.copytree(APPLICATION, theirs, ignore=shutil.ignore_patterns("__pycache__"))
    ours = (APPLICATION / "app.py").read_text(encoding="utf-8")
    assert ours.count(OURS) == 1
    (theirs / "app.py").write_text(ours.replace(OURS, THEIRS), encoding="utf-8")
    assert changed_lines(theirs, APPLICATION) == [f"-{THEIRS}", f"+{OURS}"]

    answers = run(ASK_TWICE, APPLICATION)
    assert answers == run(ASK_TWICE, theirs)
    (first, second), runs = json.JSONDecoder().raw_decode(answers)[0], answers.split()[-1]
    assert first == second
    assert first[:2] == [200, "application/json"]
    assert runs == "1"


def changed_lines(before, after):
    """List the lines in which two folders differ, with `-` and `+` before them."""
    files = sorted(path.relative_to(after) for path in after.rglob("*.py"))
    assert files == sorted(path.relative_to(before) for path in before.rglob("*.py"))
    changed = []
    for file in files:
        lines = [(folder / file).read_text("utf-8").splitlines(True) for folder in (before, after)]
        # The first two lines of a unified diff name the files.
        diff = list(difflib.unified_diff(*lines, n=0))[2:]
        changed += [line for line in diff if not line.startswith("@@")]
    return changed


def test_the_structure_is_the_tutorials():
    app = (APPLICATION / "app.py").read_text(encoding="utf-8")
    resource = (APPLICATION / "stocks" / "stock_list.py").read_text(encoding="utf-8")
    places = [
        app.index(line)
        for line in (
            "app = Flask(__name__)\napi = Api(app)\n",
            OURS + "cache = Cache(app)\n",
            "from stocks.stock_list import StocksList",
            'api.add_resource(StocksList, "/api/stocks")\n',
            'if __name__ == "__main__":\n    app.run(debug=True)\n',
        )
    ]
    assert places == sorted(places)
    assert "from app import cache\n" in resource
    assert "    @cache.cached(3600)\n    def get(self):\n" in resource


@pytest.mark.skipif(os.name == "nt", reason="hands a socket down, which Windows does otherwise")
def test_started_as_a_script_with_the_reloader_of_debug_mode(report):
    """`python app.py` names the module `__main__`, while the resource imports it as `app`."""
    opener = build_opener(ProxyHandler({}))
    with script() as url:
        for _ in range(2):
            with opener.open(f"{url}/api/stocks", timeout=LIMIT) as response:
                assert json.load(response) == report


@contextmanager
def script():
    """Start `python app.py` as Flask's reloader does: with a socket, instead of port 5000."""
    listener = socket.create_server(("127.0.0.1", 0))
    with listener:
        url = f"http://127.0.0.1:{listener.getsockname()[1]}"
        descriptor = listener.fileno()
        settings = {"WERKZEUG_RUN_MAIN": "true", "WERKZEUG_SERVER_FD": str(descriptor)}
        process = subprocess.Popen(
            [sys.executable, "app.py"],
            cwd=APPLICATION,
            env=os.environ | settings,
            pass_fds=[descriptor],
            stdout=subprocess.DEVNULL,
        )
    try:
        yield url
    finally:
        process.kill()
        process.wait(LIMIT)


# --- the demonstration


@pytest.mark.skipif(os.name == "nt", reason="gunicorn does not run on Windows")
def test_the_demonstration_ends_well():
    command = [sys.executable, EXAMPLES / "demo.py"]
    demo = subprocess.run(command, capture_output=True, text=True, timeout=LIMIT, check=False)
    assert (demo.returncode, demo.stderr) == (0, "")
    for column in ("uncached +flask-caching +flask-rustcache", "computed, times +4 +1 +1"):
        assert re.search(column, demo.stdout), column
    for shown in ("speed-up", "inside the decorator", "hits", "misses", "all right: 86 equal answers"):
        assert shown in demo.stdout


@pytest.fixture
def demo(monkeypatch):
    """Import the demonstration's modules by name, and leave no trace of them behind."""
    monkeypatch.syspath_prepend(EXAMPLES)
    yield importlib.import_module("demo")
    for name in ("demo", "demo_server"):
        del sys.modules[name]


def column(demo, name, bodies, computed, **counters):
    answers = [demo.Answer(body, "application/json", 0.1) for body in bodies]
    return demo.Column(name, answers, {"computed": computed, "inside": [1, 1], "counters": counters})


def test_the_demonstration_does_not_take_different_answers_for_equal(demo):
    theirs = column(demo, "flask-caching", [b"{}"] * 2, 1)
    spaced = column(demo, demo.OURS, [b"{ }"] * 2, 1, hits=1, misses=1)
    for one in (theirs, spaced):
        demo.check(one)
    with pytest.raises(demo.DemoError, match="flask-rustcache differ from those of flask-caching"):
        demo.compare([theirs, spaced])
    with pytest.raises(demo.DemoError, match="differ from a computation"):
        demo.compare([theirs, theirs])


def test_the_demonstration_notices_a_cache_that_does_not_work(demo):
    for wrong, said in (
        (column(demo, "flask-caching", [b"1", b"2"], 1), "a later answer differs"),
        (column(demo, "flask-caching", [b"1", b"1"], 2), "expected 1 computations, there were 2"),
        (column(demo, "uncached", [b"1", b"1"], 1), "expected 2 computations, there were 1"),
        (column(demo, demo.OURS, [b"1", b"1"], 1, hits=0, misses=2), "expected 1 hits and 1 miss"),
    ):
        with pytest.raises(demo.DemoError, match=said):
            demo.check(wrong)


@pytest.mark.skipif(os.name == "nt", reason="gunicorn does not run on Windows")
def test_the_demonstration_says_what_is_wrong():
    """A port that is taken is a message and a status, not a traceback."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        command = [sys.executable, EXAMPLES / "demo.py", f"--port={port}"]
        demo = subprocess.run(command, capture_output=True, text=True, timeout=LIMIT, check=False)
    assert demo.returncode == 1
    assert demo.stderr.startswith(f"demo: cannot listen on port {port}: ")
