"""Which slow modules each command may load."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.analysis_server.outcomes import ROOT

SLOW = frozenset(
    {
        *("numpy", "scipy.signal", "scipy.stats", "scipy.optimize", "scipy.ndimage", "scipy.special", "scipy.fft"),
        *(
            "msgspec",
            "soundfile",
            "soxr",
            "pyfftw",
            "pyloudnorm",
            "matplotlib",
            "zmq",
            "tqdm",
            "platformdirs",
            "jinja2",
        ),
    }
)
ALLOWED: dict[tuple[str, ...], frozenset[str]] = {
    ("--version",): frozenset(),
    ("--help",): frozenset(),
    ("mix", "--help"): frozenset(),
    ("learn", "--help"): frozenset(),
    ("mixx",): frozenset(),
    ("mix", "SONG", "--loud"): frozenset(),
    ("mix", "SONG", "--range", "soon"): frozenset(),
    ("completion", "bash"): frozenset(),
    ("models", "list"): frozenset(),
    ("runs", "list"): frozenset(),
    ("edit", "RUN", "--depth", "50"): frozenset({"numpy", "msgspec"}),
    ("revert", "RUN"): frozenset({"numpy", "msgspec"}),
}
PROGRAM = """
import sys
from analysis_server.cli import main
try:
    main(sys.argv[2:])
except SystemExit:
    pass
print("loaded:", *(set(sys.argv[1].split(",")) & set(sys.modules)))
"""


@pytest.mark.parametrize("words", ALLOWED, ids=" ".join)
def test_small_commands_load_no_slow_modules(words: tuple[str, ...], tmp_path: Path, mixed: Path) -> None:
    run = shutil.copytree(mixed / "out", tmp_path / "RUN")
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "FADERWISE_HOME": str(tmp_path)}
    done = subprocess.run(  # noqa: S603 - this interpreter
        [sys.executable, "-c", PROGRAM, ",".join(SLOW), *(str(run) if word == "RUN" else word for word in words)],
        capture_output=True,
        text=True,
        check=True,
        cwd=tmp_path,
        env=environment,
    )
    assert set(done.stdout.splitlines()[-1].split()[1:]) <= ALLOWED[words]
