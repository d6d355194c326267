"""Shows the tutorial's application speed up: `make demo`, or `make serve` to keep it running.

Starts `examples/stocks` under gunicorn, asks it for the same page several times, prints what that
took and what the cache counted, and checks every answer. Times are printed, never judged.
"""

import argparse
import json
import signal
import socket
import subprocess
import sys
import time
from contextlib import contextmanager
from http.client import HTTPException
from pathlib import Path
from statistics import median
from typing import NamedTuple
from urllib.request import ProxyHandler, build_opener

EXAMPLES = Path(__file__).resolve().parent
APPLICATION = EXAMPLES / "stocks"
REQUESTS = 8
THREADS = 4
# Seconds. Both are far above what is needed: they end a demonstration that hangs.
REQUEST_LIMIT = 60
STOP_LIMIT = 10

# Proxy settings of the environment are not for a server on this machine.
OPENER = build_opener(ProxyHandler({}))


class DemoError(Exception):
    """Something that a person should read, with no traceback around it."""


class Answer(NamedTuple):
    """One response, and the seconds until its last byte was here."""

    body: bytes
    content_type: str
    seconds: float


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
    """Keep the application running until Ctrl-C.

    Args:
        port (int): the port to listen on, 0 for any free one.

    Raises:
        DemoError: the server did not start, or ended by itself.
    """
    with server(port) as (process, url):
        print(f"{url}/api/stocks   the tutorial's page\n{url}/_stats       what the cache counted")
        print("Ctrl-C stops", flush=True)
        raise DemoError(f"gunicorn ended by itself with status {process.wait()}")


def demonstrate(port):
    """Ask for the page several times, show the times, check the answers.

    Args:
        port (int): the port to listen on, 0 for any free one.

    Raises:
        DemoError: the server did not start, or an answer is not what it must be.
    """
    with server(port) as (_process, url):
        answers = [ask(f"{url}/api/stocks") for _ in range(REQUESTS)]
        counters = json.loads(ask(f"{url}/_stats").body)
    show(answers, counters)
    check(answers, counters)
    print(f"\nall right: {REQUESTS} equal answers, each as a fresh computation gives it")


@contextmanager
def server(port):
    """Run the application under gunicorn, one worker with several threads.

    Args:
        port (int): the port to listen on, 0 for any free one.

    Yields:
        tuple[subprocess.Popen, str]: the process, which answers by now, and its URL.

    Raises:
        DemoError: the port is taken, or the server does not answer.
    """
    with listen(port) as listener:
        url = f"http://127.0.0.1:{listener.getsockname()[1]}"
        process = start(listener.fileno())
    # The socket listens already, so this first request waits in its queue for the worker; and our
    # own copy is closed, so that it fails at once if gunicorn dies. The route leaves the cache be.
    try:
        ask(f"{url}/_stats")
        yield process, url
    finally:
        stop(process)


def listen(port):
    """Open the socket here and hand it on, so that nobody can take its port in between.

    Args:
        port (int): the port to listen on, 0 for any free one.

    Returns:
        socket.socket: a listening socket of this machine alone.

    Raises:
        DemoError: the port is taken or not allowed.
    """
    try:
        return socket.create_server(("127.0.0.1", port))
    except (OSError, OverflowError) as error:
        raise DemoError(f"cannot listen on port {port}: {error}") from error


def start(descriptor):
    """Start gunicorn; what it and the application complain about goes to the terminal.

    Args:
        descriptor (int): the listening socket to serve.

    Returns:
        subprocess.Popen: the running process.
    """
    command = [sys.executable, "-m", "gunicorn", f"--bind=fd://{descriptor}", "--workers=1"]
    command += [f"--threads={THREADS}", f"--chdir={APPLICATION}", f"--pythonpath={EXAMPLES}"]
    # The control socket is one fixed path per user: two demonstrations would fight for it.
    command += ["--no-control-socket", "--log-level=warning", "demo_app:app"]
    return subprocess.Popen(command, pass_fds=[descriptor])


def stop(process):
    """End the server: politely, then not.

    Args:
        process (subprocess.Popen): the server, running or not.
    """
    process.terminate()
    try:
        process.wait(STOP_LIMIT)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait(STOP_LIMIT)


def ask(url):
    """Request one page.

    Args:
        url (str): its address.

    Returns:
        Answer: what came back.

    Raises:
        DemoError: no answer, or one with an error status.
    """
    began = time.perf_counter()
    try:
        with OPENER.open(url, timeout=REQUEST_LIMIT) as response:
            body = response.read()
            content_type = response.headers.get_content_type()
    except (OSError, HTTPException) as error:
        raise DemoError(f"{url} failed: {error}") from error
    return Answer(body, content_type, time.perf_counter() - began)


def show(answers, counters):
    """Print the times and the counters.

    Args:
        answers (list[Answer]): in the order of the requests, at least two.
        counters (dict[str, object]): what the cache counted.
    """
    print(f"GET /api/stocks, {len(answers[0].body):,} bytes of JSON\n\n  request  milliseconds")
    for number, answer in enumerate(answers, 1):
        print(f"  {number:>7}  {answer.seconds * 1000:>12,.2f}")
    later = median(answer.seconds for answer in answers[1:])
    print(f"\n  first            {answers[0].seconds * 1000:>12,.2f} ms")
    print(f"  later, median    {later * 1000:>12,.2f} ms")
    print(f"  speed-up         {answers[0].seconds / later:>12,.0f} times\n\ncache statistics")
    for name, value in counters.items():
        print(f"  {name:<20} {value!s:>12}")


def check(answers, counters):
    """Check everything that came back.

    Args:
        answers (list[Answer]): in the order of the requests.
        counters (dict[str, object]): what the cache counted.

    Raises:
        DemoError: it is not what it must be.
    """
    if any(answer.content_type != "application/json" for answer in answers):
        raise DemoError(f"not all answers are JSON: {[one.content_type for one in answers]}")
    if any(answer.body != answers[0].body for answer in answers):
        raise DemoError("a later answer differs from the first")
    if json.loads(answers[0].body) != fresh_report():
        raise DemoError("the answers differ from a computation in this process")
    counted = counters.get("hits"), counters.get("misses")
    if counted != (len(answers) - 1, 1):
        raise DemoError(f"expected {len(answers) - 1} hits and 1 miss, the cache counted {counted}")


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
