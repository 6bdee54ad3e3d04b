"""Check that the Python that REAPER loads can import what the scripts import.

usage: python -I -B import_probe.py SCRIPTS_FOLDER MODULE...

Prints a JSON object. REAPER's own module exists only inside REAPER and is replaced here. Runs on Python 3.8 and later.
"""

from __future__ import annotations

import importlib
import json
import platform
import sys
import types
from pathlib import Path


def main() -> int:
    """Import the modules and print this Python's version and the modules' versions."""
    folder, *names = sys.argv[1:]
    sys.path[:0] = [folder, str(Path(folder) / "vendor")]
    main_module = sys.modules["__main__"]
    main_module.obj = None  # type: ignore[attr-defined]  # how reapy detects that it is inside REAPER
    fake = types.ModuleType("reaper_python")
    fake._ft = {}  # type: ignore[attr-defined]
    fake.RPR_GetResourcePath = lambda: folder  # type: ignore[attr-defined]
    sys.modules["reaper_python"] = fake
    modules = [importlib.import_module(name) for name in names]
    versions = {module.__name__: str(getattr(module, "__version__", "")) for module in modules}
    sys.stdout.write(json.dumps({"python": platform.python_version(), "modules": versions}) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
