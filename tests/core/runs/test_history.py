"""A project keeps the history of our runs, and is to the byte what it was when they are taken out."""

from __future__ import annotations

import json
from pathlib import Path

import msgspec
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from core.automation.points import EnvelopePoints, Point
from core.decibels import db_to_gain, db_to_power
from core.rpp.parser import parse
from core.rpp.project import Project, project_of, read_project
from core.rpp.write import with_envelopes
from core.runs import record as record_module
from core.runs import store
from core.runs.record import frame_times_s, from_steps, to_steps
from core.runs.store import (
    PIECE_CHARACTERS,
    as_pieces,
    block_bytes,
    block_text,
    ext_state,
    ext_state_edits,
    from_ext_state,
)
from tests.expected_errors import raises_error

WINCING = Path(__file__).parents[2] / "projects" / "wincing.rpp"
TRACK = record_module.TrackRun(
    guid="{G}", number=1, name="", role="drums", scale=1.0, before=None, written=[Point(0.0, 1.0)]
)
CURVE = EnvelopePoints(np.array([0.5, 2.0, 7.0]), np.array([-3.0, 1.5, -12.0]))


def record(number: int = 1, *tracks: record_module.TrackRun, **more: object) -> record_module.RunRecord:
    steps = to_steps(np.sin(np.arange(40.0)), 0.01)
    bus = record_module.BusRun(role="drums", predicted_cdb=steps, level_lufs=[-20] + [0] * 39)
    plain = record_module.RunRecord(
        number=number,
        action="mix",
        made_at="2026-01-02T03:04:05+00:00",
        made_by="us",
        title="Sång",
        tracks=list(tracks),
    )
    return record_module.with_id(msgspec.structs.replace(plain, **{"buses": [bus], **more}))


def project(content: bytes) -> Project:
    return project_of(parse(content, Path("song.rpp")))


def template(*track: bytes, tail: tuple[bytes, ...] = (), end: bytes = b"\n") -> bytes:
    lines = [b'<REAPER_PROJECT 0.1 "7.0/linux" 1', b"  <TRACK {G}", b"    NAME Drums", *track, b"  >", *tail, b">", b""]
    return end.join(lines)


ENVELOPE = (b"    <VOLENV2", b"      ACT 0 -1", b"      PT 0 0.5 0", b"    >")
OTHERS = (b"  <EXTSTATE", b"    <OTHER", b'      KEY "a value"', b"    >", b"  >")


def with_run(song: Project, number: int | None = None) -> bytes:
    """The project with automation on its first track, and the record of that run in it."""
    written = with_envelopes(song, {"drums": song.tracks[:1]}, {"drums": CURVE})
    run = record(number or store.next_number(song), *store.track_runs(written))
    return written.with_edits(store.edits_to_add(song.document, run)).content


@pytest.mark.parametrize("end", [b"\n", b"\r\n"])
@pytest.mark.parametrize("envelope", [(), ENVELOPE])
@pytest.mark.parametrize("tail", [(), OTHERS, (b"  <EXTENSIONS", b"  >"), (b"  <EXTSTATE", b"  >")])
def test_removing_a_run_restores_the_project(end: bytes, envelope: tuple[bytes, ...], tail: tuple[bytes, ...]) -> None:
    before = template(*envelope, tail=tail, end=end)
    after = with_run(project(before))
    assert after != before
    assert after.count(b"\n") == after.count(b"\r\n") or end == b"\n"
    (run,) = store.read_history(project(after))
    assert (run.title, run.tracks[0].guid) == ("Sång", "{G}")
    assert store.restore(project(after), 1).content == before


def test_a_run_is_added_to_and_removed_from_every_real_project(shared: Path) -> None:
    paths = sorted(path for path in (shared / "rpp").iterdir() if path.suffix.lower() == ".rpp")
    assert len(paths) == 12
    for path in paths:
        song = read_project(path)
        after = project(with_run(song)) if song.tracks[0].volume > 0.001 else None
        if after is not None:
            assert store.restore(after, 1).content == path.read_bytes()


