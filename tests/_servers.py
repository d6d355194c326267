"""Real servers with `_server_app.py`, on a port that nobody else can take, each ended in the end."""

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

TESTS = Path(__file__).resolve().parent
STOP_LIMIT = 20
#: What none of them writes when all is well. A worker that was killed on purpose is reported in other words.
BAD = ("Traceback", "panicked", "Segmentation fault", "SystemError", "Fatal Python error")


class Server:
    """A server that runs.

    Args:
        process: Its first process, which starts the workers.
        port: Where it listens.
        log: The file that it writes its output to.
    """

    def __init__(self, process, port, log):
        self.process, self.port, self.log = process, port, log

    def reload(self):
        self.process.send_signal(signal.SIGHUP)

    def wait_until_it_listens(self):
        """Wait for a server that opens its own socket; fails if it ends instead."""
        for _ in range(STOP_LIMIT * 20):
            with (
                suppress(ConnectionRefusedError),
                socket.create_connection(("127.0.0.1", self.port), STOP_LIMIT),
            ):
                return
            with suppress(subprocess.TimeoutExpired):
                self.process.wait(0.05)
                raise AssertionError(f"it ended: {self.log.read_text(errors='replace')}")
        raise AssertionError("it does not listen")

    def stop(self):
        """End it, politely at first, with all its workers."""
        self.process.terminate()
        with suppress(subprocess.TimeoutExpired):
            self.process.wait(STOP_LIMIT)
        stopped = self.process.poll() is not None
        # Its workers, too, if it did not end them: they are in its session.
        with suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait(STOP_LIMIT)
        return stopped


@contextmanager
def serving(command, folder, environment=None, *, pass_listener=True, bad=BAD):
    """Run a server until the end of the block.

    Args:
        command: A function from the descriptor of the listening socket and its port to what comes
            after the interpreter's name.
        folder: Where the server runs, and leaves its log.
        environment: What to add to the environment.
        pass_listener: Whether the server inherits the socket, so that no request is too early. Else its port
            is kept for it, and it has to listen there with ``SO_REUSEPORT``.
        bad: What it must not write.

    Yields:
        Server: The server, which may still be starting.
    """
    paths = os.pathsep.join([str(TESTS), os.environ.get("PYTHONPATH", "")]).rstrip(os.pathsep)
    log = Path(folder) / "server.log"
    with socket.socket() as listener, log.open("wb") as output:
        if not pass_listener:
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        listener.bind(("127.0.0.1", 0))
        port = listener.getsockname()[1]
        if pass_listener:
            listener.listen(128)
        process = subprocess.Popen(
            [sys.executable, *command(listener.fileno(), port)],
            cwd=folder,
            env=os.environ | {"PYTHONPATH": paths} | (environment or {}),
            pass_fds=[listener.fileno()],
            stdout=output,
            stderr=output,
            start_new_session=True,
        )
        if pass_listener:
            # With our own copy closed, requests fail at once if the server dies.
            listener.close()
        server = Server(process, port, log)
        stopped = False
        try:
            yield server
        finally:
            stopped = server.stop()
            said = log.read_text(errors="replace")
            # Pytest shows it if the test fails.
            print(said, end="")
    assert stopped, "it did not end when it was told to"
    assert not [words for words in bad if words in said], said


def gunicorn(*options: str, app: str = "_server_app:app"):
    """Return gunicorn's command line, for `serving`."""

    def command(descriptor: int, _port: int) -> Sequence[str]:
        # The control socket is one fixed path per user: two servers would fight for it.
        always = ["--no-control-socket", "--log-level=warning", "--graceful-timeout=10"]
        return ["-m", "gunicorn", f"--bind=fd://{descriptor}", *always, *options, app]

    return command
