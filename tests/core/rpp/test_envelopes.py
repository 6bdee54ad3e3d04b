"""Gain curves become envelopes, and what is heard is the curve."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from core.automation.points import EDGE_S, EnvelopePoints, Point
from core.rpp.envelope import Envelope, from_fader, to_fader
from core.rpp.faders import bus_weights, fader_stage, gains_at
from core.rpp.parser import parse, read_document
from core.rpp.project import Project, project_of, read_project
from core.rpp.write import points_of, with_envelopes
from tests.cases.reaper_reader import FOLDER
from tests.expected_errors import raises_error

WINCING = Path(__file__).parents[2] / "projects" / "wincing.rpp"
TIMES = np.arange(0.0, 12.0, 0.01)


def project(*track: bytes, version: str = "7.0", end: bytes = b"\n", head: bytes = b"RIPPLE 0") -> Project:
    lines = [f'<REAPER_PROJECT 0.1 "{version}/linux" 1'.encode(), head, b"  <TRACK {G}", b"    NAME Drums", *track]
    return project_of(parse(end.join([*lines, b"  >", b">", b""]), Path("song.rpp")))


def envelope(*points: bytes, scaling: bytes = b"VOLTYPE 1", active: bytes = b"ACT 1 -1") -> tuple[bytes, ...]:
    lines = (b"<VOLENV2", b"EGUID {E}", active, b"VIS 0 1 1", b"ARM 1", scaling, *points)
    return (*(b"    " + line for line in lines if line), b"    >")


def written(on: Project, points: EnvelopePoints, span_s: tuple[float, float] | None = None) -> Project:
    content = with_envelopes(on, {"drums": (on.tracks[0],)}, {"drums": points}, span_s=span_s).content
    return project_of(parse(content, on.path))


def heard_db(of: Project, times: np.ndarray = TIMES) -> np.ndarray:
    return 20.0 * np.log10(fader_stage(of, of.tracks[0]).gain_at(times))


CURVE = EnvelopePoints(np.array([0.5, 2.0, 2.25, 7.0, 9.0]), np.array([-3.0, 1.5, -40.0, -12.0, 0.0]))


def test_the_fader_scale_agrees_with_values_from_reaper() -> None:
    gains = np.array([0.0, 1.0, 2.0, 10 ** (12 / 20)])
    np.testing.assert_allclose(to_fader(gains), [0.0, 0.716217850, 0.852774454, 1.0], atol=2e-5)
    assert 20 * np.log10(from_fader(0.592848336) / 0.501187) == pytest.approx(0.0, abs=0.01)


@given(st.floats(1e-6, 4.0))
def test_the_fader_scale_can_be_inverted(gain: float) -> None:
    assert from_fader(to_fader(gain)) == pytest.approx(gain, rel=1e-9)


@pytest.mark.parametrize("scaling", [b"VOLTYPE 1", b"VOLTYPE 0", b""])
@pytest.mark.parametrize("mixed", [b"1", b"0.70901304635576", b"1.4"])
def test_the_heard_gain_is_the_curve_on_either_scale(scaling: bytes, mixed: bytes) -> None:
    before = project(b"    VOLPAN " + mixed + b" 0 -1", *envelope(b"PT 0 1 0", b"PT 3 0.2 0 0 1", scaling=scaling))
    after = written(before, CURVE)
    assert after.tracks[0].envelopes["VOLENV2"].scaling == ("fader" if scaling == b"VOLTYPE 1" else "amplitude")
    assert np.abs(heard_db(after) - CURVE.at(TIMES)).max() < 0.1


@given(st.lists(st.tuples(st.floats(0.01, 5.0), st.floats(-59.0, 6.0)), min_size=1, max_size=20))
def test_points_keep_any_curve_within_a_tenth_of_a_decibel(steps: list[tuple[float, float]]) -> None:
    curve = EnvelopePoints(np.cumsum([step for step, _ in steps]), np.array([gain for _, gain in steps]))
    points = tuple(points_of(curve, 1.0))
    times = np.linspace(0.0, float(curve.time_s[-1]) + 1.0, 2000)
    for scaled in (False, True):
        gain = Envelope(points, scaling="fader" if scaled else "amplitude").gain_at(times)
        assert np.abs(20 * np.log10(gain) - curve.at(times)).max() < 0.1


def test_a_trim_envelope_and_the_automation_mode_are_compensated() -> None:
    trim = (b"    <VOLENV3", b"      ACT 1 -1", b"      PT 0 0.5 0", b"    >")
    for mode, volume in ((b"0", 0.7), (b"1", 0.7), (b"4", 1.2)):
        before = project(b"    AUTOMODE " + mode, b"    VOLPAN %f 0 -1" % volume, *trim)
        low = EnvelopePoints(CURVE.time_s, CURVE.gain_db - 9.0)
        after = written(before, low)
        assert np.abs(heard_db(after) - low.at(TIMES)).max() < 0.1
        values = [point.gain for point in after.tracks[0].envelopes["VOLENV2"].points]
        assert max(values) == pytest.approx(10 ** (-7.5 / 20) / (0.5 * (volume if mode == b"0" else 1.0)), rel=1e-3)


def test_where_a_curve_passes_the_top_of_an_envelope_all_buses_are_lowered_together() -> None:
    song = with_faders("0.25", "1")
    flat = EnvelopePoints(np.array([0.0, 9.0]), np.array([-2.0, -2.0]))
    buses = {"drums": song.tracks[:1], "bass": song.tracks[1:]}
    done = with_envelopes(song, buses, {"drums": CURVE, "bass": flat})
    over_db = 1.5 - 20 * np.log10(0.25 * 2.0)
    assert done.lowered.all_db == pytest.approx(over_db)
    assert not done.lowered.alone_db
    assert sum(f"lowered by {over_db:.1f} dB" in note for note in done.notes) == 1
    after = project_of(parse(done.content, song.path))
    gains_db = 20 * np.log10(gains_at(after, {"a": after.tracks[:1], "b": after.tracks[1:]}, TIMES))
    for column, curve in zip(gains_db.T, (CURVE, flat), strict=True):
        assert np.abs(column - (curve.at(TIMES) - over_db)).max() < 0.1
    assert max(point.gain for point in after.tracks[0].envelopes["VOLENV2"].points) == pytest.approx(2.0)
    enough = with_envelopes(song, buses, {"drums": CURVE, "bass": flat}, highest_gain=10.0)
    assert not enough.lowered


@pytest.mark.parametrize(
    ("faders", "all_db", "alone_db"),
    [
        (("0.05", "1", "1"), 0.0, {"a": 14.0}),
        (("0.05", "0.2", "1"), 1.96, {"a": 12.04}),
        (("0.05", "1"), 14.0, {}),  # half of the buses
        (("0.05", "0.05", "1"), 14.0, {}),
    ],
)
def test_a_bus_far_above_the_top_of_its_envelope_is_lowered_alone(
    faders: tuple[str, ...], all_db: float, alone_db: dict[str, float]
) -> None:
    song = with_faders(*faders)
    buses = {name: (track,) for name, track in zip("abc", song.tracks, strict=False)}
    flat = EnvelopePoints(np.array([0.0, 9.0]), np.array([-6.0, -6.0]))
    done = with_envelopes(song, buses, dict.fromkeys(buses, flat))
    assert done.lowered.all_db == pytest.approx(all_db, abs=0.01)
    assert done.lowered.alone_db == pytest.approx(alone_db, abs=0.01)
    assert len(done.notes) == bool(all_db) + len(alone_db)
    after = project_of(parse(done.content, song.path))
    gains_db = 20 * np.log10(
        gains_at(after, {name: (track,) for name, track in zip(buses, after.tracks, strict=True)}, TIMES)
    )
    expected = [-6.0 - done.lowered.of(name) for name in buses]
    np.testing.assert_allclose(gains_db, np.broadcast_to(expected, gains_db.shape), atol=0.01)


def with_faders(*volumes: str) -> Project:
    tracks = "".join(f"<TRACK {{{number}}}\nVOLPAN {volume} 0\n>\n" for number, volume in enumerate(volumes, 1))
    return project_of(parse(f'<REAPER_PROJECT 0.1 "7.0" 1\n{tracks}>\n'.encode(), Path("song.rpp")))


def test_the_tracks_of_a_bus_keep_their_balance() -> None:
    song = read_project(FOLDER / "two_drum_tracks_different_faders.RPP")
    drums = song.tracks[:2]
    done = with_envelopes(song, {"drums": drums}, {"drums": CURVE})
    after = project_of(parse(done.content, song.path))
    close, far = (20 * np.log10(fader_stage(after, track).gain_at(TIMES)) for track in after.tracks[:2])
    np.testing.assert_allclose(close - far, 20 * np.log10(0.9 / 0.35), atol=0.05)
    assert np.abs(close - CURVE.at(TIMES)).max() < 0.1
    assert bus_weights(after, after.tracks[:2]) == pytest.approx(bus_weights(song, drums), rel=0.003)


def test_outside_a_range_nothing_changes() -> None:
    old = envelope(b"PT 0 0.3 0", b"PT 4 1.1 0", b"PT 6 0.5 1", b"PT 8 0.9 2", b"PT 11 0.2 0")
    before = project(b"    VOLPAN 0.8 0 -1", *old)
    for span in ((3.0, 7.0), (0.0, 9.5), (9.0, 10.0), (4.0, 8.0)):
        curve = EnvelopePoints(
            np.array([span[0], span[0] + EDGE_S, sum(span) / 2, span[1] - EDGE_S, span[1]]),
            np.array([0.0, -6.0, -8.0, -5.0, 0.0]),
        )
        after = written(before, curve, span)
        outside = (span[0] > TIMES) | (span[1] + 1e-6 < TIMES)
        inside = (span[0] + EDGE_S <= TIMES) & (span[1] - EDGE_S >= TIMES)
        assert np.abs(heard_db(after) - heard_db(before))[outside].max() < 0.05
        assert np.abs(heard_db(after) - curve.at(TIMES))[inside].max() < 0.1


def test_a_range_on_a_track_without_automation_keeps_its_fader_elsewhere() -> None:
    for mode in (b"0", b"1"):
        before = project(b"    AUTOMODE " + mode, b"    VOLPAN 0.6 0 -1")
        curve = EnvelopePoints(np.array([2.0, 2.02, 3.98, 4.0]), np.array([0.0, -9.0, -9.0, 0.0]))
        after = written(before, curve, (2.0, 4.0))
        level = heard_db(after, np.array([0.0, 1.99, 3.0, 4.01, 9.0]))
        fader_db = 20 * np.log10(0.6)
        np.testing.assert_allclose(level, [fader_db, fader_db, -9.0, fader_db, fader_db], atol=0.02)


def test_a_bypassed_envelope_is_activated_with_the_new_curve_only() -> None:
    before = project(*envelope(b"PT 0 0.1 0", b"PT 5 0.2 0", active=b"ACT 0 -1"))
    after = written(before, CURVE)
    assert after.tracks[0].envelopes["VOLENV2"].is_active
    assert np.abs(heard_db(after) - CURVE.at(TIMES)).max() < 0.1


def test_a_new_envelope_is_written_as_that_version_of_reaper_writes_it() -> None:
    modern = written(project(b"    MAINSEND 1 0", b"    <FXCHAIN", b"    >"), CURVE)
    track = modern.tracks[0].block
    assert [block.name for block in track.blocks] == ["VOLENV2", "FXCHAIN"]
    assert modern.tracks[0].envelopes["VOLENV2"].scaling == "fader"
    assert written(project(version="5.70"), CURVE).tracks[0].envelopes["VOLENV2"].scaling == "amplitude"


def test_line_ends_and_all_other_bytes_are_unchanged() -> None:
    before = read_document(WINCING)
    song = project_of(before)
    tracks = {"melody": (song.tracks[0],), "drums": (song.tracks[4],)}
    content = with_envelopes(song, tracks, {"melody": CURVE, "drums": CURVE}).content
    after = read_document_of(content)
    assert content.count(b"\n") == content.count(b"\r\n")
    assert without_volume_envelopes(after) == without_volume_envelopes(before)
    assert content != before.to_bytes()


def test_every_real_project_keeps_every_byte_outside_the_envelopes(shared: Path) -> None:
    for path in sorted(path for path in (shared / "rpp").iterdir() if path.suffix.lower() == ".rpp"):
        song = read_project(path)
        tracks = tuple(track for track in song.tracks if track.volume > 0.001)  # one has its fader all the way down
        done = with_envelopes(song, {"all": tracks}, {"all": CURVE})
        assert without_volume_envelopes(read_document_of(done.content)) == without_volume_envelopes(song.document)
        again = project_of(read_document_of(done.content))
        assert all(len(again.tracks[track.index].envelopes["VOLENV2"].points) > 5 for track in tracks)
        assert done.content.count(b"\r\n") in (0, done.content.count(b"\n"))


def read_document_of(content: bytes):  # type: ignore[no-untyped-def]
    return parse(content, Path("copy.rpp"))


def without_volume_envelopes(document) -> bytes:  # type: ignore[no-untyped-def]
    """What is left of a file without the lines of its tracks' volume envelopes, found by plain text search."""
    kept, inside = [], False
    for line in document.to_bytes().splitlines(keepends=True):
        inside = inside or line.startswith(b"    <VOLENV2")
        if not inside:
            kept.append(line)
        inside = inside and line.strip() != b">"
    return b"".join(kept)


