"""Stems summed from a project's media."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
import soundfile

from core.errors import InputError
from core.rpp.parser import parse
from core.rpp.project import Project, project_of
from core.rpp.render import fade_gain, has_sound, rate_of, sentences, write_stems
from tests.expected_errors import raises_error

RATE = 8000
Stem = npt.NDArray[np.float32]


def tone(path: Path, seconds: float = 4.0, hertz: float = 440.0, rate: int = RATE, channels: int = 1) -> Stem:
    time_s = np.arange(round(seconds * rate)) / rate
    samples = 0.25 * np.sin(2 * np.pi * hertz * time_s)[:, None] * np.linspace(1.0, 0.5, channels)
    path.parent.mkdir(exist_ok=True, parents=True)
    soundfile.write(path, samples.astype(np.float32), rate, "FLOAT", format="WAV")
    return samples.astype(np.float32)


def item(*lines: str, file: str = "a.wav", position: float = 0.0, length: float = 2.0, kind: str = "WAVE") -> str:
    start = ["<ITEM", f"POSITION {position}", f"LENGTH {length}", *lines]
    return "\n".join([*start, f"<SOURCE {kind}", f'FILE "{file}"', ">", ">"])


def project(folder: Path, *tracks: str) -> Project:
    content = "\n".join(['<REAPER_PROJECT 0.1 "7.0/linux" 1', f"SAMPLERATE {RATE} 1 0", *tracks, ">", ""])
    return project_of(parse(content.encode(), folder / "song.rpp"))


def track(*lines: str, name: str = "Drums") -> str:
    return "\n".join(["<TRACK {G}", f'NAME "{name}"', *lines, ">"])


def stem(of: Project, folder: Path, *numbers: int) -> Stem:
    out = folder / "out"
    out.mkdir(exist_ok=True)
    tracks = [of.tracks[number - 1] for number in numbers or (1,)]
    samples, rate = soundfile.read(write_stems(of, {"drums": tracks}, out)["drums"], dtype="float32", always_2d=True)
    assert rate == RATE
    return samples


def test_an_item_plays_from_its_offset_at_its_place(tmp_path: Path) -> None:
    whole = tone(tmp_path / "a.wav")
    found = stem(project(tmp_path, track(item("SOFFS 0.5", "VOLPAN 0.5 0 2 -1", position=1.0))), tmp_path)
    assert len(found) == 3 * RATE
    assert not found[:RATE].any()
    np.testing.assert_allclose(found[RATE:, 0], whole[RATE // 2 : RATE // 2 + 2 * RATE, 0], atol=1e-6)
    np.testing.assert_array_equal(found[:, 0], found[:, 1])


def test_an_item_longer_than_its_file_loops_or_falls_silent(tmp_path: Path) -> None:
    whole = tone(tmp_path / "a.wav", 0.75, 100.0)[:, 0]
    looped = stem(project(tmp_path, track(item("LOOP 1"))), tmp_path)[:, 0]
    np.testing.assert_allclose(looped, np.tile(whole, 3)[: 2 * RATE], atol=1e-6)
    once = stem(project(tmp_path, track(item("LOOP 0"))), tmp_path)[:, 0]
    assert not once[len(whole) :].any()


def test_a_long_loop_repeats(tmp_path: Path) -> None:
    whole = tone(tmp_path / "a.wav", 11.0, 3.3)[:, 0]
    looped = stem(project(tmp_path, track(item("LOOP 1", "SOFFS 10", length=14.0))), tmp_path)[:, 0]
    np.testing.assert_allclose(looped, np.roll(np.tile(whole, 2), -10 * RATE)[: 14 * RATE], atol=1e-6)


def test_a_play_rate_resamples_and_moves_the_pitch(tmp_path: Path) -> None:
    tone(tmp_path / "a.wav", 4.0, 440.0)
    for rate in (1.5, 0.76874829931973):
        found = stem(project(tmp_path, track(item(f"PLAYRATE {rate} 1 0 -1"))), tmp_path)[:, 0]
        time_s = np.arange(2 * RATE) / RATE
        wanted = 0.25 * np.sin(2 * np.pi * 440.0 * rate * time_s)
        np.testing.assert_allclose(found[200:-200], wanted[200:-200], atol=2e-3)


@pytest.mark.parametrize("shape", range(7))
def test_fades_rise_from_0_to_1(tmp_path: Path, shape: int) -> None:
    path = tmp_path / "a.wav"
    soundfile.write(path, np.ones(4 * RATE, np.float32), RATE, "FLOAT")
    fades = (f"FADEIN {shape} 0.5 0 {shape} 0 0", f"FADEOUT {shape} 0 1 {shape} 0 0")
    found = stem(project(tmp_path, track(item(*fades))), tmp_path)[:, 0]
    assert found[0] == 0.0
    assert found[-1] == 0.0
    np.testing.assert_allclose(found[RATE // 2 : RATE], 1.0)
    assert np.all(np.diff(found[: RATE // 2]) >= 0.0)
    assert np.all(np.diff(found[RATE:]) <= 0.0)
    for place, first, count in ((0.25, 0, RATE // 2), (0.75, 0, RATE // 2), (0.25, 2 * RATE - 1, -RATE)):
        assert found[first + round(place * count)] == pytest.approx(fade_gain(shape, np.array([place]))[0], abs=1e-3)
    half = float(fade_gain(shape, np.array([0.5]))[0])
    assert half == {0: 0.5, 1: 0.75, 2: 0.25, 3: 0.9375, 4: 0.0625, 5: 0.5, 6: 0.5}[shape]


def test_a_section_is_a_part_of_its_file(tmp_path: Path) -> None:
    whole = tone(tmp_path / "a.wav")[:, 0]
    source = "<SOURCE SECTION\nLENGTH 0.5\nSTARTPOS 1\n<SOURCE WAVE\nFILE a.wav\n>\n>"
    section = f"<ITEM\nPOSITION 0\nLENGTH 2\nLOOP 1\n{source}\n>"
    found = stem(project(tmp_path, track(section)), tmp_path)[:, 0]
    np.testing.assert_allclose(found, np.tile(whole[RATE : RATE + RATE // 2], 4), atol=1e-6)


def test_the_chosen_take_plays_with_its_own_gain(tmp_path: Path) -> None:
    tone(tmp_path / "a.wav")
    second = tone(tmp_path / "b.wav", hertz=300.0)[:, 0]
    takes = (
        "<ITEM\nPOSITION 0\nLENGTH 2\nVOLPAN 1 0 1 -1\n<SOURCE WAVE\nFILE a.wav\n>\n"
        "TAKE SEL\nTAKEVOLPAN 0 -0.5 -1\nSOFFS 0.25\n<SOURCE WAVE\nFILE b.wav\n>\n>"
    )
    found = stem(project(tmp_path, track(takes)), tmp_path)[:, 0]
    np.testing.assert_allclose(found, -0.5 * second[RATE // 4 : RATE // 4 + 2 * RATE], atol=1e-6)


def test_channel_modes_and_pans(tmp_path: Path) -> None:
    left = tone(tmp_path / "a.wav", channels=2)[: 2 * RATE, 0]
    expected = {0: (1.0, 0.5), 1: (0.5, 1.0), 2: (0.75, 0.75), 3: (1.0, 1.0), 4: (0.5, 0.5)}
    for mode, factors in expected.items():
        found = stem(project(tmp_path, track(item(f"CHANMODE {mode}"))), tmp_path)
        np.testing.assert_allclose(found, left[:, None] * np.array(factors), atol=1e-6)
    panned = stem(project(tmp_path, track(item("VOLPAN 1 -0.5 1 -1"))), tmp_path)
    np.testing.assert_allclose(panned, left[:, None] * np.array([1.0, 0.25]), atol=1e-6)


def test_a_folder_sums_its_children_as_heard_without_its_own_fader(tmp_path: Path) -> None:
    a, b = tone(tmp_path / "a.wav")[: 2 * RATE, 0], tone(tmp_path / "b.wav", hertz=300.0)[: 2 * RATE, 0]
    ramp = ("<VOLENV2", "ACT 1", "PT 0 1 0", "PT 2 0 0", ">")
    found = stem(
        project(
            tmp_path,
            track("ISBUS 1 1", "VOLPAN 0.1 0 -1", *ramp),
            track("VOLPAN 0.5 1 -1", item()),
            track("IPHASE 1", *ramp, item(file="b.wav")),
            track("MUTESOLO 1 0 0", item()),
            track("MAINSEND 0 0", item()),
            track("ISBUS 2 -1", item("MUTE 1")),
            track(item()),
        ),
        tmp_path,
    )
    fading = b * np.linspace(1.0, 0.0, 2 * RATE, endpoint=False)
    np.testing.assert_allclose(found[:, 1], 0.5 * a - fading, atol=1e-5)
    np.testing.assert_allclose(found[:, 0], -fading, atol=1e-5)


def test_sends_flow_into_a_bus_before_or_after_the_fader(tmp_path: Path) -> None:
    a = tone(tmp_path / "a.wav")[: 2 * RATE, 0]
    source = track("VOLPAN 0.5 0 -1", "MAINSEND 0 0", item(), name="source")
    sends = {
        "1 0 0.5 0 0 0 0 0 0": 0.25,
        "1 3 0.5 0 0 0 0 0 0": 0.5,
        "1 0 1 0 0 0 1 0 0": -0.5,
        "1 0 1 0 1 0 0 0 0": None,
    }
    for send, factor in sends.items():
        found = project(tmp_path, track(f"AUXRECV {send}"), source)
        assert has_sound(found, found.tracks[:1]) == (factor is not None)
        if factor is not None:
            np.testing.assert_allclose(stem(found, tmp_path)[:, 0], factor * a, atol=1e-6)


def test_several_tracks_of_a_bus_are_summed_with_their_pre_fx_envelopes(tmp_path: Path) -> None:
    a = tone(tmp_path / "a.wav")[: 2 * RATE, 0]
    found = project(tmp_path, track(item()), track("<VOLENV", "ACT 1", "PT 0 0.25 0", ">", item()))
    np.testing.assert_allclose(stem(found, tmp_path, 1, 2)[:, 0], 1.25 * a, atol=1e-6)


@pytest.mark.parametrize("name", ["Audio Files\\a.wav", "C:\\Users\\me\\a.wav", "//server//media//a.wav", "rec/a.wav"])
def test_media_are_found_by_their_path_or_next_to_the_project(tmp_path: Path, name: str) -> None:
    place = (
        tmp_path / ("Audio Files" if name.startswith("Audio") else "rec" if name.startswith("rec") else "") / "a.wav"
    )
    tone(place)
    assert stem(project(tmp_path, track(item(file=name))), tmp_path).any()


def test_nested_sections_of_any_depth_are_one_section(tmp_path: Path) -> None:
    whole = tone(tmp_path / "a.wav")[:, 0]
    depth = 2_000
    source = "<SOURCE SECTION\nLENGTH 0.5\nSTARTPOS 0.0005\n" * depth + "<SOURCE WAVE\nFILE a.wav\n>" + "\n>" * depth
    found = stem(project(tmp_path, track(f"<ITEM\nPOSITION 0\nLENGTH 0.5\n{source}\n>")), tmp_path)[:, 0]
    np.testing.assert_allclose(found, whole[RATE : RATE + RATE // 2], atol=1e-6)


def test_nested_folders_of_any_depth_are_summed(tmp_path: Path) -> None:
    whole = tone(tmp_path / "a.wav")[:, 0]
    folders = [track("ISBUS 1 1", "MAINSEND 1 0") for _ in range(2_000)]
    found = stem(project(tmp_path, *folders, track(item(), name="kick")), tmp_path)[:, 0]
    np.testing.assert_allclose(found, whole[: 2 * RATE], atol=1e-6)


def test_a_feedback_send_is_not_followed(tmp_path: Path) -> None:
    whole = tone(tmp_path / "a.wav")[:, 0]
    loop = (track("AUXRECV 1 0 1 0 0 0 0 0 0"), track("AUXRECV 0 0 1 0 0 0 0 0 0", "MAINSEND 0 0", item()))
    found = stem(project(tmp_path, *loop), tmp_path)[:, 0]
    np.testing.assert_allclose(found, whole[: 2 * RATE], atol=1e-6)


def test_the_sum_has_the_rate_of_the_project_or_of_most_media(tmp_path: Path) -> None:
    names = {"a.wav": 48_000, "b.wav": 44_100, "c.wav": 44_100, "d.wav": 48_000}
    for name, rate in names.items():
        tone(tmp_path / name, 0.1, rate=rate)
    of = {name: track(item(file=name)) for name in names}
    own = project(tmp_path, of["a.wav"])
    assert rate_of(own, own.tracks) == RATE
    free = [
        replace(project(tmp_path, *(of[f"{name}.wav"] for name in some)), sample_rate=None)
        for some in ("abc", "abcd", "")
    ]
    assert [rate_of(one, one.tracks) for one in free] == [44_100, 48_000, 44_100]


def test_progress_rises_to_one_and_may_stop_the_work(tmp_path: Path) -> None:
    tone(tmp_path / "a.wav", 12.0)
    found = project(tmp_path, track(item(length=10.0)))
    fractions: list[float] = []
    write_stems(found, {"drums": found.tracks}, tmp_path, progress=fractions.append)
    assert fractions == pytest.approx([0.4, 0.8, 1.0])

    def stop(_: float) -> None:
        raise InterruptedError

    with pytest.raises(InterruptedError):
        write_stems(found, {"drums": found.tracks}, tmp_path, progress=stop)


def test_all_missing_media_are_named_at_once(tmp_path: Path) -> None:
    items = [item(file=name) for name in ("gone.wav", "x/lost.wav", "gone.wav")]
    found = project(tmp_path, track(items[0], items[1], name="A"), track(items[2], name="B"))
    with pytest.raises(InputError) as caught:
        rate_of(found, found.tracks)
    assert caught.value.path == str(found.path)
    names = ["gone.wav of track 1 'A'", "x/lost.wav of track 1 'A'", "gone.wav of track 2 'B'"]
    assert [name in caught.value.problem for name in names] == [True] * 3


def test_a_bus_of_several_tracks_is_their_sum_weighted_by_their_faders(tmp_path: Path) -> None:
    first, second = tone(tmp_path / "a.wav"), tone(tmp_path / "b.wav", hertz=300.0)
    loud = track("VOLPAN 0.9 0", item(), name="A")
    quiet = track("VOLPAN 0.3 0", item(file="b.wav"), name="B")
    found = stem(project(tmp_path, loud, quiet), tmp_path, 1, 2)
    expected = first[: 2 * RATE, 0] + second[: 2 * RATE, 0] / 3.0
    np.testing.assert_allclose(found[:, 0], expected, atol=1e-6)


def test_missing_media_are_named_with_the_remedy(tmp_path: Path) -> None:
    with raises_error(path="song.rpp", facts=("x/gone.wav", "track 1 'Drums'")):
        stem(project(tmp_path, track(item(file="x/gone.wav"))), tmp_path)


def test_an_item_beyond_twelve_hours_is_refused(tmp_path: Path) -> None:
    tone(tmp_path / "a.wav")
    with raises_error(path="song.rpp", facts=("track 1 'Drums'", "250 h")):
        stem(project(tmp_path, track(item(position=9e5))), tmp_path)


def test_everything_that_is_not_rendered_is_reported(tmp_path: Path) -> None:
    plug_ins = (
        'BYPASS 0 0 0\n<VST "VST: ReaComp (Cockos)" reacomp.so 0 ""\n>',
        'BYPASS 1 0 0\n<JS loser/3BandEQ ""\n>',
    )
    chain = "\n".join(["<FXCHAIN", *plug_ins, ">"])
    pan = "<PANENV2\nACT 1\nPT 0 0.3 0\n>"
    found = project(
        tmp_path,
        track("VOLPAN 1 0.3 -1", "MUTESOLO 0 1 0", "PLAYOFFS 0.01 0", chain, pan, item(kind="MIDI", file="")),
        track("NCHAN 4", "AUXRECV 0 0 1 0 0 0 0 2 0", item("PLAYRATE 1.5 1 2 -1", "SM 0 1 + 2 3")),
    )
    notes = "\n".join(sentences(found, found.tracks, found.tracks))
    for part in (
        "plug-ins: ReaComp (Cockos) on track 1 'Drums'",
        "items without an audio file: MIDI on track 1",
        "pitch shifts",
        "stretch markers",
        "pan envelope",
        "sends that are not plain stereo: from track 1",
        "playback offsets",
        "1 items play at another rate",
        "soloed",
        "is panned",
    ):
        assert part in notes
    assert "3BandEQ" not in notes


@pytest.mark.parametrize(
    "damaged",
    [
        item("SOFFS -1e19"),
        item(position=1e300),
        item(length=1e308),
        item().replace("<SOURCE WAVE", "<SOURCE SECTION\nSTARTPOS 1e305\n<SOURCE WAVE") + "\n>",
        item().replace("<SOURCE WAVE", "<SOURCE SECTION\nLENGTH 1e305\n<SOURCE WAVE") + "\n>",
    ],
)
def test_an_impossible_time_is_refused(tmp_path: Path, damaged: str) -> None:
    with pytest.raises(InputError) as caught:
        project(tmp_path, "<TRACK", damaged, ">")
    assert "song.rpp, line " in str(caught.value.path)


@pytest.mark.parametrize("rate", [20, 1_000_000_000, 2_000_000_000_000, -44_100])
def test_an_impossible_sample_rate_is_refused(tmp_path: Path, rate: int) -> None:
    tone(tmp_path / "a.wav")
    odd = replace(project(tmp_path, track(item())), sample_rate=rate)
    with raises_error(path="song.rpp", facts=("Hz",)):
        stem(odd, tmp_path)
