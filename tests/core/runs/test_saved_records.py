"""Run records survive being saved by REAPER and read again, where its reader cuts long lines."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from core.automation.points import thin_bus
from core.errors import InputError
from core.rpp.parser import parse
from core.rpp.project import Project, project_of, read_project
from core.rpp.write import with_envelopes
from core.runs import record as records
from core.runs import store
from tests.cases.reaper_reader import FOLDER, cut_long_lines
from tests.run_records import match_record

AS_WRITTEN = FOLDER / "long_record_as_written.RPP"


def project(content: bytes) -> Project:
    return project_of(parse(content, Path("song.RPP")))


def session(n_tracks: int, end: bytes = b"\r\n") -> bytes:
    tracks = [
        line
        for number in range(n_tracks)
        for line in (b"  <TRACK {%d}" % number, b"    NAME T%d" % number, b"    MAINSEND 1 0", b"  >")
    ]
    return end.join([b'<REAPER_PROJECT 0.1 "7.19/win64" 1', *tracks, b">", b""])


def match_of_half_an_hour(song: Project) -> bytes:
    """Return the project with a match of 30 minutes on every track."""
    n_frames = 30 * 60 * 4
    time_s = 0.5 + 0.25 * np.arange(n_frames)
    generator = np.random.default_rng(7)
    curves = {track.name: np.cumsum(generator.normal(0.0, 0.2, n_frames)) % 12.0 - 10.0 for track in song.tracks}
    tracks = {track.name: (track,) for track in song.tracks}
    written = with_envelopes(song, tracks, {name: thin_bus(time_s, curve) for name, curve in curves.items()})
    record = match_record(curves, written)
    return written.with_edits(store.edits_to_add(song.document, records.with_id(record))).content


def test_a_match_of_30_minutes_with_16_buses_survives_the_reader_and_is_reverted_to_the_byte() -> None:
    before = session(16)
    saved = match_of_half_an_hour(project(before))
    assert cut_long_lines(saved) == saved
    assert max(map(len, saved.splitlines())) < 1_000
    reopened = project(cut_long_lines(saved))
    [run] = store.read_history(reopened)
    assert len(run.buses) == 16
    assert store.restore(reopened, run.number).content == before


def test_a_record_of_version_0_1_0_that_was_never_cut_is_read() -> None:
    [run] = store.read_history(read_project(AS_WRITTEN))
    assert (run.action, run.made_by, len(run.buses)) == ("match", "Faderwise 0.1.0", 4)


def test_values_that_reaper_saved_as_text_blocks_are_read() -> None:
    lines = []
    for line in AS_WRITTEN.read_bytes().splitlines(keepends=True):
        key, _, value = line.strip().partition(b" ")
        is_piece = key.startswith(b"RUN_")
        lines += [b"      <" + key + b"\n", b"        |" + value + b"\n", b"      >\n"] if is_piece else [line]
    assert store.read_history(project(b"".join(lines))) == store.read_history(read_project(AS_WRITTEN))


def test_the_error_for_a_record_that_reaper_cut_has_a_remedy() -> None:
    cut = cut_long_lines(AS_WRITTEN.read_bytes())
    assert cut != AS_WRITTEN.read_bytes()
    song = project(cut)
    assert store.read_history(song) == ()
    with pytest.raises(InputError) as caught:
        store.restore(song, 1)
    assert caught.value.path == "song.RPP"
    assert "cut" in caught.value.problem
    assert ".rpp-bak" in (caught.value.remedy or "")
    assert store.next_number(song) == 2
