"""Where Faderwise keeps what it keeps: models now; keys, cache and settings as they come."""

from __future__ import annotations

import os
from pathlib import Path

import platformdirs


def home() -> Path:
    """Return the folder: `FADERWISE_HOME`, or the user's data folder of this system."""
    chosen = os.environ.get("FADERWISE_HOME")
    return Path(chosen).expanduser() if chosen else Path(platformdirs.user_data_dir("faderwise", appauthor=False))
