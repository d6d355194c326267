"""What a free-threaded CPython offers to objects that many threads use at once."""

from __future__ import annotations

import sys
import sysconfig
from typing import Any

OFFERED = bool(sysconfig.get_config_var("Py_GIL_DISABLED")) and sys.version_info >= (3, 14)
"""Are there deferred reference counts, and do they count for anything?"""


def defer_reference_count(shared: Any) -> bool:
    """Lets threads use an object without counting their references to it, where CPython can.

    All threads write a count to one word in memory, and wait for each other there. The price: the object
    goes when the collector next looks, not with its last reference. See CPython's documentation of
    ``PyUnstable_Object_EnableDeferredRefcount``.

    Args:
        shared: An object that the collector looks after, and that lives long.

    Returns:
        Whether it is so from now on. False if it was before, on CPythons before 3.14 or without
        ``ctypes``, and where there is a global lock.
    """
    if not OFFERED:
        return False
    try:
        import ctypes  # noqa: PLC0415  # takes milliseconds, and is needed nowhere else
    except ImportError:
        # A CPython may be built without it.
        return False

    enable = ctypes.pythonapi.PyUnstable_Object_EnableDeferredRefcount
    enable.argtypes, enable.restype = [ctypes.py_object], ctypes.c_int
    return bool(enable(shared))
