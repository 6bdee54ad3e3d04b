"""The instructions for the bridge lead to the same project as the copy that the command line writes."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest
import soundfile
from hypothesis import given
from hypothesis import strategies as st

from analysis_server.reaper import run_job
from analysis_server.reaper.instructions import points_to_write
from analysis_server.reaper.job_file import Answer, Instructions
from analysis_server.report.content import full_sentence
from analysis_server.sources.project import RenderedStems
from analysis_server.verbs import edit, match, mix, revert
from core.automation.points import Point
from core.rpp import project as project_module
from core.rpp.envelope import Envelope
from core.rpp.parser import parse, read_document
from core.rpp.project import Project, project_of, read_project
from core.rpp.write import Written, WrittenEnvelope
from core.runs.store import mark_of
from tests.reaper.project_difference import PointValues, applied, changed_envelopes, changed_state, lines_of, values_of
from tests.reaper.studio import ROLES, small_session

MOVES = (
    "    <VOLENV2",
    "      ACT 1 -1",
    "      VIS 1 1 1",
    "      PT 0 1 0",
    "      PT 3 0.5 0",
    "      PT 8 0.8 1",
    "    >",
)
Pairs = list[tuple[float, float]]
times = st.integers(0, 12).map(float)
envelopes = st.none() | st.lists(st.tuples(times, st.sampled_from([0.25, 0.5, 1.0])), min_size=1, max_size=9)


def project(points: Pairs | None) -> Project:
    lines = [f"      PT {time_s:g} {gain:g} 0" for time_s, gain in sorted(points or [], key=lambda pair: pair[0])]
    block = ["    <VOLENV2", "      ACT 1 -1", *lines, "    >"] if points is not None else []
    text = ["<REAPER_PROJECT 0.1", "  <TRACK {A}", "    NAME x", *block, "  >", ">", ""]
    return project_of(parse("\n".join(text).encode(), Path("x.rpp")))


def written(before: Project, points: Pairs) -> Written:
    new = tuple(Point(time_s, gain) for time_s, gain in sorted(points, key=lambda pair: pair[0]))
    return Written(before, (), (WrittenEnvelope(before.tracks[0], "drums", 1.0, new),), ())


@given(envelopes, st.lists(st.tuples(times, st.sampled_from([0.25, 0.5, 1.0])), min_size=1, max_size=9))
def test_applying_an_instruction_gives_the_new_points(old: Pairs | None, new: Pairs) -> None:
    before = project(old)
    run = written(before, new)
    (wanted,) = [values_of(envelope.points) for envelope in run.envelopes]
    track = before.tracks[0].envelopes.get("VOLENV2", Envelope(()))
    changes = points_to_write(run)
    if values_of(track.points) == wanted:
        assert changes == []
        return
    write = changes[0].write
    assert write is not None
    kept = {point.time_s for point in track.points if write.start_s is not None and not in_range(point, write)}
    assert not kept & {point[0] for point in write.points}
    assert applied(track.points, write) == wanted


def in_range(point: Point, write: Any) -> bool:
    return bool(write.start_s <= point.time_s <= write.end_s)


def test_only_the_part_that_differs_is_written() -> None:
    before = project([(0, 1.0), (5, 0.5), (9, 0.25), (12, 1.0)])
    (change,) = points_to_write(written(before, [(0, 1.0), (5, 0.5), (8, 1.0), (9, 1.0), (12, 1.0)]))
    assert change.write is not None
    assert (change.write.start_s, change.write.end_s) == (8.0, 9.0)
    assert change.write.points == [(8.0, 1.0, 0, 0.0), (9.0, 1.0, 0, 0.0)]


def test_an_envelope_that_is_bypassed_is_written_although_its_points_stay() -> None:
    before = project([(0, 1.0), (5, 0.5)])
    track = before.tracks[0]
    bypassed = replace(track, envelopes={"VOLENV2": replace(track.envelopes["VOLENV2"], is_active=False)})
    run = Written(before, (), (WrittenEnvelope(bypassed, "drums", 1.0, track.envelopes["VOLENV2"].points),), ())
    assert len(points_to_write(run)) == 1


@pytest.fixture
def song(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A session whose drums have automation, with a mixdown next to it."""
    monkeypatch.setenv("FADERWISE_HOME", str(tmp_path / "home"))
    path = small_session(tmp_path / "session", *MOVES, length_s=10.0)
    mix_of_all, rate = 0.0, 0
    for role in ROLES:
        samples, rate = soundfile.read(path.parent / f"{role}.flac", always_2d=True)
        mix_of_all = mix_of_all + 0.5 * samples[: 10 * rate]
    soundfile.write(path.parent / "mix.wav", mix_of_all, rate, "FLOAT")
    return path


def rendered_stems(path: Path, span_s: tuple[float, float]) -> dict[str, str]:
    stems = {}
    for track, role in zip(read_project(path).tracks, ROLES, strict=True):
        samples, rate = soundfile.read(path.parent / f"{role}.flac", always_2d=True)
        stems[track.guid] = str(path.parent / f"stem-{role}.wav")
        soundfile.write(stems[track.guid], samples[round(span_s[0] * rate) : round(span_s[1] * rate)], rate, "FLOAT")
    return stems