def test_the_section_of_another_script_is_read_and_kept(shared: Path) -> None:
    song = read_project(shared / "rpp" / "08_v7.19_linux_extstate.rpp")
    values = ext_state(song.document, "com.pandabot.chordgun")
    assert (len(values), values["CHORDTEXT"], values["OCTAVE"]) == (14, "       G#dim      G#,B,D", "2")
    after = project(song.document.edited(store.edits_to_add(song.document, record())))
    assert ext_state(after.document, "COM.PANDABOT.CHORDGUN") == values
    assert len(store.read_history(after)) == 1


def test_any_of_several_runs_can_be_restored() -> None:
    states = [template(*ENVELOPE)]
    for _ in range(3):
        states.append(with_run(project(states[-1])))
    assert [run.number for run in store.read_history(project(states[-1]))] == [1, 2, 3]
    for number in (1, 2, 3):
        back = store.restore(project(states[3]), number)
        assert back.content == states[number - 1]
        assert [run.number for run in back.runs] == list(range(number, 4))


def test_a_long_record_is_split_into_short_ascii_lines_and_read_back() -> None:
    noise = np.random.default_rng(1).normal(size=40_000)
    long = record(
        7, buses=[record_module.BusRun(role="bass", predicted_cdb=to_steps(noise, 0.01), level_lufs=[0] * 40_000)]
    )
    values = store.to_ext_state(long)
    assert len(values) > 3
    assert max(len(value) for value in values.values()) <= PIECE_CHARACTERS
    assert all(value.isascii() and " " not in value for value in values.values())
    assert from_ext_state({key.lower(): value for key, value in values.items()}, 7) == long


@pytest.mark.parametrize("damage", [lambda v: v[:-1], lambda v: v.replace("1.", "2.", 1), lambda v: v + "AA"])
def test_a_damaged_record_is_reported_and_the_others_are_read(damage: object) -> None:
    content = with_run(project(with_run(project(template()))))
    song = project(content)
    (key, value), *_ = store.to_ext_state(store.read_history(song)[1]).items()
    broken = project(song.document.edited(ext_state_edits(song.document, "Faderwise", {key: damage(value)})))  # type: ignore[operator]
    assert [run.number for run in store.read_history(broken)] == [1]
    assert list(store.damaged_runs(broken)) == [2]
    with raises_error(path="song.rpp", facts=("run 2",)):
        store.restore(broken, 1)


@pytest.mark.parametrize("step", [10**9, -(10**18), 10**400])
def test_a_record_with_an_impossible_step_in_its_curve_is_refused(step: int) -> None:
    text = json.loads(
        msgspec.json.encode(record(1, buses=[record_module.BusRun(role="bass", predicted_cdb=[0], level_lufs=[0])]))
    )
    text["buses"][0]["level_lufs"] = [step]
    with raises_error(facts=("run 1",)):
        from_ext_state(as_pieces(json.dumps(text).encode(), 1), 1)


def test_a_record_with_the_number_of_another_run_is_refused() -> None:
    with raises_error(facts=("run 1", "run 2")):
        from_ext_state(as_pieces(msgspec.json.encode(record(2)), 1), 1)


def test_power_from_extreme_records_is_finite() -> None:
    claimed = from_steps([200_000_000] * 50, 1.0)
    assert np.isfinite(db_to_power(claimed) * db_to_gain(claimed) ** 2).all()


def test_a_record_of_a_later_version_is_refused() -> None:
    later = store.to_ext_state(record(1, version=2))
    with raises_error(facts=("run 1", "version 2")):
        from_ext_state(later, 1)


def test_the_error_for_an_unknown_run_lists_the_known_ones() -> None:
    song = project(with_run(project(template())))
    with raises_error(path="song.rpp", facts=("run 5",)):
        store.restore(song, 5)


