"""An envelope as the lines of a project file.

Sources: ReaTeam/Doc, "State Chunk Definitions"; real projects.
"""

from __future__ import annotations

import re
import uuid

from core.rpp.document import Block, Document, Edit
from core.rpp.envelope import Envelope, Point
from core.rpp.project import Project, Track

_NAMESPACE = uuid.UUID("5f0d3f5c-4c2b-5d0a-9f53-6f2b3f0f6a11")


def envelope_edit(project: Project, track: Track, envelope: Envelope) -> Edit:
    """Return the edit that puts `envelope` on a track; of one that stands there every line but the points stays."""
    document = project.document
    end = document.line_end(track.block.first)
    indent = re.match(rb"[ \t]*", document.lines[track.block.first])
    margin = (indent[0] if indent else b"") + b"  "
    points = [margin + b"  " + _point_line(point) + end for point in envelope.points]
    if envelope.block is None:
        at = place_of_envelope(document, track.block)
        return Edit(at, at, (*_opening(project, track, envelope, margin, end), *points, margin + b">" + end))
    block = envelope.block
    kept = tuple(_active(document.lines[i]) for i in range(block.first, block.last) if not _is_point(document.lines[i]))
    return Edit(block.first, block.last + 1, (*kept, *points, document.lines[block.last]))


def _opening(project: Project, track: Track, envelope: Envelope, margin: bytes, end: bytes) -> list[bytes]:
    guid = uuid.uuid5(_NAMESPACE, f"{project.path.name} {track.guid} {track.index}")
    lines = [f"EGUID {{{str(guid).upper()}}}", "ACT 1 -1", "VIS 1 1 1", "LANEHEIGHT 0 0", "ARM 0", "DEFSHAPE 0 -1 -1"]
    lines += ["VOLTYPE 1"] if envelope.is_fader_scaled else []
    return [margin + b"<VOLENV2" + end, *(margin + b"  " + line.encode() + end for line in lines)]


def place_of_envelope(document: Document, block: Block) -> int:
    """Return where a new envelope goes: after the track's own lines, before its plug-ins and items."""
    named = [i for i in block.lines if document.lines[i].split(None, 1)[:1] in ([b"MAINSEND"], [b"MAINSEND_NCH"])]
    if named:
        return named[-1] + 1
    return block.blocks[0].first if block.blocks else block.last


def _is_point(line: bytes) -> bool:
    return line.split(None, 1)[:1] == [b"PT"]


def _active(line: bytes) -> bytes:
    return re.sub(rb"^([ \t]*ACT[ \t]+)0\b", rb"\g<1>1", line)


def _point_line(point: Point) -> bytes:
    line = f"PT {_short(point.time_s)} {_short(point.gain)} {point.shape}"
    return (line + (f" 0 0 0 {_short(point.tension)}" if point.tension else "")).encode()


def _short(value: float) -> str:
    return f"{value:.8f}".rstrip("0").rstrip(".")
