"""Fuzz one target, guided by what it reaches in Python and in Rust: ``python -m tests.fuzz.child TARGET``.

Options that follow are libFuzzer's. ``run.py`` starts it, with an extension that counts what is reached.
"""

import importlib
import os
import sys

import atheris


def main():
    """Run libFuzzer in this process to its end."""
    target = sys.argv.pop(1)
    # libFuzzer runs itself anew to merge.
    sys.argv[0] = os.environ["FUZZ_COMMAND"]
    with atheris.instrument_imports(include=["flask_rustcache", "flask_caching"]):
        module = importlib.import_module(f"tests.fuzz.{target}")
    atheris.Setup(sys.argv, module.run)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