def test_a_missing_track_is_reported() -> None:
    content = with_run(project(template())).replace(b"<TRACK {G}", b"<TRACK {H}")
    assert store.restore(project(content), 1).notes == ("track 1 'Drums' was deleted, so nothing was restored on it",)


def test_an_envelope_that_the_user_deleted_is_restored() -> None:
    before = template(b"    MAINSEND 1 0", *ENVELOPE)
    song = project(with_run(project(before)))
    block = song.tracks[0].envelopes["VOLENV2"].block
    assert block is not None
    lines = song.document.lines
    deleted = project(b"".join([*lines[: block.first], *lines[block.last + 1 :]]))
    assert store.restore(deleted, 1).content == before


def test_bytes_that_are_not_utf_8_are_kept() -> None:
    envelope = (
        b"    <VOLENV2",
        b"      ACT 1 -1",
        b"      <P_EXT",
        b"        N \xfcber",
        b"      >",
        b"      PT 0 1 0",
        b"    >",
    )
    before = template(*envelope)
    song = project(before)
    text = block_text(song, song.tracks[0])
    assert text is not None
    assert block_bytes(text) == b"".join(line + b"\n" for line in envelope)
    assert store.restore(project(with_run(song)), 1).content == before


def test_the_id_of_a_run_does_not_depend_on_its_time() -> None:
    first = record()
    assert record_module.with_id(msgspec.structs.replace(first, made_at="later")).id == first.id
    assert record(2).id != first.id


def test_frames_are_a_quarter_of_a_second_apart_and_an_edit_has_none() -> None:
    np.testing.assert_array_equal(frame_times_s(record()), 0.5 + 0.25 * np.arange(40))
    assert frame_times_s(record(buses=[])).shape == (0,)


@given(st.lists(st.floats(-130.0, 30.0), max_size=50), st.sampled_from([0.01, 0.1, 1.0]))
def test_steps_keep_a_curve_to_half_a_step(curve: list[float], step: float) -> None:
    kept = from_steps(to_steps(np.array(curve), step), step)
    assert np.all(np.abs(kept - np.maximum(curve, -120.0)) <= step / 2 + 1e-9)


@settings(max_examples=50)
@given(st.dictionaries(st.from_regex(r"[A-Z]{1,8}", fullmatch=True), st.text("ab\"' `<>|é", max_size=12), max_size=4))
def test_any_ext_state_value_is_read_back(values: dict[str, str]) -> None:
    values = {key: value for key, value in values.items() if not {'"', "'", "`"} <= set(value)}
    song = project(template(tail=OTHERS))
    after = project(song.document.edited(ext_state_edits(song.document, "Faderwise", values)))
    assert ext_state(after.document, "faderwise") == values
    gone = after.document.edited(ext_state_edits(after.document, "FADERWISE", dict.fromkeys(values)))
    assert gone == song.document.to_bytes()


def test_a_curve_beyond_the_largest_step_is_clipped() -> None:
    curve = np.array([-np.inf, np.nan, 1.0, 1e300, np.inf])
    np.testing.assert_allclose(from_steps(to_steps(curve, 0.01), 0.01), [-120.0, -120.0, 1.0, 1e3, 1e3])


@pytest.mark.parametrize(
    "change",
    [
        ({"buses": [record_module.BusRun(role="drums", predicted_cdb=[1, 2], level_lufs=[1])]}),
        ({"buses": [record_module.BusRun(role="drums", predicted_cdb=[], level_lufs=[])]}),
        ({"tracks": [msgspec.structs.replace(TRACK, role="horns")]}),
        ({"tracks": [msgspec.structs.replace(TRACK, written=[])]}),
        ({"tracks": [msgspec.structs.replace(TRACK, scale=0.0)]}),
        ({"tracks": [msgspec.structs.replace(TRACK, weight=-1.0)]}),
    ],
)
def test_an_inconsistent_record_is_refused(change: dict[str, object]) -> None:
    values = store.to_ext_state(record(1, **change))
    with raises_error(facts=("run 1",)):
        from_ext_state(values, 1)
