"""`faderwise mix SESSION.RPP`: a copy with envelopes, and every other byte unchanged."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyloudnorm
import pytest
import soundfile

from analysis_server.cli import main
from core.rpp.project import read_project
from core.rpp.render import write_stems
from core.runs.store import read_history, restore
from tests.project_verbs.reading import heard_gain, quarter_db, without_ours, without_volume_envelopes
from tests.project_verbs.sessions import bus, run, template
from tests.session_media import ROLES, STEMS, session

WINCING = Path(__file__).resolve().parents[1] / "projects" / "wincing.rpp"
Audio = npt.NDArray[np.float64]


def real_sessions(shared: Path) -> Iterator[tuple[Path, list[str], dict[str, list[int]]]]:
    folder = shared / "rpp"
    chosen = ["melody=1", "vocals=Chorus-Leads - stem", "drums=drums", "none=2", "none=4"]
    yield WINCING, chosen, {"drums": [5], "melody": [1], "vocals": [3]}
    yield folder / "07_v6.71_linux_drums_perc_synth.RPP", [], {"drums": [4], "synths": [7]}
    old = folder / "10_v_pre3_song_with_sends_volenv.RPP"
    yield old, ["none=14"], {"melody": [5], "vocals": [1], "percussion": [10]}


@pytest.mark.parametrize("number", [0, *(pytest.param(number, marks=pytest.mark.slow) for number in (1, 2))])
def test_a_real_project_sounds_like_mix_wav(
    shared: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], number: int
) -> None:
    source, chosen, expected = list(real_sessions(shared))[number]
    path = session(source, tmp_path / "session")
    before = path.read_bytes()
    buses_by_hand = [part for bus in chosen for part in ("--bus", bus)]
    code, result, errors = run(capsys, "mix", str(path), "--target-lufs", "-40", *buses_by_hand)  # quiet: no clamping
    assert code == 0, errors
    assert path.read_bytes() == before
    copy = path.with_name("Song-faderwise.RPP")
    content = copy.read_bytes()
    assert without_ours(content) == without_volume_envelopes(before)
    assert restore(read_project(copy), 1).content == before

    project = read_project(copy)  # next to the original, so its relative media are found
    buses = {role: [project.tracks[n - 1] for n in numbers] for role, numbers in expected.items()}
    assert set(result["n_points"]) == set(expected)  # type: ignore[call-overload]
    stems = write_stems(project, buses, tmp_path)
    mixed, rate = soundfile.read(str(result["files"]["mix.wav"]), always_2d=True)  # type: ignore[index]
    rebuilt = np.zeros_like(mixed)
    time_s = np.arange(len(mixed)) / rate
    for role, tracks in buses.items():
        samples, stem_rate = soundfile.read(stems[role], always_2d=True)
        assert stem_rate == rate
        gains = [heard_gain(content, track, time_s) for track in tracks]
        np.testing.assert_allclose(gains[0], gains[-1], rtol=0.012)
        rebuilt[: len(samples)] += samples * gains[0][: len(samples), None]
    ours, theirs = quarter_db(mixed, rate), quarter_db(rebuilt, rate)
    sounding = ours > -70.0
    assert sounding.sum() > 30
    assert "was clamped" not in errors
    quieter = next(
        (float(line.split(" dB quieter")[0].split()[-1]) for line in errors.splitlines() if " dB quieter" in line), 0
    )
    assert np.abs(ours + quieter - theirs)[sounding].max() < 0.2


def test_parts_that_are_not_rendered_are_listed(
    shared: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = session(shared / "rpp" / "10_v_pre3_song_with_sends_volenv.RPP", tmp_path / "session")
    code, _, errors = run(capsys, "mix", str(path), "--dry-run", "--tracks", "8-9")
    assert code == 0
    assert "left out of the sum of the media: plug-ins: " in errors
    assert "ReaEQ (Cockos)" in errors
    assert not list(path.parent.glob("*-faderwise*"))


def test_stems_that_reaper_exported_are_used(small: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    stems = tmp_path / "stems"
    stems.mkdir()
    for role in ROLES:
        shutil.copyfile(STEMS / f"{role}.flac", stems / f"Song-{role.upper()} BUS.flac")
    code, result, errors = run(capsys, "mix", str(small), "--stems", str(stems))
    assert (code, errors) == (0, "")
    code, summed, _ = run(capsys, "mix", str(small), "--out", str(tmp_path / "summed"))
    assert code == 0
    medians = (result["median_gain_db"], summed["median_gain_db"])
    for role in ROLES:
        assert medians[0][role] == pytest.approx(medians[1][role], abs=0.05)  # type: ignore[index]


@pytest.mark.parametrize("verb", ["mix", "match"])
def test_a_stem_without_a_track_stays_in_the_mix(small: Path, capsys: pytest.CaptureFixture[str], verb: str) -> None:
    small.write_bytes(small.read_bytes().replace(b'"MELODY BUS"', b'"Zzz"'))
    more = ["--mixdown", str(STEMS / "mix.flac")] if verb == "match" else []
    code, result, errors = run(capsys, verb, str(small), "--stems", str(STEMS), *more)
    assert code == 0, errors
    assert "melody.flac has no track in Song.RPP; its curve is only in the other files" in errors
    assert result["buses"]["melody"]["inputs"] == ["melody.flac"]  # type: ignore[index]
    assert result["buses"]["drums"]["inputs"] == ["1 DRUMS BUS"]  # type: ignore[index]
    assert run(capsys, "audit", str(small.with_name("Song-faderwise.RPP")), "--no-sound", "--dry-run")[0] == 0


def test_the_table_before_a_mix_lists_the_tracks_that_are_used(small: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["mix", str(small), "--bus", "drums=3", "--dry-run"]) == 0
    table = capsys.readouterr().out.split("\n\n")[0]
    assert [line.split(maxsplit=1) for line in table.splitlines()[2:]] == [
        ["drums", "3 MELODY BUS"],
        ["bass", "2 BASS BUS"],
        ["vocals", "4 VOCALS BUS"],
        ["no", "bus   1 DRUMS BUS"],
    ]


def test_the_copy_is_written_to_the_given_folder_and_relative_media_are_reported(
    small: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out"
    code, result, errors = run(capsys, "mix", str(small), "--out", str(out))
    assert code == 0
    assert (out / "Song-faderwise.RPP").is_file()
    assert not small.with_name("Song-faderwise.RPP").exists()
    assert f"names its media relative to {small.parent}; move it there" in errors
    assert set(result["files"]) == {*(p.name for p in out.iterdir())}  # type: ignore[call-overload]


def test_a_mix_of_a_copy_replaces_it_and_adds_to_its_history(small: Path, capsys: pytest.CaptureFixture[str]) -> None:
    before = small.read_bytes()
    copy = small.with_name("Song-faderwise.RPP")
    assert run(capsys, "mix", str(small))[0] == 0
    first = copy.read_bytes()
    code, result, errors = run(capsys, "mix", str(copy), "--target-lufs", "-30")
    assert code == 0, errors
    assert result["files"]["Song-faderwise.RPP"] == str(copy)  # type: ignore[index]
    runs = read_history(read_project(copy))
    assert [(one.number, one.action, one.model, len(one.tracks)) for one in runs] == [
        (1, "mix", "default", 4),
        (2, "mix", "default", 4),
    ]
    assert first in [path.read_bytes() for path in small.parent.glob("Song-faderwise.*.RPP")]
    assert restore(read_project(copy), 2).content == first
    assert restore(read_project(copy), 1).content == before
    assert small.read_bytes() == before


def test_an_earlier_copy_is_set_aside(small: Path, capsys: pytest.CaptureFixture[str]) -> None:
    old = small.with_name("Song-faderwise.RPP")
    old.write_bytes(b"edited by hand")
    assert run(capsys, "mix", str(small))[0] == 0
    kept = [path for path in small.parent.glob("Song-faderwise.*") if path != old]
    assert [path.read_bytes() for path in kept] == [b"edited by hand"]
    first = old.read_bytes()
    assert main(["mix", str(small)]) == 0
    assert f"Earlier: {kept[0]}" in capsys.readouterr().out
    assert old.read_bytes() == first  # the same run writes the same bytes, so nothing more is set aside
    assert len(list(small.parent.glob("Song-faderwise.*"))) == 2


def test_a_range_does_not_change_the_rest_of_the_session(small: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, _, errors = run(capsys, "mix", str(small), "--range", "8:12")
    assert code == 0
    content = small.with_name("Song-faderwise.RPP").read_bytes()
    for track in read_project(small).tracks:
        gains = heard_gain(content, track, np.array([0.0, 7.99, 12.01, 20.0]))
        np.testing.assert_allclose(gains, track.volume, rtol=1e-6)
    assert "outside the range" in errors


def test_the_song_folder_and_the_session_get_the_same_mix(
    small: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    _, of_session, _ = run(capsys, "mix", str(small), "--out", str(tmp_path / "a"))
    _, of_folder, _ = run(capsys, "mix", str(STEMS), "--out", str(tmp_path / "b"))
    assert of_session["loudness_after_lufs"] == pytest.approx(of_folder["loudness_after_lufs"], abs=0.05)
    mixes = [soundfile.read(tmp_path / name / "mix.wav")[0] for name in "ab"]
    assert np.abs(mixes[0] - mixes[1][: len(mixes[0])]).max() < 0.01


def with_rides(path: Path) -> Audio:
    """Give the session's drums a move of 6 dB; return it at every half second."""
    envelope = ["    <VOLENV2", "      ACT 1 -1", "      PT 4 1 0", "      PT 20 0.5 0", "    >"]
    path.write_bytes(
        path.read_bytes().replace(b"    MAINSEND 1 0\n", "\n".join(["    MAINSEND 1 0", *envelope, ""]).encode(), 1)
    )
    return np.asarray(np.interp(np.arange(0.0, 24.0, 0.5), [4.0, 20.0], [1.0, 0.5]))


