"""Run the command in this process and in a separate one, with a temporary data folder."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
import soundfile

from analysis_server.cli import main
from analysis_server.verbs.evaluate import EvaluateRequest
from analysis_server.verbs.evaluate import run as evaluate
from core.audio.song import Song

ROOT = Path(__file__).resolve().parents[2]
RATE = 44_100
STEMS = ROOT / "examples" / "caesium"
ROLES = ("drums", "bass", "melody", "vocals")
COMMAND = "import sys; from analysis_server.cli import main; sys.exit(main())"


@dataclass(frozen=True)
class Ran:
    """What a run of the command left: its exit `code`, and what it wrote to `out` and `err`."""

    code: int
    out: str
    err: str

    @property
    def err_lines(self) -> list[str]:
        """The lines on standard error."""
        return self.err.splitlines()


@pytest.fixture(autouse=True)
def own_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Keep models in a folder of the test, and run in another."""
    before = signal.getsignal(signal.SIGTERM)
    home, work = tmp_path / "home", tmp_path / "work"
    work.mkdir()
    monkeypatch.setenv("FADERWISE_HOME", str(home))
    monkeypatch.chdir(work)
    yield home
    signal.signal(signal.SIGTERM, before)


@pytest.fixture
def faderwise(capsys: pytest.CaptureFixture[str]) -> Callable[..., Ran]:
    """Runs the command in this process."""

    def run(*words: object) -> Ran:
        capsys.readouterr()
        try:
            code = main([str(word) for word in words])
        except SystemExit as end:
            code = end.code if isinstance(end.code, int) else 1
        return Ran(code, *capsys.readouterr())

    return run


@pytest.fixture
def start() -> Iterator[Callable[..., subprocess.Popen[str]]]:
    """Start the command as a separate process; processes that still run at the end are stopped."""
    started: list[subprocess.Popen[str]] = []

    def run(*words: object, **options: Any) -> subprocess.Popen[str]:
        process = subprocess.Popen(  # noqa: S603 - this interpreter, with a test's words
            [sys.executable, "-c", COMMAND, *map(str, words)],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env={**os.environ, "PYTHONPATH": str(ROOT)},
            **options,
        )
        started.append(process)
        return process

    yield run
    for process in started:
        if process.poll() is None:
            process.kill()
        process.communicate()


def tone(frequency_hz: float, *, seconds: float = 1.5, rate: int = RATE) -> npt.NDArray[np.float64]:
    """Return a stereo tone that swells, with some noise, shape (n, 2)."""
    time_s = np.arange(round(seconds * rate)) / rate
    rng = np.random.default_rng(round(frequency_hz))
    swell = 0.2 * (1.0 + 0.5 * np.sin(2.0 * np.pi * time_s / 0.7))
    signal = swell * np.sin(2.0 * np.pi * frequency_hz * time_s)
    return np.asarray(signal[:, None] * [1.0, 0.8] + rng.normal(size=(len(time_s), 2)) * 0.02)


@pytest.fixture
def tiny_song(tmp_path: Path) -> Path:
    """A folder with two stems of 1.5 s and their sum; a test may change it."""
    folder = tmp_path / "tiny song"
    folder.mkdir()
    drums, bass = tone(900.0), tone(110.0)
    for name, samples in (("drums", drums), ("bass", bass), ("mix", 0.5 * drums + 0.7 * bass)):
        soundfile.write(folder / f"{name}.wav", samples, RATE, subtype="PCM_16")
    return folder


@pytest.fixture(scope="session")
def excerpts(tmp_path_factory: pytest.TempPathFactory, caesium: Song) -> Path:
    """A dataset of two excerpts of the bundled song; the second one has no vocals. Do not write to it."""
    folder = tmp_path_factory.mktemp("excerpts")
    for number, title in enumerate(("Caesium, first part", "caesium: $2")):
        (folder / title).mkdir()
        for file in caesium.signals:
            samples = soundfile.read(file.path, frames=7 * 44_100, start=number * 10 * 44_100)[0]
            soundfile.write(folder / title / f"{file.path.stem}.wav", samples, 44_100, subtype="PCM_16")
    (folder / "caesium: $2" / "vocals.wav").unlink()
    return folder


@pytest.fixture(scope="session")
def evaluated(tmp_path_factory: pytest.TempPathFactory, excerpts: Path) -> tuple[Path, dict[str, Any]]:
    """The folder of tables and figures of the excerpts, and the result in it. Do not write to it."""
    out = tmp_path_factory.mktemp("evaluated") / "tables"
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("FADERWISE_HOME", str(tmp_path_factory.mktemp("home")))
        evaluate(EvaluateRequest(dataset=str(excerpts), preset="paper", out=str(out)))
    return out, json.loads((out / "evaluate.json").read_text(encoding="utf-8"))


def track(role: str, number: int) -> str:
    envelope = "    <VOLENV2\n      ACT 0 -1\n      PT 0 0.5 0\n    >\n" if role == "bass" else ""
    return (
        f"  <TRACK {{{number}}}\n    NAME {role}\n    VOLPAN 1.{9 - number} 0 -1 -1 1\n    MAINSEND 1 0\n{envelope}"
        f'    <ITEM\n      POSITION 0\n      LENGTH 24\n      <SOURCE FLAC\n        FILE "{role}.flac"\n      >\n'
        "    >\n  >\n"
    )


@pytest.fixture(scope="session")
def mixed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a session, its mixed copy, and `out`, what mixing its stems wrote. Copy it, do not write to it."""
    folder = tmp_path_factory.mktemp("mixed")
    for role in ROLES:
        shutil.copyfile(STEMS / f"{role}.flac", folder / f"{role}.flac")
    lines = "".join(track(role, number) for number, role in enumerate(ROLES))
    (folder / "Song.RPP").write_text(f'<REAPER_PROJECT 0.1 "7.19/linux" 1\n{lines}>\n', encoding="utf-8")
    monkey = pytest.MonkeyPatch()
    monkey.setenv("FADERWISE_HOME", str(tmp_path_factory.mktemp("home")))
    assert main(["mix", str(folder / "Song.RPP"), "--out", str(folder / "run"), "--json"]) == 0
    shutil.move(folder / "run" / "Song-faderwise.RPP", folder / "Song-faderwise.RPP")
    assert main(["mix", str(STEMS), "--out", str(folder / "out"), "--json"]) == 0
    monkey.undo()
    return folder


@pytest.fixture
def work(mixed: Path, tmp_path: Path) -> Path:
    """A copy of `mixed` to work on."""
    return Path(shutil.copytree(mixed, tmp_path / "session"))


@pytest.fixture
def copy(work: Path) -> Path:
    """The mixed copy of the session."""
    return work / "Song-faderwise.RPP"
