"""The stems that REAPER rendered from an open project, one a bus track, as a song."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path

import msgspec
import numpy as np
import soundfile

from core.audio.frames import LONGEST_S
from core.audio.reading import AudioFile, Samples, inspect
from core.audio.song import Song
from core.errors import InputError
from core.rpp.buses import Buses
from core.rpp.project import Track

_LENGTH_TOLERANCE_S = 0.25
_HIGHEST_GAIN = 1e3
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
        A stem is missing, cannot be read, or does not last as long as it should; the times are none of a project.
    """
    _require_times(rendered)
    stems = {role: _stem(role, tracks, rendered, folder) for role, tracks in buses.tracks.items()}
    return Song(title=title, stems=stems, mixdown=mixdown)


def _require_times(rendered: RenderedStems) -> None:
    spans = [rendered.span_s, *([rendered.write_s] if rendered.write_s else [])]
    if not all(-LONGEST_S < start_s < end_s < LONGEST_S for start_s, end_s in spans):
        told = " and ".join(f"{start_s:g} to {end_s:g} s" for start_s, end_s in spans)
        raise InputError(f"{told} is no part of a project that stems can be of; run the action again")
    if not 0.0 < rendered.highest_gain < _HIGHEST_GAIN:
        raise InputError(f"{rendered.highest_gain:g} cannot be the top of an envelope; run the action again")


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
    first, n_samples = files[0], max(file.n_samples for file in files)
    with ExitStack() as stack:
        out = stack.enter_context(soundfile.SoundFile(path, "w", first.sample_rate, 2, "FLOAT", format="RF64"))
        sources = [stack.enter_context(soundfile.SoundFile(file.path)) for file in files]
        for start in range(0, n_samples, _BLOCK_SAMPLES):
            count = min(_BLOCK_SAMPLES, n_samples - start)
            out.write(np.sum([_block(source, count) for source in sources], axis=0))


def _block(source: soundfile.SoundFile, n_samples: int) -> Samples:
    """Return the next samples, shape (n_samples, 2); silence after the file's end."""
    block = source.read(n_samples, dtype="float32", always_2d=True)
    out: Samples = np.zeros((n_samples, 2), np.float32)
    out[: len(block)] = block
    return out
