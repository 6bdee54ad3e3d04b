"""What the host renders, against closed forms and against the project sums of core, made apart from it."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
import soundfile

from core.rpp.project import read_project
from core.rpp.render import write_stems
from tests.reaper_host import ReaperHost
from tests.reaper_host.conftest import PROJECTS
from tests.reaper_host.fader_curve import from_fader, to_fader
from tests.reaper_host.sessions import RATE, envelope, item, rendered, tone, track, write_project, write_tone

Samples = npt.NDArray[np.float64]


def master_of(host: ReaperHost, folder: Path, *tracks: str) -> Samples:
    host.open(write_project(folder, *tracks))
    return rendered(host, folder / "out")[0]


def test_a_plain_item_is_its_file(empty_host: ReaperHost, folder: Path) -> None:
    np.testing.assert_allclose(master_of(empty_host, folder, track("A", item("tone.wav"))), tone(), atol=1e-6)


def test_position_and_offset_move_the_sound(empty_host: ReaperHost, folder: Path) -> None:
    placed = item("tone.wav", "SOFFS 0.25", position=0.5, length=1.0)
    out = master_of(empty_host, folder, track("A", placed))
    assert len(out) == round(1.5 * RATE)
    assert not out[: RATE // 2].any()
    np.testing.assert_allclose(out[RATE // 2 :], tone()[RATE // 4 : RATE // 4 + RATE], atol=1e-6)


def test_faders_of_item_take_track_and_master_multiply(empty_host: ReaperHost, folder: Path) -> None:
    lines = track("A", "VOLPAN 0.5 0 -1 -1 1", item("tone.wav", "VOLPAN 0.8 0 0.5 -1"))
    path = write_project(folder, lines)
    path.write_bytes(path.read_bytes().replace(b"MASTER_VOLUME 1 0", b"MASTER_VOLUME 0.25 0"))
    empty_host.open(path)
    np.testing.assert_allclose(rendered(empty_host, folder / "out")[0], tone() * 0.05, atol=1e-6)


def test_fades_begin_and_end_in_silence(empty_host: ReaperHost, folder: Path) -> None:
    faded = item("tone.wav", "FADEIN 0 0.5 0 0 0 0", "FADEOUT 0 0.5 0 0 0 0")
    out = master_of(empty_host, folder, track("A", faded))
    ramp = np.minimum(np.arange(2 * RATE), np.arange(2 * RATE)[::-1]) / (0.5 * RATE)
    np.testing.assert_allclose(out, tone() * np.minimum(ramp, 1.0)[:, None], atol=1e-6)


def test_a_loop_repeats(empty_host: ReaperHost, folder: Path) -> None:
    out = master_of(empty_host, folder, track("A", item("tone.wav", "LOOP 1", length=5.0)))
    np.testing.assert_allclose(out, np.tile(tone(), (3, 1))[: 5 * RATE], atol=1e-6)


def test_double_play_rate_plays_an_octave_higher(empty_host: ReaperHost, folder: Path) -> None:
    out = master_of(empty_host, folder, track("A", item("tone.wav", "PLAYRATE 2 0 0 -1 0 0.0025", length=1.0)))
    inside = slice(RATE // 10, RATE - RATE // 10)
    np.testing.assert_allclose(out[inside], tone(1.0, frequency_hz=880.0)[inside], atol=2e-3)


def test_pan_is_a_balance(empty_host: ReaperHost, folder: Path) -> None:
    out = master_of(empty_host, folder, track("A", "VOLPAN 1 -0.5 -1 -1 1", item("tone.wav")))
    np.testing.assert_allclose(out, tone() * [1.0, 0.5], atol=1e-6)


def test_muted_tracks_and_items_are_silent(empty_host: ReaperHost, folder: Path) -> None:
    tracks = track("A", "MUTESOLO 1 0 0", item("tone.wav")), track("B", item("tone.wav", "MUTE 1"))
    assert not master_of(empty_host, folder, *tracks).any()


def test_only_the_soloed_track_is_heard_through_its_folder(empty_host: ReaperHost, folder: Path) -> None:
    tracks = (
        track("BUS", "ISBUS 1 1", "VOLPAN 0.5 0 -1 -1 1"),
        track("A", "MUTESOLO 0 1 0", item("tone.wav")),
        track("B", "ISBUS 2 -1", item("tone.wav")),
        track("C", item("tone.wav")),
    )
    np.testing.assert_allclose(master_of(empty_host, folder, *tracks), tone() * 0.5, atol=1e-6)


def test_a_soloed_folder_keeps_its_children_and_its_receives(empty_host: ReaperHost, folder: Path) -> None:
    tracks = (
        track("BUS", "ISBUS 1 1", "MUTESOLO 0 2 0", "AUXRECV 2 0 0.5 0 0 0 0 0 0 -1:U 0 -1 ''"),
        track("A", "ISBUS 2 -1", item("tone.wav")),
        track("C", item("tone.wav")),
    )
    np.testing.assert_allclose(master_of(empty_host, folder, *tracks), tone() * 1.5, atol=1e-6)


@pytest.mark.parametrize(("mode", "expected"), [(0, 0.5 * 0.25), (3, 0.25), (1, 0.25)])
def test_sends_leave_after_or_before_the_fader(
    empty_host: ReaperHost, folder: Path, mode: int, expected: float
) -> None:
    tracks = (
        track("A", "VOLPAN 0.5 0 -1 -1 1", "MAINSEND 0 0", item("tone.wav")),
        track("RETURN", f"AUXRECV 0 {mode} 0.25 0 0 0 0 0 0 -1:U 0 -1 ''"),
    )
    np.testing.assert_allclose(master_of(empty_host, folder, *tracks), tone() * expected, atol=1e-6)


@pytest.mark.parametrize(("automation", "expected"), [(0, 0.5 * 0.5), (1, 0.5), (2, 0.5), (4, 0.5)])
def test_the_fader_multiplies_the_envelope_only_in_trim_read(
    empty_host: ReaperHost, folder: Path, automation: int, expected: float
) -> None:
    lines = track("A", f"AUTOMODE {automation}", "VOLPAN 0.5 0 -1 -1 1", envelope("0 0.5 0"), item("tone.wav"))
    np.testing.assert_allclose(master_of(empty_host, folder, lines), tone() * expected, atol=1e-6)


def test_the_trim_envelope_multiplies_in_every_mode(empty_host: ReaperHost, folder: Path) -> None:
    lines = track("A", "AUTOMODE 1", envelope("0 0.5 0"), envelope("0 0.5 0", kind="VOLENV3"), item("tone.wav"))
    np.testing.assert_allclose(master_of(empty_host, folder, lines), tone() * 0.25, atol=1e-6)


def test_a_bypassed_envelope_leaves_the_fader(empty_host: ReaperHost, folder: Path) -> None:
    lines = track("A", "AUTOMODE 1", "VOLPAN 0.5 0 -1 -1 1", envelope("0 0.1 0", active=0), item("tone.wav"))
    np.testing.assert_allclose(master_of(empty_host, folder, lines), tone() * 0.5, atol=1e-6)


def test_a_project_that_bypasses_automation_uses_only_its_faders(empty_host: ReaperHost, folder: Path) -> None:
    path = write_project(folder, track("A", "VOLPAN 0.5 0 -1 -1 1", envelope("0 0.1 0"), item("tone.wav")))
    path.write_bytes(path.read_bytes().replace(b"GLOBAL_AUTO -1", b"GLOBAL_AUTO 5"))
    empty_host.open(path)
    np.testing.assert_allclose(rendered(empty_host, folder / "out")[0], tone() * 0.5, atol=1e-6)


def test_the_entire_project_ends_at_its_end_marker(empty_host: ReaperHost, folder: Path) -> None:
    markers = "  MARKER 1 0.5 =START 0\n  MARKER 2 1.5 =END 0\n"
    empty_host.open(write_project(folder, track("A", item("tone.wav")), extra=markers))
    out = rendered(empty_host, folder / "out")[0]
    np.testing.assert_allclose(out, tone()[RATE // 2 : RATE // 2 + RATE], atol=1e-6)


def test_an_audio_accessor_returns_only_the_items_of_the_track(empty_host: ReaperHost, folder: Path) -> None:
    tracks = track("BUS", "ISBUS 1 1"), track("A", "ISBUS 2 -1", "VOLPAN 0.5 0 -1 -1 1", item("tone.wav"))
    empty_host.open(write_project(folder, *tracks))
    api = empty_host.RPR
    for place, has_sound in ((0, 0), (1, 1)):
        accessor = api.RPR_CreateTrackAudioAccessor(api.RPR_GetTrack(0, place))
        buffer = [0.0] * 2000
        answer = api.RPR_GetAudioAccessorSamples(accessor, RATE, 2, 0.5, 1000, buffer)
        assert answer[0] == has_sound
        assert answer[1] is buffer
        expected = tone()[RATE // 2 : RATE // 2 + 1000].ravel() * has_sound
        np.testing.assert_allclose(buffer, expected, atol=1e-6)
        api.RPR_DestroyAudioAccessor(accessor)
        assert api.RPR_GetAudioAccessorSamples(accessor, RATE, 2, 0.5, 1000, buffer)[0] == 0


def test_a_fader_scaled_ramp_is_straight_on_the_faders_scale(empty_host: ReaperHost, folder: Path) -> None:
    write_tone(folder, "dc.wav", frequency_hz=0.0)
    soundfile.write(folder / "dc.wav", np.ones((2 * RATE, 2)), RATE, subtype="FLOAT")
    for scaling, expected in ((1, from_fader((to_fader(1.0) + to_fader(0.25)) / 2.0)), (0, 0.625)):
        lines = track("A", envelope("0 1 0", "2 0.25 0", scaling=scaling), item("dc.wav"))
        empty_host.open(write_project(folder, lines))
        out = rendered(empty_host, folder / f"out{scaling}")[0]
        assert out[RATE, 0] == pytest.approx(expected, rel=1e-4)


def test_stems_are_the_selected_tracks_after_their_faders(empty_host: ReaperHost, folder: Path) -> None:
    tracks = (
        track("BUS", "ISBUS 1 1", "VOLPAN 0.5 0 -1 -1 1"),
        track("A", "ISBUS 2 -1", "VOLPAN 0.5 0 -1 -1 1", item("tone.wav")),
        track("C", item("tone.wav")),
    )
    empty_host.open(write_project(folder, *tracks))
    bus, alone = rendered(empty_host, folder / "out", 2, "BUS", "C")
    np.testing.assert_allclose(bus, tone() * 0.25, atol=1e-6)
    np.testing.assert_allclose(alone, tone(), atol=1e-6)


@pytest.mark.parametrize(("prints", "expected"), [(True, 0.25), (False, 1.0)])
def test_pre_fader_stems_skip_the_fader_and_perhaps_the_envelope(
    empty_host: ReaperHost, folder: Path, prints: bool, expected: float
) -> None:
    empty_host.switches.pre_fader_stems_have_the_volume_envelope = prints
    lines = track("A", "VOLPAN 0.5 0.7 -1 -1 1", envelope("0 0.25 0"), item("tone.wav"))
    empty_host.open(write_project(folder, lines))
    np.testing.assert_allclose(rendered(empty_host, folder / "out", 2 | 8192, "A")[0], tone() * expected, atol=1e-6)


def test_a_custom_range_begins_at_its_start(empty_host: ReaperHost, folder: Path) -> None:
    empty_host.open(write_project(folder, track("A", item("tone.wav"))))
    for key, value in {"RENDER_BOUNDSFLAG": 0, "RENDER_STARTPOS": 0.5, "RENDER_ENDPOS": 1.25}.items():
        empty_host.RPR.RPR_GetSetProjectInfo(0, key, value, True)
    out = rendered(empty_host, folder / "out")[0]
    np.testing.assert_allclose(out, tone()[RATE // 2 : RATE // 2 + round(0.75 * RATE)], atol=1e-6)


def with_media(folder: Path, source: Path) -> Path:
    """Copy a real project, a twentieth as long, and make noise for every file it plays; return the copy."""
    text = source.read_text(encoding="utf-8")
    text = re.sub(r"(?m)^(    +POSITION) (\S+)", lambda found: f"{found[1]} {float(found[2]) / 20.0:.6f}", text)
    text = re.sub(r"(?m)^(    +LENGTH) (\S+)", lambda found: f"{found[1]} {min(float(found[2]), 5.0):.6f}", text)
    path = folder / source.name
    path.write_text(text, encoding="utf-8", newline="")
    random = np.random.default_rng(7)
    for each in read_project(path).tracks:
        for placed in each.items:
            for take in placed.takes:
                if take.source and take.source.file:
                    name = take.source.file.replace("\\", "/").rsplit("/", 1)[-1]
                    soundfile.write(
                        folder / name, 0.1 * random.standard_normal((8 * RATE, 2)), RATE, subtype="FLOAT", format="WAV"
                    )
    return path


def test_the_rendered_buses_of_a_real_project_equal_the_sums_of_core(empty_host: ReaperHost, folder: Path) -> None:
    path = with_media(folder, PROJECTS / "wincing.rpp")
    content = path.read_bytes()
    project = read_project(path)
    chosen = {str(each.index): [each] for each in project.tracks if each.items and not each.is_muted}
    stems = write_stems(project, chosen, folder)
    empty_host.open(path)
    names = [project.tracks[int(index)].name for index in chosen]
    assert len(set(names)) == len(names) > 3
    for each in empty_host.project.tracks:
        for env in list(each.envelopes):
            empty_host.remove_envelope(env)
    made = rendered(empty_host, folder / "out", 2 | 8192, *names)
    for index, ours in zip(chosen, made, strict=True):
        theirs = soundfile.read(stems[index], always_2d=True)[0]
        n_samples = min(len(ours), len(theirs))
        assert np.abs(ours[:n_samples]).max() > 0.01
        np.testing.assert_allclose(ours[:n_samples], theirs[:n_samples], atol=2e-3)
    assert path.read_bytes() == content
