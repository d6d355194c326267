"""Serve an application for minutes under mixed load; report memory, hit ratio, latency and errors.

    python benches/soak/run.py --minutes 10

Ends with a status other than 0 if there was an error, or memory was not flat. The reports `report.txt`,
`report.json` and `report.svg` go to `--into`. The application and the visitors, who check each answer, are
those of the servers' tests.
"""

import argparse
import json
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
sys.path[1:1] = [str(HERE.parent), str(HERE.parents[1] / "tests")]

from _servers import gunicorn, serving  # noqa: E402  # they are beside, not installed
from plot import draw  # noqa: E402
from record import Record  # noqa: E402
from summary import hit_ratios, memory_of, summarise, text_of  # noqa: E402
from traffic import Traffic  # noqa: E402
from watch import Watch  # noqa: E402

WORKERS, THREADS = 2, 4
#: Small and short enough that entries are evicted, and expire, at any rate.
SETTINGS = {
    "SHOP_CACHE_THRESHOLD": "60",
    "SHOP_CACHE_DEFAULT_TIMEOUT": "10",
    "SHOP_CACHE_JITTER": "0.3",
}
#: Shares of the run after which gunicorn is reloaded. Memory is judged where the workers stay the same.
RELOADS = (0.1, 0.2, 0.3, 0.4)


def options() -> argparse.Namespace:
    """Return what the command line says."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--minutes", type=float, default=10, help="how long to run (default: 10)")
    parser.add_argument("--rate", type=float, default=60, help="requests per second (default: 60)")
    parser.add_argument("--visitors", type=int, default=8, help="visitors at a time (default: 8)")
    parser.add_argument("--into", type=Path, default=HERE, help="where the reports go (default: %(default)s)")
    return parser.parse_args()


def run(arguments: argparse.Namespace) -> Record:
    """Serve, load and watch for the time asked for; return all that was seen."""
    record = Record(seconds=arguments.minutes * 60, rate=arguments.rate, settings=SETTINGS)
    command = gunicorn(f"--workers={WORKERS}", "--worker-class=gthread", f"--threads={THREADS}")
    with tempfile.TemporaryDirectory() as folder, serving(command, folder, SETTINGS) as server:
        traffic = Traffic(server.port, arguments.visitors, arguments.rate, record)
        watch = Watch(server, record)
        record.begin()
        traffic.start()
        pending = [share * record.seconds for share in RELOADS]
        while record.now() < record.seconds:
            if pending and record.now() >= pending[0]:
                record.reloads.append(pending.pop(0))
                server.reload()
            watch.sample()
            time.sleep(1)
        traffic.stop()
    return record


def write(record: Record, summary: dict[str, Any], folder: Path) -> str:
    """Write the three reports; return the text."""
    text = text_of(summary)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "report.txt").write_text(text)
    (folder / "report.json").write_text(json.dumps(summary, indent=1) + "\n")
    draw(record, memory_of(record), hit_ratios(record), folder / "report.svg")
    return text


def main() -> int:
    """Run, write the reports, print the text; return the exit status."""
    arguments = options()
    if not Path("/proc/self/status").exists():
        print("soak: memory is read from /proc, which is not here: run it on Linux")
        return 2
    record = run(arguments)
    summary = summarise(record)
    print(write(record, summary, arguments.into))
    return 0 if summary["passed"] else 1


if __name__ == "__main__":
    sys.exit(main())