def test_header_lines_of_an_existing_envelope_are_preserved_and_it_becomes_visible() -> None:
    before = project(*envelope(b"PT 0 1 0"), end=b"\r\n")
    content = with_envelopes(before, {"drums": before.tracks}, {"drums": CURVE}).content
    for line in (b"EGUID {E}", b"VIS 1 1 1", b"ARM 1", b"VOLTYPE 1"):
        assert b"    " + line + b"\r\n" in content


@pytest.mark.parametrize(
    "lines",
    [
        (b"    VOLPAN 0 0 -1",),
        envelope(b"PT 0 1 0", b"POOLEDENVINST 1 0 4"),
    ],
)
def test_envelopes_that_would_be_inaudible_or_lose_items_are_refused(lines: tuple[bytes, ...]) -> None:
    before = project(*lines)
    with raises_error(path="song.rpp", facts=("track 1 'Drums'",)):
        with_envelopes(before, {"drums": before.tracks}, {"drums": CURVE})


def test_envelopes_that_will_sound_different_are_reported() -> None:
    trim = (b"    <VOLENV3", b"      ACT 1", b"      PT 0 0.5 0", b"      PT 3 1 0", b"    >")
    before = project(b"    AUTOMODE 3", *trim, head=b"GLOBAL_AUTO 5")
    notes = " ".join(with_envelopes(before, {"drums": before.tracks}, {"drums": CURVE}).notes)
    assert "moving trim envelope" in notes
    assert "write mode" in notes
    assert "bypasses all automation" in notes