def instructions(path: Path, job: Mapping[str, Any]) -> Instructions:
    """Run a job on the project as the worker does and return its answer."""
    folder = path.parent / "job"
    folder.mkdir()
    fields = {"version": 1, "action": "A", "phase": "do", "title": "Song", "project": str(path), **job}
    (folder / "job.json").write_text(json.dumps(fields))
    run_job.run(run_job.ReaperRequest(folder=str(folder)))
    answer = msgspec.json.decode((folder / "result.json").read_bytes(), type=Answer)
    assert answer.do is not None
    return answer.do


def check(before: Project, copy: Project, found: Instructions) -> None:
    """Check that the instructions turn the open project into the copy; an envelope may be written as it is."""
    wanted = changed_envelopes(before, copy)
    assert set(wanted) <= {change.guid for change in found.tracks}
    tracks = {track.guid: track for track in before.tracks}
    for change in found.tracks:
        assert change.write is not None
        old = tracks[change.guid].envelopes.get("VOLENV2")
        result: list[PointValues] = applied(old.points if old else (), change.write)
        expected = wanted.get(change.guid, old.points if old else ())
        np.testing.assert_allclose(result, expected, rtol=0, atol=1e-7)
    state, _ = changed_state(before, copy)
    assert {key[:8] for key in found.ext_state.set if key != "BUSES"} == {key[:8] for key in state}


@pytest.mark.parametrize("existing", ["replace", "combine"])
@pytest.mark.parametrize("selection_s", [None, (2.0, 7.0)])
def test_mix(song: Path, existing: Any, selection_s: tuple[float, float] | None) -> None:
    before = read_project(song)
    span_s = selection_s or (0.0, 10.0)
    buses = {role: [track.guid] for role, track in zip(ROLES, before.tracks, strict=True)}
    stems = RenderedStems(files=rendered_stems(song, span_s), span_s=span_s, write_s=selection_s)
    request = mix.MixRequest(
        song=str(song), tracks=buses, rendered=stems, existing=existing, out=str(song.parent / "out")
    )
    mix.run(request)
    job = {"verb": "mix", "buses": buses, "stems": stems.files, "span_s": span_s, "selection_s": selection_s}
    found = instructions(song, {**job, "existing": existing})
    check(before, read_project(next((song.parent / "out").glob("*.RPP"))), found)
    assert Path(str(found.report)).is_file()


def test_match(song: Path) -> None:
    before = read_project(song)
    buses = {role: [track.guid] for role, track in zip(ROLES, before.tracks, strict=True)}
    stems = RenderedStems(files=rendered_stems(song, (0.0, 10.0)), span_s=(0.0, 10.0))
    mixdown, out = str(song.parent / "mix.wav"), song.parent / "out"
    request = match.MatchRequest(song=str(song), mixdown=mixdown, tracks=buses, rendered=stems, out=str(out))
    reason = match.run(request).reason
    job = {"verb": "match", "buses": buses, "stems": stems.files, "span_s": (0.0, 10.0), "mixdown": mixdown}
    found = instructions(song, job)
    check(before, read_project(next(out.glob("*.RPP"))), found)
    assert found.summary.endswith(f". {full_sentence(reason)}")  # as the terminal shows it


def test_edit_and_revert(song: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    mix.run(mix.MixRequest(song=str(song), model="equal-level"))
    copy = song.with_name("Song-faderwise.RPP")
    before = read_project(copy)
    edit.run(edit.EditRequest(target=str(copy), offset_db={"bass": -6.0}, out=str(song.parent / "edited")))
    job = {"verb": "edit", "edit": {"offsets": {"bass": "-6"}}}
    check(before, read_project(song.parent / "edited" / copy.name), instructions(copy, job))

    edited = song.parent / "edited" / copy.name
    before = read_project(edited)
    revert.run(revert.RevertRequest(target=str(edited), out=str(song.parent / "reverted")))
    reverted = read_project(song.parent / "reverted" / copy.name)
    found = instructions(edited, {"verb": "revert", "run": 1})
    chunks = {change.guid: change.restore.chunk for change in found.tracks if change.restore}
    wanted = {
        track.guid: lines_of(reverted, track.index)
        for track in before.tracks
        if lines_of(before, track.index) != lines_of(reverted, track.index)
    }
    assert chunks == wanted
    assert found.marks == {track.guid: "" for track in before.tracks if mark_of(before, track)}
    assert set(found.ext_state.delete) == changed_state(before, reverted)[1]


@pytest.mark.parametrize("verb", ["mix", "edit", "revert"])
def test_the_project_is_parsed_once_in_each_phase(
    song: Path, verb: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    job: dict[str, Any] = {"verb": verb}
    path = song
    if verb == "mix":
        buses = {role: [track.guid] for role, track in zip(ROLES, read_project(song).tracks, strict=True)}
        job |= {"buses": buses, "stems": rendered_stems(song, (0.0, 10.0)), "span_s": (0.0, 10.0)}
    else:
        mix.run(mix.MixRequest(song=str(song), model="equal-level"))
        path = song.with_name("Song-faderwise.RPP")
        job |= {"run": 1} if verb == "revert" else {}
    parsed = []
    monkeypatch.setattr(project_module, "read_document", lambda file: parsed.append(file) or read_document(file))
    for phase in ("plan", "do"):
        parsed.clear()
        folder = path.parent / phase
        folder.mkdir()
        fields = {"version": 1, "action": "A", "phase": phase, "title": "Song", "project": str(path), **job}
        (folder / "job.json").write_text(json.dumps(fields))
        run_job.run(run_job.ReaperRequest(folder=str(folder)))
        assert parsed == [path]
