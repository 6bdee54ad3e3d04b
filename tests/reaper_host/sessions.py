"""Small projects with media made for them, whose sums have closed forms."""

from __future__ import annotations

import zlib
from pathlib import Path

import numpy as np
import numpy.typing as npt
import soundfile

from tests.reaper_host import ReaperHost
from tests.reaper_host.project_state import EMPTY

RATE = 44_100
FLOAT_WAV = "ZXZhdyAAAQ=="
"""The WAV writer's settings for 32 bit float. [d: N782]"""
_HEAD = EMPTY.decode().removesuffix(">\n").replace("SAMPLERATE 44100 0", "SAMPLERATE 44100 1")


def tone(seconds: float = 2.0, level: float = 0.25, frequency_hz: float = 440.0) -> npt.NDArray[np.float64]:
    """Return a stereo sine, shape (n_samples, 2), the right channel half as loud."""
    time_s = np.arange(round(seconds * RATE)) / RATE
    sine = level * np.sin(2.0 * np.pi * frequency_hz * time_s)
    return np.stack([sine, sine / 2.0], axis=1)


def track(name: str, *lines: str) -> str:
    """Return a track's text; `lines` (or whole blocks) come after its usual ones and replace those they repeat."""
    given = {line.split()[0] for line in lines if not line.startswith("<")}
    usual = [
        "AUTOMODE 0",
        "VOLPAN 1 0 -1 -1 1",
        "MUTESOLO 0 0 0",
        "IPHASE 0",
        "ISBUS 0 0",
        "SEL 0",
        "REC 0 0 1 0 0 0 0 0",
    ]
    usual += ["NCHAN 2", "FX 1", "MAINSEND 1 0"]
    number = f"{zlib.crc32(name.encode()):012d}"
    body = [f'NAME "{name}"', *(line for line in usual if line.split()[0] not in given), *lines]
    return f"<TRACK {{00000000-0000-0000-0000-{number}}}\n" + "\n".join(body) + "\n>"


def item(file: str, *lines: str, position: float = 0.0, length: float = 2.0) -> str:
    """Return an item's text that plays a file from its beginning."""
    usual = [
        f"POSITION {position:g}",
        f"LENGTH {length:g}",
        "LOOP 0",
        "MUTE 0",
        "SEL 0",
        "NAME x",
        "VOLPAN 1 0 1 -1",
        "SOFFS 0",
    ]
    given = {line.split()[0] for line in lines}
    usual += ["FADEIN 1 0 0 1 0 0", "FADEOUT 1 0 0 1 0 0", "PLAYRATE 1 1 0 -1 0 0.0025", "CHANMODE 0"]
    body = [*(line for line in usual if line.split()[0] not in given), *lines]
    return "<ITEM\n" + "\n".join(body) + f'\n<SOURCE WAVE\nFILE "{file}"\n>\n>'


def envelope(*points: str, kind: str = "VOLENV2", scaling: int = 1, active: int = 1) -> str:
    """Return an envelope's text; a point is ``"time value shape"``, its value linear gain."""
    head = [
        f"<{kind}",
        "EGUID {11111111-2222-3333-4444-555555555555}",
        f"ACT {active} -1",
        "VIS 1 1 1",
        "LANEHEIGHT 0 0",
    ]
    head += ["ARM 0", "DEFSHAPE 0 -1 -1", *(["VOLTYPE 1"] if scaling else [])]
    return "\n".join([*head, *(f"PT {point}" for point in points), ">"])


def write_project(folder: Path, *tracks: str, line_end: str = "\r\n", extra: str = "") -> Path:
    """Write a project of these tracks, indented and ended as REAPER does; return its file."""
    depth, lines = 0, []
    for line in (_HEAD + extra + "\n".join(tracks)).splitlines():
        bare = line.strip()
        depth -= bare == ">"
        lines.append("  " * depth + bare)
        depth += bare.startswith("<")
    path = folder / "session.RPP"
    path.write_bytes((line_end.join([*lines, ">"]) + line_end).encode())
    return path


def write_tone(folder: Path, name: str = "tone.wav", **of_tone: float) -> npt.NDArray[np.float64]:
    """Write a tone next to the project and return it as it will be read."""
    soundfile.write(folder / name, tone(**of_tone), RATE, subtype="FLOAT")
    return soundfile.read(folder / name, always_2d=True)[0]


def rendered(host: ReaperHost, out: Path, settings: int = 0, *selected: str) -> list[npt.NDArray[np.float64]]:
    """Render float WAVs into a new folder; return what was written, in the order of the targets."""
    api = host.RPR
    for key, value in {"RENDER_SETTINGS": settings, "RENDER_NORMALIZE": 4 << 16}.items():
        api.RPR_GetSetProjectInfo(0, key, value, True)
    for key, text in {
        "RENDER_FILE": str(out),
        "RENDER_PATTERN": "$tracknumber $track",
        "RENDER_FORMAT": FLOAT_WAV,
    }.items():
        api.RPR_GetSetProjectInfo_String(0, key, text, True)
    for each in host.project.tracks:
        each.set("SEL", 0, int(each.name in selected), "0")
    files = api.RPR_GetSetProjectInfo_String(0, "RENDER_TARGETS", "", False)[3].split(";")
    api.RPR_Main_OnCommand(42230, 0)
    return [soundfile.read(file, always_2d=True)[0] for file in files]