def test_the_users_moves_are_added_and_those_of_a_run_do_not_accumulate(
    small: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    time_s = np.arange(0.0, 24.0, 0.5)
    drums = read_project(small).tracks[0]
    assert run(capsys, "mix", str(small))[0] == 0
    copy = small.with_name("Song-faderwise.RPP")
    plain = heard_gain(copy.read_bytes(), drums, time_s)
    rides = with_rides(small)
    code, _, errors = run(capsys, "mix", str(small), "--existing", "combine")
    assert code == 0
    assert "its moves were kept" in errors
    combined = heard_gain(copy.read_bytes(), drums, time_s)
    common = combined / (plain * rides)  # the mix with the moves is as loud as the plain sum
    np.testing.assert_allclose(common, np.median(common), rtol=0.01)
    assert np.median(common) > 1.02
    assert run(capsys, "mix", str(copy), "--existing", "combine")[0] == 0
    np.testing.assert_allclose(heard_gain(copy.read_bytes(), drums, time_s), combined, rtol=1e-4)


@pytest.mark.parametrize("part", [[], ["--range", "6:18"]])
def test_the_mix_and_the_points_contain_the_users_moves(
    small: Path, capsys: pytest.CaptureFixture[str], part: list[str]
) -> None:
    with_rides(small)
    code, result, errors = run(capsys, "mix", str(small), "--existing", "combine", *part)
    assert code == 0, errors
    content = small.with_name("Song-faderwise.RPP").read_bytes()
    inside = (6.1, 17.9) if part else (0.0, 24.0)
    mixed, rate = soundfile.read(_mix_of(result), always_2d=True)
    time_s = np.arange(len(mixed)) / rate
    rebuilt = np.zeros_like(mixed)
    gains = {}
    for role, track in zip(ROLES, read_project(small).tracks, strict=True):
        gains[role] = heard_gain(content, track, time_s)
        samples, _ = soundfile.read(small.parent / f"{role}.flac", always_2d=True)
        rebuilt[: len(samples)] += samples[: len(rebuilt)] * gains[role][: len(samples), None]
    heard = (time_s >= inside[0]) & (time_s < inside[1])
    ours, theirs = quarter_db(mixed[heard], rate), quarter_db(rebuilt[heard], rate)
    quieter_db = float(np.median(theirs - ours)) if part else 0.0  # with a range, the file alone may be attenuated
    assert np.abs(ours + quieter_db - theirs)[ours > -70.0].max() < 0.1
    rows = [line.split(",") for line in Path(result["files"]["automation.csv"]).read_text().splitlines()]  # type: ignore[index]
    points = np.array([(float(row[1]), float(row[2])) for row in rows if row[0] == "drums"])
    in_file_db = np.interp(time_s[heard], points[:, 0], points[:, 1])
    np.testing.assert_allclose(in_file_db, 20.0 * np.log10(gains["drums"][heard]), atol=0.1)
    assert np.ptp(in_file_db) > 2.0


def test_different_moves_of_tracks_of_one_bus_are_reported_as_not_rendered(
    small: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    small.write_bytes(
        template(
            bus("Drums Close", "drums.flac", 0.9), bus("Drums Far", "drums.flac", 0.4), bus("Bass", "bass.flac", 0.8)
        )
    )
    with_rides(small)
    code, _, errors = run(capsys, "mix", str(small), "--existing", "combine", "--dry-run")
    assert code == 0, errors
    assert "the tracks of drums have different moves" in errors


def test_a_song_folder_has_no_moves_to_keep(capsys: pytest.CaptureFixture[str]) -> None:
    code, _, errors = run(capsys, "mix", str(STEMS), "--existing", "combine")
    assert code == 2
    assert "--existing" in errors


def test_tracks_of_one_bus_keep_their_balance_and_a_bus_far_above_its_envelopes_top_is_lowered_alone(
    small: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    volumes = {"Drums Close": 0.9, "Drums Far": 0.35, "Bass": 0.02, "Melody": 0.7, "Vocals": 0.9}
    files = {name: f"{name.split()[0].lower()}.flac" for name in volumes}
    small.write_bytes(template(*(bus(name, files[name], volume) for name, volume in volumes.items())))
    code, result, errors = run(capsys, "mix", str(small))
    assert code == 0
    assert "--bus none=3" in errors
    assert result["lowered_db"]["bass"] > 6.0
    assert list(result["lowered_db"]) == ["bass"]
    content = small.with_name("Song-faderwise.RPP").read_bytes()
    times = np.arange(0.0, 24.0, 0.25)
    close, far, bass, *_ = (heard_gain(content, track, times) for track in read_project(small).tracks)
    np.testing.assert_allclose(close / far, 0.9 / 0.35, rtol=1e-6)
    assert bass.max() == pytest.approx(0.02 * 2.0, rel=1e-6)
    mix, rate = soundfile.read(_mix_of(result))
    assert pyloudnorm.Meter(rate, filter_class="DeMan").integrated_loudness(mix) == pytest.approx(
        result["loudness_after_lufs"], abs=0.1
    )
    [record] = read_history(read_project(small.with_name("Song-faderwise.RPP")))
    of_top = {bus.role for bus in record.buses if any(bus.terms_ddb["top"])}
    assert of_top == {"bass"}
    assert [track.weight_in_bus for track in record.tracks][:2] == pytest.approx([1.0, 0.35 / 0.9])


@pytest.mark.parametrize(
    ("volumes", "alone", "reason"),
    [((3.0, 3.0, 3.0, 0.1), "vocals", "true peak"), ((3.0, 0.5, 3.0, 3.0), "", "top of an envelope")],
    ids=["one bus is lowered", "all buses are lowered"],
)
def test_the_common_gain_is_that_of_the_lowered_mix_and_a_quieter_mix_has_a_reason(
    small: Path, capsys: pytest.CaptureFixture[str], volumes: tuple[float, ...], alone: str, reason: str
) -> None:
    small.write_bytes(template(*(bus(role, f"{role}.flac", v) for role, v in zip(ROLES, volumes, strict=True))))
    code, result, errors = run(capsys, "mix", str(small), "--target-lufs", "-14")
    assert code == 0
    assert [bus for bus, lowered_db in result["lowered_db"].items() if lowered_db > 6.0] == [alone] * bool(alone)
    after_lufs = result["loudness_after_lufs"]
    mix, rate = soundfile.read(_mix_of(result))
    assert pyloudnorm.Meter(rate, filter_class="DeMan").integrated_loudness(mix) == pytest.approx(after_lufs, abs=0.1)
    if alone:
        assert result["true_peak_dbtp"] == pytest.approx(-1.0, abs=0.02)
    [warning] = [line for line in errors.splitlines() if f"{-14.0 - after_lufs:.1f} dB quieter than the target" in line]
    assert reason in warning


def test_an_audit_gives_the_loudness_of_a_bus_of_several_tracks_once(
    small: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    tracks = (("Kick", "drums", 0.9), ("Snare", "melody", 0.5), ("Vocals", "vocals", 0.9))
    small.write_bytes(template(*(bus(name, f"{file}.flac", volume) for name, file, volume in tracks)))
    _, mixed, _ = run(capsys, "mix", str(small))
    copy = small.with_name("Song-faderwise.RPP")
    code, audit, _ = run(capsys, "audit", str(copy), "--no-sound")
    assert code == 0
    assert [track["loudness_before_lufs"] is None for track in audit["tracks"]] == [True, True, False]
    for name in ("drums", "vocals"):
        of_mix, of_audit = mixed["buses"][name], audit["buses"][name]
        assert of_audit["loudness_before_lufs"] == pytest.approx(of_mix["loudness_before_lufs"], abs=0.1)
        assert of_audit["loudness_now_lufs"] == pytest.approx(of_mix["loudness_after_lufs"], abs=0.1)
    head, name, tail = copy.read_bytes().partition(b'NAME "Snare"')
    copy.write_bytes(head + name + tail.replace(b"VOLPAN 0.5", b"VOLPAN 0.7", 1))
    _, audit, _ = run(capsys, "audit", str(copy), "--no-sound")
    assert audit["buses"]["drums"]["loudness_now_lufs"] is None  # its tracks were moved apart


def _mix_of(result: dict[str, object]) -> str:
    files = result["files"]
    assert isinstance(files, dict)
    return str(files["mix.wav"])


def test_a_new_bus_of_a_project_is_reported(small: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["mix", str(small), "--bus", "Foo=3", "--dry-run"]) == 0
    printed, errors = capsys.readouterr()
    assert "  foo (new)   3 " in printed
    assert "faderwise: note: foo is a new bus: no song of the model default has it" in errors