def test_points_at_the_same_time_are_a_jump() -> None:
    jump = Envelope((Point(0.0, 1.0), Point(2.0, 1.0), Point(2.0, 0.5), Point(4.0, 0.25)))
    np.testing.assert_allclose(jump.gain_at(np.array([-1.0, 1.99, 2.0, 3.0, 5.0])), [1.0, 1.0, 0.5, 0.375, 0.25])


def test_shapes_start_and_end_at_their_points() -> None:
    for shape in range(6):
        ramp = Envelope((Point(0.0, 0.2, shape, 0.5), Point(1.0, 0.8)))
        values = ramp.gain_at(np.linspace(0.0, 1.0, 101))
        assert values[0] == pytest.approx(0.2)
        assert values[-1] == pytest.approx(0.8)
        assert np.all(np.diff(values) >= 0.0)
    assert Envelope((Point(0.0, 0.2, 1), Point(1.0, 0.8))).gain_at(np.array([0.99])) == pytest.approx(0.2)


def test_the_gain_of_a_bus_whose_faders_differ_is_that_of_its_loudest_track() -> None:
    head = b'<REAPER_PROJECT 0.1 "7.0" 1\n'
    tracks = b"".join(b"<TRACK {G}\nNAME Vox\nVOLPAN %s 0\n>\n" % volume for volume in (b"0.8", b"0.2"))
    song = project_of(parse(head + tracks + b">\n", Path("song.rpp")))
    assert bus_weights(song, song.tracks) == pytest.approx({0: 1.0, 1: 0.25})
    np.testing.assert_allclose(gains_at(song, {"vocals": song.tracks}, TIMES), 0.8)
    np.testing.assert_allclose(gains_at(song, {"vocals": song.tracks[1:]}, TIMES), 0.2)
