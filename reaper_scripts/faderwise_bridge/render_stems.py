"""Render the stems of tracks with REAPER's own renderer: after their plug-ins, before their faders.

The pre-fader flag is set, and faders and their envelopes are neutral as well: so nothing of them is in a stem, whether
that flag applies to envelopes or not. The action may return before the files are complete, so they are awaited over
several ticks, and nothing is restored before.
"""

from __future__ import annotations

import os
import re
import struct
import time
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Dict, Generator, Iterator, NamedTuple, Sequence, Tuple

from reapy import reascript_api as RPR  # noqa: N812

from faderwise_bridge import BridgeError, dialogs, reaper_api, restore_state
from faderwise_bridge.restore_state import Pointers

STALLED_S = 5.0
"""How long a render may make no progress before it counts as stopped."""
WINDOW_PREFERENCE = "renderclosewhendone"
_CLOSES, _RETURNS_TO_SETUP, _SAVES_STATISTICS = 1, 1 << 14, 1 << 21
"""Its bits: the render window closes when it is finished; then the setup opens again; statistics are saved, without
which REAPER 7.75 and later may leave a window open."""
_ASKS_SINCE = (7, 75)
_STEMS_ONLY, _BEFORE_FADER = 2, 8192
_FROM_TO = 0
_FLOAT_WAV = "ZXZhdyAAAQ=="
"""The WAV writer's settings for 32-bit float."""
PATTERN = "faderwise-$tracknumber"
_LENGTH_TOLERANCE_S = 0.05
_STABLE_POLLS = 2
_SAMPLE_BYTES, _N_SAMPLES = 1 << 12, 32

_abandoned: list[ExitStack] = []
"""Settings of projects that were closed, kept so that nothing restores them in another project."""
Files = Dict[str, str]
Span = Tuple[float, float]


def render(
    tracks: Pointers,
    guids: Sequence[str],
    folder: Path,
    span_s: Span,
    *,
    adds_items: bool = False,
    without_pre_fx: bool = False,
) -> Generator[None, None, Files]:
    """Render a stem of each track from `span_s[0]` to `span_s[1]` into `folder`; return the files by GUID.

    Parameters
    ----------
    tracks : all tracks of the project.
    guids : the tracks to render.
    folder : an existing folder for the new files.
    span_s : the part of the project.
    adds_items : give tracks without items an empty one for the render, for REAPERs that otherwise render the master.
    without_pre_fx : bypass the pre-FX volume envelopes as well, because they will be written on.

    Raises
    ------
    BridgeError
        A track was deleted, REAPER is recording, a preference prevents it, or the files are not as expected.
    """
    _require_no_recording()
    reaper_api.stop_playback()
    titles = {guid: _title(tracks, guid) for guid in guids}
    project = reaper_api.front_project()
    restore = ExitStack()
    try:
        with reaper_api.ui_at_rest():
            restore.enter_context(window_closes())
            restore.enter_context(restore_state.edit_cursor())
            restore.enter_context(restore_state.selection_across_ticks(tracks))
            restore.enter_context(restore_state.disarmed(tracks))
            restore.enter_context(restore_state.neutral_faders(tracks, list(guids), without_pre_fx))
            if adds_items:
                restore.enter_context(_items_for_empty_tracks(tracks, guids))
        files = yield from _together(tracks, guids, titles, folder, span_s)
        if files is None:
            files = yield from _one_by_one(tracks, guids, titles, folder, span_s)
    finally:
        if reaper_api.front_project() == project:
            with reaper_api.ui_at_rest():
                restore.close()
        else:  # REAPER has closed the project or stopped the script: another project must not be changed
            _abandoned.append(restore.pop_all())
    yield  # restoring and comparing have a tick each
    _require_different(files, titles)
    return files


def render_settings(folder: Path, pattern: str, span_s: Span) -> tuple[dict[str, float], dict[str, str]]:
    """Return the render settings for 32-bit float stems of the selected tracks: numbers and texts."""
    numbers = {
        "RENDER_SETTINGS": _STEMS_ONLY | _BEFORE_FADER,
        "RENDER_STARTPOS": span_s[0],
        "RENDER_ENDPOS": span_s[1],
        "RENDER_BOUNDSFLAG": _FROM_TO,
        "RENDER_CHANNELS": 2,
        "RENDER_SRATE": 0,
        "RENDER_TAILFLAG": 0,
        "RENDER_TAILMS": 0,
        "RENDER_ADDTOPROJ": 0,
        "RENDER_DITHER": 0,
        "RENDER_NORMALIZE": 0,
    }
    texts = {"RENDER_FILE": str(folder), "RENDER_PATTERN": pattern, "RENDER_FORMAT": _FLOAT_WAV, "RENDER_FORMAT2": ""}
    return numbers, texts


def targets(folder: Path) -> list[Path]:
    """Return the files that rendering into `folder` would write now.

    REAPER separates their names by semicolons, which a folder's name may contain.
    """
    text, home = restore_state.project_text("RENDER_TARGETS"), str(folder)
    if not text.startswith(home):
        return [Path(name) for name in text.split(";") if name.strip()]
    first, *others = text.split(";" + home)
    return [Path(first), *(Path(home + name) for name in others)]


