"""What the figures were measured on: a number without its machine is a rumour."""

import os
import platform
import re
import sys
import sysconfig
import time
from pathlib import Path


def _cpu() -> str:
    try:
        found = re.search(r"model name\s*:\s*(.+)", Path("/proc/cpuinfo").read_text())
    except OSError:
        found = None
    return found[1] if found else platform.processor() or platform.machine()


def _cores() -> str:
    usable = os.cpu_count()
    if hasattr(os, "sched_getaffinity"):
        usable = len(os.sched_getaffinity(0))
    return f"{os.cpu_count()} cores, {usable} usable"


def _load() -> str:
    if not hasattr(os, "getloadavg"):
        return "unknown"
    return f"{os.getloadavg()[0]:.2f} over the last minute"


def _build() -> str:
    arguments = sysconfig.get_config_var("CONFIG_ARGS") or ""
    if "--enable-optimizations" in arguments:
        return "optimised (--enable-optimizations)"
    # Debian trains its interpreter by `make profile-opt`, which the arguments do not show; only
    # its own builds have this installation scheme.
    if "deb_system" in sysconfig.get_scheme_names():
        return "optimised (a Debian build, which is profile-guided)"
    if sys.platform == "win32":
        return "optimised (the Windows installers are profile-guided)"
    return "NOT OPTIMISED: ratios flatter native code here"


def _gil() -> str:
    enabled = getattr(sys, "_is_gil_enabled", lambda: True)()
    return "with the GIL" if enabled else "without the GIL"


def describe() -> dict[str, str]:
    """Return what there is to know about this machine and interpreter, label to text."""
    return {
        "date": time.strftime("%Y-%m-%d"),
        "machine": f"{_cpu()}, {_cores()}",
        "load": _load(),
        "system": platform.platform(),
        "python": f"{platform.python_implementation()} {platform.python_version()}, {_gil()}",
        "build": _build(),
        "hash seed": os.environ.get("PYTHONHASHSEED", "random"),
    }
