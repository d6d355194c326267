"""Fuzz the package for minutes, guided by coverage; keep what is found.

    python -m tests.fuzz.run --minutes 4 --seed 1

The extension is built so that it counts what is reached in it. Each target starts from its corpus in
``tests/corpus``, which is then replaced by the fewest inputs that reach all that is reached now, with those
that failed. What was tried, how often, and what was found is added to ``tests/corpus/log.json`` and shown in
``docs/fuzzing.md``. Ends with a status other than 0 if anything was found.
"""

import argparse
import importlib.metadata
import os
import platform
import random
import re
import shlex
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from . import corpus
from .document import write

ROOT = Path(__file__).resolve().parents[2]
WORK = ROOT / "target" / "fuzz"
#: LLVM's coverage counters, as libFuzzer reads them. Without them it would see nothing of the extension.
COVERAGE = ["-Cpasses=sancov-module"]
COVERAGE += [
    f"-Cllvm-args=-sanitizer-coverage-{kind}"
    for kind in ("level=3", "inline-8bit-counters", "pc-table", "trace-compares")
]
#: Bytes of an input; seconds after which one counts as hanging.
LONGEST, PATIENCE = 400, 60


def options():
    """Return what the command line says."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument(
        "--minutes", type=float, default=4, help="how long, all targets together (default: 4)"
    )
    parser.add_argument("--seed", type=int, default=random.randrange(1, 2**31), help="libFuzzer's seed")
    parser.add_argument("--targets", nargs="+", choices=corpus.TARGETS, default=corpus.TARGETS)
    return parser.parse_args()


def build():
    """Build the extension with counters; return the folder to import the package from."""
    settings = {
        "CARGO_TARGET_DIR": str(WORK / "build"),
        "PYO3_PYTHON": sys.executable,
        "RUSTFLAGS": " ".join(COVERAGE),
        "CARGO_PROFILE_RELEASE_LTO": "off",
        "CARGO_PROFILE_RELEASE_CODEGEN_UNITS": "16",
    }
    # Named, so that what runs while it is built (macros, build scripts) is built without counters.
    version = subprocess.run(["rustc", "-vV"], check=True, text=True, capture_output=True).stdout
    triple = version.partition("host: ")[2].split()[0]
    command = ["cargo", "build", "--release", "--features", "python", "--target", triple]
    subprocess.run(command, cwd=ROOT, env={**os.environ, **settings}, check=True)
    package = WORK / "package"
    shutil.rmtree(package, ignore_errors=True)
    leave = shutil.ignore_patterns("*.so", "__pycache__")
    shutil.copytree(ROOT / "python" / "flask_rustcache", package / "flask_rustcache", ignore=leave)
    made = WORK / "build" / triple / "release" / "libflask_rustcache.so"
    shutil.copy(made, package / "flask_rustcache" / "_native.so")
    return package


def fuzzer(package, target, *arguments):
    """Run libFuzzer on a target to its end; return its status and what it printed."""
    import atheris  # noqa: PLC0415  # it is needed here only, and is there for few platforms

    environment = {
        **os.environ,
        "PYTHONPATH": os.pathsep.join([str(package), str(ROOT)]),
        # It has libFuzzer's half of the counters, which the extension asks for as it is loaded.
        "LD_PRELOAD": str(Path(atheris.path()) / "ubsan_with_fuzzer.so"),
    }
    command = WORK / target
    command.write_text(f'#!/bin/sh\nexec {shlex.quote(sys.executable)} -m tests.fuzz.child {target} "$@"\n')
    command.chmod(0o755)
    environment["FUZZ_COMMAND"] = str(command)
    done = subprocess.run(
        [command, *arguments],
        cwd=ROOT,
        env=environment,
        check=False,
        text=True,
        errors="replace",
        capture_output=True,
    )
    return done.returncode, done.stdout + done.stderr


def number(pattern, text):
    """Return the last number that follows a text, or 0."""
    found = re.findall(rf"{pattern}\s*(\d+)", text)
    return int(found[-1]) if found else 0


def cause(text):
    """Return the line that says what went wrong."""
    marks = r"^(?:\w+\.)*\w*(?:Error|Exception|Boom)\b.*|^ *=== .*|^==\d+== ?ERROR.*"
    found = [line for line in re.findall(marks, text, re.MULTILINE) if "Uncaught" not in line]
    return found[0][:500] if found else text[-500:]


def fuzz(package, target, seconds, seed):
    """Fuzz one target; keep its corpus, and return the record of the run."""
    with tempfile.TemporaryDirectory(dir=WORK) as folder:
        begun, merged, failed = (Path(folder) / name for name in ("begun", "merged", "failed"))
        for part in (begun, merged, failed):
            part.mkdir()
        for count, data in enumerate(corpus.inputs(target)):
            (begun / str(count)).write_bytes(data)
        limits = [
            f"-max_len={LONGEST}",
            f"-timeout={PATIENCE}",
            "-rss_limit_mb=2048",
            f"-artifact_prefix={failed}/",
        ]
        start = time.monotonic()
        status, text = fuzzer(
            package,
            target,
            str(begun),
            *limits,
            f"-seed={seed}",
            f"-max_total_time={seconds}",
            "-print_final_stats=1",
        )
        spent = time.monotonic() - start
        _, merging = fuzzer(package, target, "-merge=1", str(merged), str(begun), "-use_counters=0", *limits)
        found = [file.read_bytes() for file in sorted(failed.iterdir())]
        kept = [file.read_bytes() for file in sorted(merged.iterdir())]
        corpus.keep(target, kept, found)
    record = {
        "target": target,
        "seed": seed,
        "seconds": round(spent),
        "inputs tried": number("stat::number_of_executed_units:", text),
        "reached": number("cov:", text),
        "inputs kept": len(kept),
        "found": [cause(text)] if status else [],
        "machine": f"CPython {platform.python_version()}, atheris {importlib.metadata.version('atheris')}",
    }
    if status:
        print(text[-5_000:], merging[-500:] if not kept else "")
    return record


def main():
    """Fuzz all targets, one after the other."""
    arguments = options()
    WORK.mkdir(parents=True, exist_ok=True)
    corpus.FOLDER.mkdir(exist_ok=True)
    print(f"seed {arguments.seed}", flush=True)
    package = build()
    seconds = max(1, round(arguments.minutes * 60 / len(arguments.targets)))
    records = []
    for target in arguments.targets:
        records.append(fuzz(package, target, seconds, arguments.seed))
        corpus.note(records[-1])
        print(records[-1], flush=True)
    write(corpus.log())
    sys.exit(any(record["found"] for record in records))


if __name__ == "__main__":
    main()