def _require_no_recording() -> None:
    if reaper_api.is_recording():
        raise BridgeError(
            "REAPER is recording, so nothing was rendered and nothing was changed. Stop the recording, then run the "
            "action again."
        )


def _title(tracks: Pointers, guid: str) -> str:
    track = tracks.get(guid)
    if track is None:
        raise BridgeError("A bus track was deleted, or another project is in front. Run the action again.")
    return reaper_api.title_of(track)


def window_problem() -> str:
    """Return which boxes of the render window would keep a window open and stop every script; empty for none."""
    bits = reaper_api.preference(WINDOW_PREFERENCE)
    if bits is None:
        return ""
    boxes = [] if bits & _CLOSES else ["tick 'Automatically close when finished'"]
    boxes += ["clear 'Return to render setup'"] if bits & _RETURNS_TO_SETUP else []
    if reaper_api.version() >= _ASKS_SINCE and not bits & _SAVES_STATISTICS:
        boxes.append("turn on 'Save render statistics' in Preferences > Rendering")
    return " and ".join(boxes)


@contextmanager
def window_closes() -> Iterator[None]:
    """Let every render window close when a render is finished; otherwise the action would not return.

    Raises
    ------
    BridgeError
        A preference prevents it, and cannot be set without the SWS extension.
    """
    problem, bits = window_problem(), reaper_api.preference(WINDOW_PREFERENCE) or 0
    wanted = (bits | _CLOSES) & ~_RETURNS_TO_SETUP
    if reaper_api.version() >= _ASKS_SINCE:
        wanted |= _SAVES_STATISTICS
    with restore_state.preference(WINDOW_PREFERENCE, wanted) as is_set:
        if problem and not is_set:
            raise BridgeError(
                "A window of REAPER would stay open after the render and stop every script. Render anything with "
                f"File > Render, {problem} in the window that shows the progress, then run the action again. With the "
                "SWS extension, Faderwise sets this automatically. Nothing was changed."
            )
        yield


def _together(
    tracks: Pointers, guids: Sequence[str], titles: dict[str, str], folder: Path, span_s: Span
) -> Generator[None, None, Files | None]:
    """Render all stems at once; return None where REAPER would name the files in another way than expected."""
    _select(tracks, guids)
    numbers = {reaper_api.number_of(tracks.get(guid) or ""): guid for guid in guids}
    with restore_state.render_settings(*render_settings(folder, PATTERN, span_s)):
        files = {_number_in(path): path for path in targets(folder)}
        if set(files) != set(numbers) or not all(_is_new(path, folder) for path in files.values()):
            return None
        stems = [Stem(titles[numbers[number]], path, span_s) for number, path in sorted(files.items())]
        yield from run(stems)
    return {numbers[number]: str(path) for number, path in files.items()}


def _one_by_one(
    tracks: Pointers, guids: Sequence[str], titles: dict[str, str], folder: Path, span_s: Span
) -> Generator[None, None, Files]:
    """Render one stem after the other, each into a separate folder."""
    files = {}
    for place, guid in enumerate(guids):
        _require_no_recording()
        _select(tracks, [guid])
        own = folder / f"stem-{place}"
        own.mkdir(exist_ok=True)
        with restore_state.render_settings(*render_settings(own, PATTERN, span_s)):
            paths = targets(own)
            if len(paths) != 1 or not _is_new(paths[0], own):
                raise BridgeError(
                    f"REAPER would render the stem of {titles[guid]} to "
                    f"{', '.join(map(str, paths)) or 'no file'} instead of one new file in {own}. Please report this. "
                    "Nothing was changed."
                )
            yield from run([Stem(titles[guid], paths[0], span_s)])
        files[guid] = str(paths[0])
    return files


def _select(tracks: Pointers, guids: Sequence[str]) -> None:
    restore_state.select_only([pointer for pointer in map(tracks.get, guids) if pointer is not None])


def _number_in(path: Path) -> int:
    found = re.search(r"(\d+)$", path.stem)
    return int(found.group(1)) if found else 0


def _is_new(path: Path, folder: Path) -> bool:
    """Return whether a file would be a new one in our folder: for an existing one REAPER asks, and waits for ever."""
    return path.parent.resolve() == folder.resolve() and not path.exists()


class Stem(NamedTuple):
    """A file that is being rendered."""

    title: str
    path: Path
    span_s: Span

    @property
    def expected_s(self) -> float:
        """The length that it should have."""
        return self.span_s[1] - self.span_s[0]


