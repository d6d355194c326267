"""Time the first import of a module: `python first_import.py MODULE`, nanoseconds as JSON."""

import importlib
import sys
import time

if __name__ == "__main__":
    start = time.perf_counter_ns()
    importlib.import_module(sys.argv[1])
    print(time.perf_counter_ns() - start)
