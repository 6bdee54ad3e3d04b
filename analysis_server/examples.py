"""The bundled song."""

from __future__ import annotations

from pathlib import Path

from analysis_server.carried import carried


def bundled_song() -> Path:
    """Return the folder of the bundled song.

    Raises
    ------
    InputError
        It is not there: the installation is damaged.
    """
    return carried("examples/caesium")
