"""Small songs and sessions cut from the bundled song."""

from __future__ import annotations

import zlib
from pathlib import Path

import numpy as np
import soundfile

ROOT = Path(__file__).resolve().parents[2]
SONG = ROOT / "examples" / "caesium"
ROLES = ("drums", "bass", "melody", "vocals")
RATE = 44_100
SECONDS = 6.0
VOLUMES = (0.8, 1.2, 0.7, 0.9)
FINAL_GAINS = (0.5, 0.9, 0.7, 0.4)
"""The gain of each bus at the end of `mix.wav`; at its start every bus has a gain of 0.7."""


def write_short_song(folder: Path, start_s: float = 8.0) -> Path:
    """Write six seconds of the four stems, and `mix.wav`, in which every fader moves linearly; return the folder."""
    folder.mkdir(parents=True)
    n_samples = round(SECONDS * RATE)
    mix = np.zeros((n_samples, 2))
    for role, final_gain in zip(ROLES, FINAL_GAINS, strict=True):
        stem, _ = soundfile.read(SONG / f"{role}.flac", frames=n_samples, start=round(start_s * RATE), always_2d=True)
        soundfile.write(folder / f"{role}.flac", stem, RATE, subtype="PCM_16")
        mix += stem * np.linspace(0.7, final_gain, n_samples)[:, None]
    soundfile.write(folder / "mix.wav", mix, RATE, subtype="FLOAT")
    return folder


def guid_of(role: str) -> str:
    """Return the GUID of a role's track in `write_session`."""
    return f"{{{zlib.crc32(role.encode()):08X}-0000-4000-8000-000000000000}}"


def write_session(folder: Path) -> Path:
    """Write a short song and a project with one track per bus; return the project's path."""
    write_short_song(folder)
    lines = ['<REAPER_PROJECT 0.1 "7.43/linux-x86_64" 1', "  SAMPLERATE 44100 1 0"]
    for role, volume in zip(ROLES, VOLUMES, strict=True):
        lines += [f"  <TRACK {guid_of(role)}", f'    NAME "{role.upper()} BUS"', f"    VOLPAN {volume} 0 -1 -1 1"]
        lines += ["    AUTOMODE 0", "    NCHAN 2", f"    TRACKID {guid_of(role)}", "    MAINSEND 1 0"]
        lines += ["    <ITEM", "      POSITION 0", f"      LENGTH {SECONDS:g}", "      LOOP 0", "      <SOURCE FLAC"]
        lines += [f'        FILE "{role}.flac"', "      >", "    >", "  >"]
    path = folder / "Song.RPP"
    path.write_bytes("\n".join([*lines, ">", ""]).encode())
    return path
