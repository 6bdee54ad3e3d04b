"""Sessions of the bundled song, and the command line run on them."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
import soundfile

from analysis_server.cli import main
from tests.session_media import ROLES, STEMS

Audio = npt.NDArray[np.float64]


def template(*tracks: str, end: str = "\n") -> bytes:
    lines = ['<REAPER_PROJECT 0.1 "7.19/linux-x86_64" 1', "  SAMPLERATE 44100 1 0", *tracks, ">", ""]
    return end.join(lines).replace("\n", end).encode()


def bus(name: str, file: str, volume: float = 1.0, *more: str, length: float = 24.0) -> str:
    lines = [f"  <TRACK {{{name}}}", f'    NAME "{name}"', f"    VOLPAN {volume} 0 -1 -1 1", "    MAINSEND 1 0", *more]
    item = ["    <ITEM", "      POSITION 0", f"      LENGTH {length}", "      <SOURCE FLAC", f'        FILE "{file}"']
    return "\n".join([*lines, *item, "      >", "    >", "  >"])


def run(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, dict[str, object], str]:
    code = main([*arguments, "--json"])
    errors = capsys.readouterr()
    return code, json.loads(errors.out) if errors.out else {}, errors.err


def with_faders(path: Path) -> None:
    """Give the session the faders and envelopes whose gains are `moving_gains`."""
    tracks = []
    for role, ends in zip(ROLES, ((0.8, 0.4), (0.5, 0.9), (0.7, 0.7), (0.3, 1.0)), strict=True):
        points = [f"      PT {time:g} {gain / 0.5:.8f} 0" for time, gain in zip((4.0, 20.0), ends, strict=True)]
        envelope = ["    <VOLENV2", "      ACT 1 -1", *points, "    >"]
        tracks.append(bus(f"{role.upper()} BUS", f"{role}.flac", 0.5, *envelope))
    path.write_bytes(template(*tracks))


def render(path: Path, gain_of: dict[str, Audio]) -> None:
    mix = sum(
        soundfile.read(STEMS / f"{role}.flac", always_2d=True)[0] * gain[:, None] for role, gain in gain_of.items()
    )
    soundfile.write(path, mix, 44_100, "FLOAT")


def moving_gains(n_samples: int) -> dict[str, Audio]:
    time_s = np.arange(n_samples) / 44_100
    levels = ((0.8, 0.4), (0.5, 0.9), (0.7, 0.7), (0.3, 1.0))
    return {role: np.interp(time_s, [4.0, 20.0], ends) for role, ends in zip(ROLES, levels, strict=True)}