def run(stems: Sequence[Stem]) -> Generator[None, None, None]:
    """Render and wait until every file has its expected length and no longer grows."""
    project = reaper_api.front_project()
    reaper_api.run_action(reaper_api.RENDER_LAST_SETTINGS)
    if all(_is_complete(stem) for stem in stems):
        return
    n_stable, sizes, changed_s = 0, _sizes(stems), time.monotonic()
    while n_stable < _STABLE_POLLS:
        yield
        now = _sizes(stems)
        if reaper_api.front_project() != project:  # what was changed can be restored in that project only
            if not reaper_api.is_open(project):
                raise BridgeError("The project was closed while its stems were rendered. Nothing was written.")
            changed_s, n_stable = time.monotonic(), 0
        elif now != sizes:
            sizes, changed_s, n_stable = now, time.monotonic(), 0
        elif all(_is_complete(stem) for stem in stems):
            n_stable += 1
        elif time.monotonic() - changed_s > STALLED_S:
            raise BridgeError(_why_incomplete(stems))


def _sizes(stems: Sequence[Stem]) -> list[int]:
    return [os.path.getsize(str(stem.path)) if stem.path.exists() else -1 for stem in stems]  # noqa: PTH202 - 3.8


def _is_complete(stem: Stem) -> bool:
    length_s = wav_length_s(stem.path)
    return length_s is not None and length_s >= stem.expected_s - _LENGTH_TOLERANCE_S


def _why_incomplete(stems: Sequence[Stem]) -> str:
    stem = next(stem for stem in stems if not _is_complete(stem))
    length_s = wav_length_s(stem.path)
    if not length_s:
        return (
            f"REAPER wrote no stem of {stem.title}: the render was cancelled, or it failed. Nothing was changed. Run "
            "the action again; if it happens again, try File > Render to see REAPER's message."
        )
    return (
        f"The stem of {stem.title} is {length_s:.1f} s long instead of {stem.expected_s:.1f} s: the render was "
        "stopped, or the disk is full. Nothing was changed. Free some space if needed, then run the action again."
    )


def wav_length_s(path: Path) -> float | None:
    """Return the length of the audio that is in a WAV file now, or None where it has no complete header yet."""
    layout = _layout(path)
    return None if layout is None else layout[1] / layout[2]


def wav_data(path: Path) -> bytes:
    """Return the bytes of a WAV file's samples."""
    layout = _layout(path)
    if layout is None:
        return b""
    with path.open("rb") as file:
        file.seek(layout[0])
        return file.read(layout[1])


def _layout(path: Path) -> tuple[int, int, int] | None:
    """Return where the samples of a WAV file begin, their bytes, and the bytes a second; None without a header."""
    try:
        with path.open("rb") as file:
            if file.read(12)[8:] != b"WAVE":
                return None
            size = path.stat().st_size
            bytes_a_second, position = 0, 12
            while True:
                file.seek(position)
                head = file.read(8)
                if len(head) < 8:
                    return None
                name, length = head[:4], struct.unpack("<I", head[4:])[0]
                if name == b"fmt ":
                    bytes_a_second = struct.unpack("<I", file.read(12)[8:])[0]
                elif name == b"data":
                    there = size - position - 8
                    n_bytes = length if 0 < length < there else there  # the header is filled in at the end
                    return (position + 8, n_bytes, bytes_a_second) if bytes_a_second else None
                position += 8 + length + (length & 1)
    except (OSError, struct.error):
        return None


def _require_different(files: Files, titles: dict[str, str]) -> None:
    """Refuse stems of different tracks that are the same: REAPER has rendered something else."""
    known: dict[bytes, str] = {}
    for guid, path in files.items():
        sampled = _samples(Path(path))
        if not sampled.strip(b"\0"):
            continue  # silence
        if sampled in known:
            raise BridgeError(
                f"REAPER rendered the same audio for {titles[known[sampled]]} and {titles[guid]}, so these are not "
                "their stems. Some versions render the master mix for a track without items. Insert an empty item on "
                "each bus track (Insert > Empty item), or run 'Faderwise: Check this REAPER' once; then run the action "
                "again. If the two tracks really are copies of each other, leave one of them out. Nothing was changed."
            )
        known[sampled] = guid


def _samples(path: Path) -> bytes:
    """Return parts of a file that are spread over all of it, without its header."""
    size = path.stat().st_size
    step = max((size - 4096) // _N_SAMPLES, _SAMPLE_BYTES)
    parts = []
    with path.open("rb", buffering=0) as file:
        for start in range(4096 if size > 8192 else 128, size, step):
            file.seek(start)
            parts.append(file.read(_SAMPLE_BYTES))
    return b"".join(parts)


@contextmanager
def _items_for_empty_tracks(tracks: Pointers, guids: Sequence[str]) -> Iterator[None]:
    """Put an empty item on each track without items, and remove it again."""
    added = []
    for guid in guids:
        track = tracks.get(guid)
        if track is not None and RPR.CountTrackMediaItems(track) == 0:
            added.append((guid, str(RPR.AddMediaItemToTrack(track))))
    try:
        yield
    finally:
        for guid, item in added:
            track = tracks.get(guid)
            if track is not None:
                RPR.DeleteTrackMediaItem(track, item)
    if added:
        dialogs.note(f"{len(added)} bus tracks without items had an empty item while they were rendered")
