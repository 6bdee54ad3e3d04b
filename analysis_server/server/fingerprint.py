"""Which program this is: a hash that changes with every change of its own files."""

from __future__ import annotations

import hashlib
from functools import lru_cache
from pathlib import Path

_ROOT = Path(__file__).resolve().parent.parent.parent
_PACKAGES = ("core", "analysis_server")


@lru_cache(maxsize=1)
def fingerprint() -> str:
    """Return the program's fingerprint as it was when this process first asked, 16 hex digits."""
    digest = hashlib.sha256()
    for package in _PACKAGES:
        for path in sorted((_ROOT / package).rglob("*.py")):
            digest.update(f"{path.relative_to(_ROOT).as_posix()}\0".encode())
            digest.update(path.read_bytes())
    return digest.hexdigest()[:16]


def package_root() -> Path:
    """Return the folder that holds the packages."""
    return _ROOT
