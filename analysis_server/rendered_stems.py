"""The stems that REAPER rendered from an open project, one a bus track, as a song."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import msgspec
import numpy as np
import soundfile

from core.audio import AudioFile, inspect
from core.errors import InputError
from core.rpp.buses import Buses
from core.rpp.project import Track
from core.song import Song

_LENGTH_TOLERANCE_S = 0.25
_BLOCK_SAMPLES = 1 << 18


class RenderedStems(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Stems of bus tracks, after their plug-ins and before their faders.

    Attributes
    ----------
    files : one a bus track, by GUID.
    span_s : the stretch of the project they are of.
    write_s : the stretch their automation is for; the whole project where there is none.
    home : the folder the open project lies in; the project that is worked on is a copy.
    highest_gain : the top of an envelope, linear.
    """

    files: dict[str, str]
    span_s: tuple[float, float]
    write_s: tuple[float, float] | None = None
    home: str | None = None
    highest_gain: float = 2.0


def song_of(title: str, buses: Buses, rendered: RenderedStems, folder: Path, mixdown: AudioFile | None) -> Song:
    """Return the song that the rendered stems make; a bus of several tracks is summed into a file in `folder`.

    Raises
    ------
    InputError
        A stem is missing, cannot be read, or does not last as long as it should.
    """
    stems = {role: _stem(role, tracks, rendered, folder) for role, tracks in buses.tracks.items()}
    return Song(title=title, stems=stems, mixdown=mixdown)


def _stem(role: str, tracks: Sequence[Track], rendered: RenderedStems, folder: Path) -> AudioFile:
    files = [_checked(track, rendered) for track in tracks]
    if len(files) == 1:
        return files[0]
    path = folder / f"sum-{len(list(folder.iterdir()))}.wav"
    _write_sum(path, files)
    return inspect(path)


def _checked(track: Track, rendered: RenderedStems) -> AudioFile:
    name = rendered.files.get(track.guid)
    if name is None or not Path(name).is_file():
        raise InputError(f"the stem of {track.title} was not rendered; run the action again")
    file = inspect(Path(name))
    expected_s = rendered.span_s[1] - rendered.span_s[0]
    if abs(file.duration_s - expected_s) > _LENGTH_TOLERANCE_S:
        raise InputError(
            f"the stem of {track.title} lasts {file.duration_s:.1f} s instead of {expected_s:.1f} s, so rendering was "
            "stopped or REAPER's render settings changed it; run the action again"
        )
    return file


def _write_sum(path: Path, files: Sequence[AudioFile]) -> None:
    first = files[0]
    with soundfile.SoundFile(path, "w", first.sample_rate, 2, "FLOAT", format="RF64") as out:
        sources = [soundfile.blocks(file.path, _BLOCK_SAMPLES, always_2d=True, fill_value=0.0) for file in files]
        for blocks in zip(*sources, strict=False):
            out.write(np.sum([np.broadcast_to(block, (len(block), 2)) for block in blocks], axis=0))
