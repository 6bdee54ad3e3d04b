"""The slow modules that each command may import."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.analysis_server.outcomes import ROOT

STEMS = ROOT / "examples" / "caesium"
SLOW = (
    *("numpy", "msgspec", "soundfile", "soxr", "pyfftw", "pyloudnorm", "matplotlib", "zmq", "tqdm", "platformdirs"),
    *("jinja2", "scipy.fft", "scipy.linalg", "scipy.ndimage", "scipy.optimize", "scipy.signal", "scipy.special"),
    *("scipy.stats", "dask", "av"),
)
FILES = frozenset({"numpy", "msgspec"})
AUDIO = FILES | {"soundfile", "soxr"}
REPORT = AUDIO | {"jinja2"}
ALLOWED: dict[str, frozenset[str]] = {
    "--version": frozenset(),
    "--help": frozenset(),
    "mix --help": frozenset(),
    "learn --help": frozenset(),
    "mixx": frozenset(),
    "mix SONG --loud": frozenset(),
    "mix SONG --range soon": frozenset(),
    "completion bash": frozenset(),
    "models list": frozenset(),
    "runs list": frozenset(),
    "doctor": frozenset({"msgspec", "zmq"}),
    "edit RUN --depth 50": FILES,
    "revert RUN": FILES,
    "buses STEMS": AUDIO,
    "features STEMS": AUDIO,
    "estimate STEMS": AUDIO | {"scipy.linalg"},
    "audit RUN": REPORT,
    "mix STEMS": REPORT,
    "match STEMS": REPORT | {"scipy.linalg"},
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


@pytest.mark.parametrize("command", ALLOWED)
def test_commands_import_only_the_slow_modules_that_they_need(command: str, tmp_path: Path, mixed: Path) -> None:
    names = {"RUN": str(shutil.copytree(mixed / "out", tmp_path / "RUN")), "STEMS": str(STEMS)}
    done = subprocess.run(  # noqa: S603 - this interpreter
        [sys.executable, "-c", PROGRAM, ",".join(SLOW), *(names.get(word, word) for word in command.split())],
        capture_output=True,
        text=True,
        check=True,
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(ROOT), "FADERWISE_HOME": str(tmp_path)},
    )
    assert set(done.stdout.splitlines()[-1].split()[1:]) <= ALLOWED[command]
