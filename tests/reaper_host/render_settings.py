"""The render settings of a project: the API's keys, and the lines of the file they are kept in.

[d: HDR for the keys; c: RPP:03/12 for the lines, their mapping INF]
"""

from __future__ import annotations

import base64
import binascii
import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from tests.reaper_host.rpp_text import Block, parse_chunk, quote

if TYPE_CHECKING:
    from tests.reaper_host.project_state import Project

NUMBERS = {
    "RENDER_SETTINGS": ("RENDER_STEMS", 0, "0"),
    "RENDER_BOUNDSFLAG": ("RENDER_RANGE", 0, "1 0 0 0 1000"),
    "RENDER_STARTPOS": ("RENDER_RANGE", 1, "1 0 0 0 1000"),
    "RENDER_ENDPOS": ("RENDER_RANGE", 2, "1 0 0 0 1000"),
    "RENDER_TAILFLAG": ("RENDER_RANGE", 3, "1 0 0 0 1000"),
    "RENDER_TAILMS": ("RENDER_RANGE", 4, "1 0 0 0 1000"),
    "RENDER_CHANNELS": ("RENDER_FMT", 1, "0 2 0"),
    "RENDER_SRATE": ("RENDER_FMT", 2, "0 2 0"),
    "RENDER_ADDTOPROJ": ("RENDER_ADDTOPROJ", 0, "0"),
    "RENDER_DITHER": ("RENDER_DITHER", 0, "0"),
    "RENDER_NORMALIZE": ("RENDER_NORMALIZE", 0, "0"),
    "RENDER_NORMALIZE_TARGET": ("RENDER_NORMALIZE", 1, "0 1"),
    "PROJECT_SRATE": ("SAMPLERATE", 0, "44100 0 0"),
    "PROJECT_SRATE_USE": ("SAMPLERATE", 1, "44100 0 0"),
}
_FORMATS = {"RENDER_FORMAT": "RENDER_CFG", "RENDER_FORMAT2": "RENDER_CFG2"}
TEXTS = ("RENDER_FILE", "RENDER_PATTERN", *_FORMATS)
_SINKS = {b"evaw", b"l3pm", b"calf", b"ggo ", b"fmva"}
_ILLEGAL = re.compile(r'[\\/:*?"<>|]')
_SUBTYPES = {16: "PCM_16", 24: "PCM_24", 32: "FLOAT", 64: "DOUBLE"}
_WAV = b"evaw"


@dataclass(frozen=True)
class Format:
    """What is written: a WAV of a libsndfile subtype. [d: N782, NREN, USRC]"""

    subtype: str


def get_text(project: Project, key: str) -> str:
    """Return a setting that is a text."""
    if key in _FORMATS:
        block = next(iter(project.root.blocks(_FORMATS[key])), None)
        return (
            ""
            if block is None
            else "".join(child.decode().strip() for child in block.children if isinstance(child, bytes))
        )
    return project.root.word(key, 0, "")


def set_text(project: Project, key: str, value: str) -> None:
    """Change a setting that is a text; an invalid format is ignored. [d: N782]"""
    if get_text(project, key) == value:
        return
    if key in _FORMATS:
        _set_format(project.root, _FORMATS[key], value)
        return
    line = project.root.new_line(f'{key} "{value}"' if '"' not in value else f"{key} {quote(value)}")
    place = project.root.find(key)
    if place is None:
        project.root.children.insert(0, line)
    else:
        project.root.children[place] = line


def _set_format(root: Block, name: str, value: str) -> None:
    if value and value.encode() not in _SINKS and _decoded(value)[:4] not in _SINKS:
        return
    text = base64.b64encode(value.encode()).decode() if value.encode() in _SINKS else value
    block = next(iter(root.blocks(name)), None)
    if not value and name == "RENDER_CFG2":
        if block is not None:
            root.children.remove(block)
        return
    if block is None:
        block = parse_chunk(f"<{name}\n>", root.indent, root.line_end)
        root.children.insert((root.find("SAMPLERATE") or 0) + 1, block)
    block.children = [block.new_line(text)] if text else []


def _decoded(text: str) -> bytes:
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        return b""


def format_of(project: Project) -> Format | None:
    """Return the format, or None if the host cannot write it."""
    raw = _decoded(get_text(project, "RENDER_FORMAT")) or _WAV
    if raw[:4] != _WAV:
        return None
    depth = raw[4] if len(raw) > 4 else 24
    return Format(_SUBTYPES[depth]) if depth in _SUBTYPES else None


def span_of(project: Project, length_s: float) -> tuple[float, float] | None:
    """Return start and end of what would be rendered, tail included; None for bounds that are not simulated."""

    def number(key: str) -> float:
        line, place, defaults = NUMBERS[key]
        return project.root.number(line, place, float(defaults.split()[place]))

    bounds = int(number("RENDER_BOUNDSFLAG"))
    spans = {
        0: (number("RENDER_STARTPOS"), number("RENDER_ENDPOS")),
        1: (_marker(project, "=START", 0.0), _marker(project, "=END", length_s)),
        2: project.time_selection,
    }
    if bounds not in spans:
        return None
    start, end = spans[bounds]
    has_tail = int(number("RENDER_TAILFLAG")) & (1 << bounds)
    return start, end + (number("RENDER_TAILMS") / 1000.0 if has_tail and end > start else 0.0)


def _marker(project: Project, name: str, default: float) -> float:
    """Return the position of the marker of that name: the entire project is between =START and =END. [d: UG 21.3]"""
    return next((float(line[1]) for line in project.root.lines("MARKER") if line[2:3] == [name]), default)


def file_names(project: Project, tracks: list[tuple[int, str]], is_padded: bool) -> list[Path]:
    """Return the files of a render, one for each number and name of a track; (0, "") is the master.

    With a pattern, `RENDER_FILE` is a folder, even if it looks like a file. [d: HDR, N782] Equal names get numbers.
    """
    home = project.path.parent if project.path else Path.cwd()
    target, pattern = home / get_text(project, "RENDER_FILE"), get_text(project, "RENDER_PATTERN")
    if not pattern and get_text(project, "RENDER_FILE"):
        target, pattern = target.parent, target.stem
    names: list[Path] = []
    for number, name in tracks:
        words = {
            "$tracknumber": f"{number:02d}" if is_padded else str(number),
            "$track": name or "master",
            "$project": project.path.stem if project.path else "untitled",
        }
        text = pattern or "$project"
        for wildcard, word in words.items():
            text = text.replace(wildcard, _ILLEGAL.sub("_", word))
        if not pattern and len(tracks) > 1:
            text += f"-{words['$track']}"
        names.append(target / f"{text}.wav")
    return [_numbered(path, names[:place]) for place, path in enumerate(names)]


def _numbered(path: Path, before: list[Path]) -> Path:
    same = before.count(path)
    return path.with_name(f"{path.stem}-{same:03d}{path.suffix}") if same else path
