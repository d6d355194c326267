"""The tutorial's application under gunicorn, for `demo.py`: started, asked, and stopped."""

import os
import socket
import subprocess
import sys
import time
from contextlib import contextmanager
from http.client import HTTPException
from pathlib import Path
from typing import NamedTuple
from urllib.request import ProxyHandler, build_opener

EXAMPLES = Path(__file__).resolve().parent
APPLICATION = EXAMPLES / "stocks"
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


@contextmanager
def server(port, choice=None):
    """Run the application under gunicorn, one worker with several threads.

    Args:
        port (int): the port to listen on, 0 for any free one.
        choice (str | None): the cache, a key of `demo_app.CACHES`; by default as the tutorial has it.

    Yields:
        tuple[subprocess.Popen, str]: the process, which answers by now, and its URL.

    Raises:
        DemoError: the port is taken, or the server does not answer.
    """
    with listen(port) as listener:
        url = f"http://127.0.0.1:{listener.getsockname()[1]}"
        process = start(listener.fileno(), choice)
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


def start(descriptor, choice):
    """Start gunicorn; what it and the application complain about goes to the terminal.

    Args:
        descriptor (int): the listening socket to serve.
        choice (str | None): the cache, a key of `demo_app.CACHES`; None for the tutorial's own.

    Returns:
        subprocess.Popen: the running process.
    """
    command = [sys.executable, "-m", "gunicorn", f"--bind=fd://{descriptor}", "--workers=1"]
    command += [f"--threads={THREADS}", f"--chdir={APPLICATION}", f"--pythonpath={EXAMPLES}"]
    # The control socket is one fixed path per user: two demonstrations would fight for it.
    command += ["--no-control-socket", "--log-level=warning", "demo_app:app"]
    environment = os.environ | ({"DEMO_CACHE": choice} if choice else {})
    return subprocess.Popen(command, pass_fds=[descriptor], env=environment)


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
