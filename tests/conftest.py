"""What tests share: the bundled song, what the original implementation made of it, and the reference material."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
import soundfile
from hypothesis import settings

from core.audio.song import Song, open_song

os.environ.pop("PYTHONDONTWRITEBYTECODE", None)  # else every process that a test starts compiles all modules again

# Every test has a timeout; a busy machine must not cause failures.
settings.register_profile("faderwise", deadline=None, max_examples=40)
settings.register_profile("thorough", deadline=None, max_examples=1000)
settings.load_profile("faderwise")

if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:  # as for a job in a shell's background; children inherit it
    signal.signal(signal.SIGINT, signal.default_int_handler)

ROOT = Path(__file__).resolve().parents[1]
GOLDEN_FIRST_ROW = 40
"""The bundled 24 s begin 10 s into the song, which is its 40th frame."""


@pytest.fixture(scope="session", autouse=True)
def no_server_is_left() -> Iterator[None]:
    """Require that every server that a test started has ended."""
    yield
    client = sys.modules.get("analysis_server.server.client")
    assert client is None or client.forget_ended(), "a test left a server running"


@pytest.fixture(scope="session")
def caesium() -> Song:
    """The bundled song."""
    return open_song(ROOT / "examples" / "caesium")


@pytest.fixture(scope="session")
def golden() -> dict[str, npt.NDArray[np.float64]]:
    """The original implementation's results for the bundled song's complete frames."""
    with np.load(ROOT / "tests" / "golden" / "caesium.npz") as arrays:
        return dict(arrays)


@pytest.fixture(scope="session")
def shared() -> Path:
    """The folder of songs and reference results next to the checkout."""
    folder = ROOT.parent / "shared"
    if not (folder / "reference" / "golden").is_dir():
        pytest.skip(f"needs the reference songs and results in {folder}, which are not part of the repository")
    return folder


@dataclass(frozen=True)
class FaderMoves:
    """The bundled stems under slow, known fader moves, and what they sum to.

    `stems` has shape (n_buses, n_samples, 2), `mixdown` (n_samples, 2).
    """

    buses: tuple[str, ...]
    stems: npt.NDArray[np.float64]
    mixdown: npt.NDArray[np.float64]
    sample_rate: int = 44_100

    def gain_db(self, time_s: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
        """Return the faders at `time_s`, shape (n, n_buses): 3 dB up and down in 20 s, each bus at its own time."""
        bus = np.arange(len(self.buses))
        return 3.0 * np.sin(2.0 * np.pi * (time_s[:, None] / 20.0 + bus / 4.0)) - 2.0 * bus

    def moved_stems(self) -> npt.NDArray[np.float64]:
        """Return the stems after their faders, shaped like `stems`."""
        time_s = np.arange(self.stems.shape[1]) / self.sample_rate
        return self.stems * (10.0 ** (self.gain_db(time_s).T / 20.0))[:, :, None]


@pytest.fixture(scope="session")
def moves(caesium: Song) -> FaderMoves:
    """Known fader moves on the bundled stems."""
    stems = np.stack([soundfile.read(file.path)[0] for file in caesium.stems.values()])
    plain = FaderMoves(caesium.buses, stems, np.empty(0))
    return replace(plain, mixdown=plain.moved_stems().sum(axis=0))


@pytest.fixture(scope="session")
def short_song_folder(tmp_path_factory: pytest.TempPathFactory, moves: FaderMoves) -> Path:
    """A folder with 6.1 s of the bundled stems, and their mixdown under the known fader moves. Do not write to it."""
    folder = tmp_path_factory.mktemp("songs") / "short song"
    folder.mkdir()
    part = slice(8 * 44_100, 8 * 44_100 + 269_010)
    for bus, stem in zip(moves.buses, moves.stems, strict=True):
        soundfile.write(folder / f"{bus}.wav", stem[part], 44_100, subtype="PCM_16")
    soundfile.write(folder / "mix.wav", moves.mixdown[part], 44_100, subtype="FLOAT")
    return folder
