"""The package `stocks` of the neighbouring example, with a `stock_list` of its own.

A package is looked for in every folder on its path, in their order. This folder comes first and holds
the one module that differs; all else is the code in `examples/stocks`, and not a copy of it.
"""

from pathlib import Path

__path__.append(str(Path(__file__).resolve().parents[2] / "stocks" / "stocks"))
