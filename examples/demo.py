"""Shows the tutorial's application speed up: `make demo`, or `make serve` to keep it running.

Starts `examples/stocks` under gunicorn three times: without a cache, with Flask-Caching's SimpleCache, and
with flask-rustcache's Cache and RustCache. Asks each for the same page several times, prints what that took
and what was counted, and checks and compares every answer. Times are printed, never judged.
"""

import argparse
import json
import signal
import sys
from statistics import median
from typing import NamedTuple

from demo_server import APPLICATION, Answer, DemoError, ask, server

OURS = "flask-rustcache"
# Heading of each column, and how many requests it is asked; an uncached one takes most of a second.
COLUMNS = {
    "uncached": ("no cache at all", 4),
    "flask-caching": ("SimpleCache", 41),
    OURS: ("RustCache", 41),
}
HOW = """\
  request: measured by the client, one at a time, the connection included
  inside the decorator: measured in the server process, around the call of the resource's decorated
  method (undecorated where uncached) in each of these requests; the first is left out"""


class Column(NamedTuple):
    """What one of the servers answered, and what it counted."""

    name: str
    answers: list[Answer]
    stats: dict

    @property
    def later(self):
        """The median time of all requests but the first, seconds."""
        return median(answer.seconds for answer in self.answers[1:])

    @property
    def inside(self):
        """The median time in the decorated method in all requests but the first, seconds."""
        return median(self.stats["inside"][1:]) / 1e9


def main():
    """Run the demonstration or the server.

    Returns:
        int: the exit status, 0 if everything was right.
    """
    options = parse()
    # A plain SIGTERM would skip every `finally`, and so leave gunicorn behind.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    try:
        (serve if options.serve else demonstrate)(options.port)
    except DemoError as wrong:
        print(f"demo: {wrong}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("\nstopped")
        return 0 if options.serve else 128 + signal.SIGINT
    return 0


def parse():
    """Read the command line.

    Returns:
        argparse.Namespace: `serve` (bool) and `port` (int, 0 for any free one).
    """
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--serve", action="store_true", help="keep running until Ctrl-C")
    parser.add_argument("--port", type=int, default=0, help="port to listen on (a free one)")
    return parser.parse_args()


def serve(port):
    """Keep the application running until Ctrl-C, with our cache.

    Args:
        port (int): the port to listen on, 0 for any free one.

    Raises:
        DemoError: the server did not start, or ended by itself.
    """
    with server(port, OURS) as (process, url):
        print(f"{url}/api/stocks   the tutorial's page\n{url}/_stats       what the cache counted")
        print("Ctrl-C stops", flush=True)
        raise DemoError(f"gunicorn ended by itself with status {process.wait()}")


def demonstrate(port):
    """Ask each application for the page several times, show the times, check the answers.

    Args:
        port (int): the port to listen on, 0 for any free one.

    Raises:
        DemoError: a server did not start, or an answer is not what it must be.
    """
    # One after the other, so that none has another's threads beside it.
    columns = [measure(port, name, requests) for name, (_, requests) in COLUMNS.items()]
    show(columns)
    for column in columns:
        check(column)
    compare(columns)
    answers = sum(len(column.answers) for column in columns)
    print(f"\nall right: {answers} equal answers, each as a fresh computation gives it")


def measure(port, name, requests):
    """Start one application, ask it for the page, and stop it.

    Args:
        port (int): the port to listen on, 0 for any free one.
        name (str): the cache, a key of `COLUMNS`.
        requests (int): how many times to ask, at least two.

    Returns:
        Column: what came back.

    Raises:
        DemoError: the server did not start, or did not answer.
    """
    with server(port, name) as (_process, url):
        answers = [ask(f"{url}/api/stocks") for _ in range(requests)]
        return Column(name, answers, json.loads(ask(f"{url}/_stats").body))


def show(columns):
    """Print the times and the counters.

    Args:
        columns (list[Column]): one for each server, the uncached one first.
    """
    uncached = columns[0]
    print(f"GET /api/stocks, {len(uncached.answers[0].body):,} bytes of JSON\n")
    line("", [column.name for column in columns])
    line("", [COLUMNS[column.name][0] for column in columns])
    line("requests", [f"{len(column.answers)}" for column in columns])
    line("computed, times", [f"{column.stats['computed']}" for column in columns])
    line("first request", [milliseconds(column.answers[0].seconds) for column in columns])
    line("later, median", [milliseconds(column.later) for column in columns])
    line("speed-up of a request", [f"{uncached.later / column.later:,.0f} times" for column in columns])
    line("inside the decorator, median", [milliseconds(column.inside) for column in columns])
    line("speed-up inside", [f"{uncached.inside / column.inside:,.0f} times" for column in columns])
    print(f"\n{HOW}\n\ncache statistics of {OURS}")
    for name, value in columns[-1].stats["counters"].items():
        print(f"  {name:<28} {value!s:>16}")


def line(label, cells):
    """Print a line of the table.

    Args:
        label (str): what it shows.
        cells (list[str]): one for each column.
    """
    print(f"  {label:<28} " + " ".join(f"{cell:>16}" for cell in cells))


def milliseconds(seconds):
    """Write a time.

    Args:
        seconds (float): the time.

    Returns:
        str: with as many digits as mean anything.
    """
    return f"{seconds * 1000:,.3f} ms" if seconds < 0.001 else f"{seconds * 1000:,.2f} ms"


def check(column):
    """Check everything that one server sent.

    Args:
        column (Column): its answers, in the order of the requests, and what it counted.

    Raises:
        DemoError: it is not what it must be.
    """
    name, answers, stats = column
    if any(answer.content_type != "application/json" for answer in answers):
        raise DemoError(f"{name}: not all answers are JSON: {[one.content_type for one in answers]}")
    if any(answer.body != answers[0].body for answer in answers):
        raise DemoError(f"{name}: a later answer differs from the first")
    wanted = len(answers) if name == "uncached" else 1
    if stats["computed"] != wanted:
        raise DemoError(f"{name}: expected {wanted} computations, there were {stats['computed']}")
    counted = stats["counters"].get("hits"), stats["counters"].get("misses")
    if name == OURS and counted != (len(answers) - 1, 1):
        raise DemoError(f"expected {len(answers) - 1} hits and 1 miss, the cache counted {counted}")


def compare(columns):
    """Check that all servers sent the same bytes, and that these are right.

    Args:
        columns (list[Column]): one for each server, its own answers checked.

    Raises:
        DemoError: they differ from each other or from a computation in this process.
    """
    first = columns[0].answers[0].body
    for column in columns[1:]:
        if column.answers[0].body != first:
            raise DemoError(f"the answers of {column.name} differ from those of {columns[0].name}")
    if json.loads(first) != fresh_report():
        raise DemoError("the answers differ from a computation in this process")


def fresh_report():
    """Compute the page's data here, with no server and no cache.

    Returns:
        dict: what `stocks.analysis.report` returns.
    """
    sys.path.insert(0, str(APPLICATION))
    from stocks.analysis import report  # noqa: PLC0415 - reachable only from the line above on

    return report()


if __name__ == "__main__":
    sys.exit(main())
