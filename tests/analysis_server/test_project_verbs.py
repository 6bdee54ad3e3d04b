"""`faderwise mix|match|learn SESSION.RPP`: a copy with envelopes in it, and the original as it was."""

from __future__ import annotations

import json
import os
import random
import re
import shutil
import stat
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
import soundfile

from analysis_server.command_line import main
from core.history import read_history, restored
from core.rpp.project import Track, read_project
from core.rpp.summing import write_stems
from tests.session_media import ROLES, STEMS, session

ROOT = Path(__file__).resolve().parents[2]
WINCING = ROOT / "tests" / "projects" / "wincing.rpp"
Audio = npt.NDArray[np.float64]


@pytest.fixture(autouse=True)
def home(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path_factory.mktemp("home")
    monkeypatch.setenv("FADERWISE_HOME", str(folder))
    monkeypatch.chdir(tmp_path_factory.mktemp("current"))
    return folder


def template(*tracks: str, end: str = "\n") -> bytes:
    lines = ['<REAPER_PROJECT 0.1 "7.19/linux-x86_64" 1', "  SAMPLERATE 44100 1 0", *tracks, ">", ""]
    return end.join(lines).replace("\n", end).encode()


def bus(name: str, file: str, volume: float = 1.0, *more: str, length: float = 24.0) -> str:
    lines = [f"  <TRACK {{{name}}}", f'    NAME "{name}"', f"    VOLPAN {volume} 0 -1 -1 1", "    MAINSEND 1 0", *more]
    item = ["    <ITEM", "      POSITION 0", f"      LENGTH {length}", "      <SOURCE FLAC", f'        FILE "{file}"']
    return "\n".join([*lines, *item, "      >", "    >", "  >"])


@pytest.fixture
def small(tmp_path: Path) -> Path:
    """A session of the bundled stems: four tracks, faders at different places, relative media."""
    folder = tmp_path / "session"
    folder.mkdir()
    for role in ROLES:
        shutil.copyfile(STEMS / f"{role}.flac", folder / f"{role}.flac")
    volumes = (0.8, 1.2, 0.7, 0.9)
    path = folder / "Song.RPP"
    path.write_bytes(
        template(*(bus(f"{role.upper()} BUS", f"{role}.flac", v) for role, v in zip(ROLES, volumes, strict=True)))
    )
    return path


def run(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, dict[str, object], str]:
    code = main([*arguments, "--json"])
    told = capsys.readouterr()
    return code, json.loads(told.out) if told.out else {}, told.err


def heard_gain(content: bytes, track: Track, time_s: Audio) -> Audio:
    """The gain that an envelope's lines say, by themselves: straight in amplitude, times the fader in trim/read."""
    lines = [line.split() for line in content.splitlines()]
    starts = [i for i, words in enumerate(lines) if words[:1] == [b"<TRACK"]]
    depth, points = 0, []
    inside = False
    for words in lines[starts[track.index] :]:
        if not words:
            continue
        if inside and words[0] == b"PT":
            points.append((float(words[1]), float(words[2])))
            assert words[3] == b"0"
        depth += words[0].startswith(b"<") - (words[0] == b">")
        inside = (inside or (depth == 2 and words[0] == b"<VOLENV2")) and depth == 2
        if depth == 0:
            break
    times, values = np.array(points).T
    return np.asarray(np.interp(time_s, times, values) * (track.volume if track.automation_mode == 0 else 1.0))


def without_volume_envelopes(content: bytes) -> bytes:
    kept, inside = [], False
    for line in content.splitlines(keepends=True):
        inside = inside or line.startswith(b"    <VOLENV2")
        if not inside:
            kept.append(line)
        inside = inside and line.strip() != b">"
    return b"".join(kept)


def without_ours(content: bytes) -> bytes:
    """The content without volume envelopes and without our own section, the only things a mix may touch."""
    text = re.sub(rb"    <FADERWISE\r?\n(      RUN_\d+_\d+ [\w.=-]+\r?\n)+    >\r?\n", b"", content)
    text = re.sub(rb"  <EXTSTATE\r?\n  >\r?\n", b"", text)
    return without_volume_envelopes(text)


def quarter_db(samples: Audio, rate: int) -> Audio:
    n_hop = rate // 4
    hops = samples[: len(samples) // n_hop * n_hop].reshape(-1, n_hop * samples.shape[1])
    return np.asarray(10.0 * np.log10(np.maximum((hops**2).mean(axis=1), 1e-14)))


def real_sessions(shared: Path) -> Iterator[tuple[Path, list[str], dict[str, list[int]]]]:
    folder = shared / "rpp"
    chosen = ["melody=1", "vocals=Chorus-Leads - stem", "drums=drums"]
    yield WINCING, chosen, {"drums": [5], "melody": [1], "vocals": [3]}
    yield folder / "07_v6.71_linux_drums_perc_synth.RPP", [], {"drums": [4], "synths": [7]}
    old = folder / "10_v_pre3_song_with_sends_volenv.RPP"
    yield old, [], {"vocals": [1], "guitars": [7, 8], "percussion": [10]}


@pytest.mark.parametrize("number", range(3))
def test_a_real_project_plays_what_mix_wav_does(
    shared: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], number: int
) -> None:
    source, chosen, expected = list(real_sessions(shared))[number]
    path = session(source, tmp_path / "session")
    before = path.read_bytes()
    buses_by_hand = [part for bus in chosen for part in ("--bus", bus)]
    code, result, told = run(capsys, "mix", str(path), "--target-lufs", "-40", *buses_by_hand)  # quiet: no clamping
    assert code == 0, told
    assert path.read_bytes() == before
    copy = path.with_name("Song-faderwise.RPP")
    content = copy.read_bytes()
    assert without_ours(content) == without_volume_envelopes(before)
    assert restored(read_project(copy), 1).content == before

    project = read_project(copy)  # beside the original, so its relative media are found
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
    assert "was clamped" not in told
    quieter = next(
        (float(line.split(" dB quieter")[0].split()[-1]) for line in told.splitlines() if " dB quieter" in line), 0
    )
    assert np.abs(ours + quieter - theirs)[sounding].max() < 0.2


def test_what_the_sum_leaves_out_is_named(shared: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = session(shared / "rpp" / "10_v_pre3_song_with_sends_volenv.RPP", tmp_path / "session")
    code, _, told = run(capsys, "mix", str(path), "--dry-run")
    assert code == 0
    assert "left out of the sum of the media: plug-ins: " in told
    assert "ReaEQ (Cockos)" in told
    assert not list(path.parent.glob("*-faderwise*"))


def test_stems_that_reaper_exported_are_taken(small: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    stems = tmp_path / "stems"
    stems.mkdir()
    for role in ROLES:
        shutil.copyfile(STEMS / f"{role}.flac", stems / f"Song-{role.upper()} BUS.flac")
    code, result, told = run(capsys, "mix", str(small), "--stems", str(stems))
    assert (code, told) == (0, "")
    code, summed, _ = run(capsys, "mix", str(small), "--out", str(tmp_path / "summed"))
    assert code == 0
    medians = (result["median_gain_db"], summed["median_gain_db"])
    for role in ROLES:
        assert medians[0][role] == pytest.approx(medians[1][role], abs=0.05)  # type: ignore[index]


def test_the_copy_goes_where_it_was_asked_for_and_relative_media_are_told(
    small: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out"
    code, result, told = run(capsys, "mix", str(small), "--out", str(out))
    assert code == 0
    assert (out / "Song-faderwise.RPP").is_file()
    assert not small.with_name("Song-faderwise.RPP").exists()
    assert f"names its media relative to {small.parent}; move it there" in told
    assert set(result["files"]) == {*(p.name for p in out.iterdir())}  # type: ignore[call-overload]


def test_a_mix_of_a_copy_takes_its_place_and_adds_to_its_history(
    small: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = small.read_bytes()
    copy = small.with_name("Song-faderwise.RPP")
    assert run(capsys, "mix", str(small))[0] == 0
    first = copy.read_bytes()
    code, result, told = run(capsys, "mix", str(copy), "--target-lufs", "-30")
    assert code == 0, told
    assert result["files"]["Song-faderwise.RPP"] == str(copy)  # type: ignore[index]
    runs = read_history(read_project(copy))
    assert [(one.number, one.action, one.model, len(one.tracks)) for one in runs] == [
        (1, "mix", "default", 4),
        (2, "mix", "default", 4),
    ]
    assert first in [path.read_bytes() for path in small.parent.glob("Song-faderwise.*.RPP")]
    assert restored(read_project(copy), 2).content == first
    assert restored(read_project(copy), 1).content == before
    assert small.read_bytes() == before


def test_an_earlier_copy_is_set_aside(small: Path, capsys: pytest.CaptureFixture[str]) -> None:
    old = small.with_name("Song-faderwise.RPP")
    old.write_bytes(b"edited by hand")
    assert run(capsys, "mix", str(small))[0] == 0
    kept = [path for path in small.parent.glob("Song-faderwise.*") if path != old]
    assert [path.read_bytes() for path in kept] == [b"edited by hand"]
    first = old.read_bytes()
    assert run(capsys, "mix", str(small))[0] == 0
    assert old.read_bytes() == first  # the same run writes the same bytes, so nothing more is set aside
    assert len(list(small.parent.glob("Song-faderwise.*"))) == 2


def test_a_range_leaves_the_rest_of_the_session_alone(small: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, _, told = run(capsys, "mix", str(small), "--range", "8:12")
    assert code == 0
    content = small.with_name("Song-faderwise.RPP").read_bytes()
    for track in read_project(small).tracks:
        gains = heard_gain(content, track, np.array([0.0, 7.99, 12.01, 20.0]))
        np.testing.assert_allclose(gains, track.volume, rtol=1e-6)
    assert "outside the range" in told


def test_the_song_folder_and_the_session_get_the_same_mix(
    small: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    _, of_session, _ = run(capsys, "mix", str(small), "--out", str(tmp_path / "a"))
    _, of_folder, _ = run(capsys, "mix", str(STEMS), "--out", str(tmp_path / "b"))
    assert of_session["loudness_after_lufs"] == pytest.approx(of_folder["loudness_after_lufs"], abs=0.05)
    mixes = [soundfile.read(tmp_path / name / "mix.wav")[0] for name in "ab"]
    assert np.abs(mixes[0] - mixes[1][: len(mixes[0])]).max() < 0.01


def render(path: Path, gain_of: dict[str, Audio]) -> None:
    mix = sum(
        soundfile.read(STEMS / f"{role}.flac", always_2d=True)[0] * gain[:, None] for role, gain in gain_of.items()
    )
    soundfile.write(path, mix, 44_100, "FLOAT")


def moving_gains(n_samples: int) -> dict[str, Audio]:
    time_s = np.arange(n_samples) / 44_100
    levels = ((0.8, 0.4), (0.5, 0.9), (0.7, 0.7), (0.3, 1.0))
    return {role: np.interp(time_s, [4.0, 20.0], ends) for role, ends in zip(ROLES, levels, strict=True)}


def test_match_recovers_a_mixdown_beside_the_project(small: Path, capsys: pytest.CaptureFixture[str]) -> None:
    gains = moving_gains(soundfile.info(STEMS / "drums.flac").frames)
    render(small.with_name("Song.wav"), gains)
    code, result, told = run(capsys, "match", str(small))
    assert code == 0, told
    assert result["fit"] > 0.99  # type: ignore[operator]
    content = small.with_name("Song-faderwise.RPP").read_bytes()
    time_s = np.arange(3.0, 22.0, 0.5)
    for track, role in zip(read_project(small).tracks, ROLES, strict=True):
        error_db = 20 * np.log10(
            heard_gain(content, track, time_s) / np.interp(time_s * 44_100, np.arange(len(gains[role])), gains[role])
        )
        assert np.median(np.abs(error_db)) < 0.3


def test_match_without_a_mixdown_says_so(small: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, _, told = run(capsys, "match", str(small))
    assert (code, told.count("\n")) == (2, 1)
    assert "no mixdown found" in told


def with_faders(path: Path) -> None:
    """Give the session the faders and envelopes whose gains are `moving_gains`."""
    tracks = []
    for role, ends in zip(ROLES, ((0.8, 0.4), (0.5, 0.9), (0.7, 0.7), (0.3, 1.0)), strict=True):
        points = [f"      PT {time:g} {gain / 0.5:.8f} 0" for time, gain in zip((4.0, 20.0), ends, strict=True)]
        envelope = ["    <VOLENV2", "      ACT 1 -1", *points, "    >"]
        tracks.append(bus(f"{role.upper()} BUS", f"{role}.flac", 0.5, *envelope))
    path.write_bytes(template(*tracks))


def test_faders_teach_what_a_mixdown_of_them_does(small: Path, home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with_faders(small)
    before = small.read_bytes()
    render(small.with_name("Song.wav"), moving_gains(soundfile.info(STEMS / "drums.flac").frames))
    learned = {}
    for truth in ("faders", "mixdown"):
        code, _, told = run(capsys, "learn", str(small), "--from", truth, "--model", truth, "--preset", "paper")
        assert code == 0, told
        code, mixed, told = run(capsys, "mix", str(STEMS), "--model", truth, "--dry-run")
        assert code == 0, told
        learned[truth] = mixed["median_gain_db"]
    model = json.loads((home / "models" / "faders.json").read_text())
    assert (model["songs"][0]["source"], model["songs"][0]["domain"], model["songs"][0]["title"]) == (
        "faders",
        "faders",
        "Song",
    )
    medians = {role: 20 * np.log10(np.median(gain)) for role, gain in moving_gains(24 * 44_100).items()}
    error_db = {role: abs(learned["faders"][role] - medians[role]) for role in ROLES}  # type: ignore[index]
    assert max(error_db.values()) < 2.5
    assert small.read_bytes() == before


def test_faders_are_the_exact_truth(small: Path) -> None:
    from analysis_server import projects
    from analysis_server.telling import untold
    from analysis_server.verbs.learn_session import fader_curves
    from core.default_measurement import measure

    with_faders(small)
    with projects.opened(str(small), untold) as opened:
        curves = fader_curves(opened, measure(opened.song), as_paper=False)
        folder = opened.song.stems["drums"].path.parent
    gains = moving_gains(24 * 44_100)
    for number, bus_role in enumerate(curves.buses):
        wanted = gains[bus_role][np.round(curves.time_s * 44_100).astype(int)]
        np.testing.assert_allclose(curves.gains[:, number], wanted, rtol=1e-4)
    assert not folder.exists()  # the summed stems are gone


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("learn", str(STEMS), "--from", "faders", "--model", "x"), "has no faders"),
        (("learn", str(STEMS), "--stems", "x", "--model", "x"), "belong to one REAPER project"),
        (("learn", str(STEMS), str(WINCING), "--bus", "drums=5", "--model", "x"), "one kind at a time"),
        (("mix", str(STEMS), "--stems", "x"), "belong to a REAPER project"),
        (("mix", "gone.RPP"), "gone.RPP: no such file"),
        (("mix", str(WINCING)), "is missing; put it into"),
    ],
)
def test_bad_usage_is_one_line(arguments: tuple[str, ...], says: str, capsys: pytest.CaptureFixture[str]) -> None:
    code, _, told = run(capsys, *arguments)
    assert (code, told.count("\n")) == (2, 1)
    assert says in told


def test_no_bus_found_lists_the_tracks(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "Song.RPP"
    path.write_bytes(template(bus("Foo", "x.wav"), bus("Banana", "x.wav")))
    code, _, told = run(capsys, "mix", str(path))
    assert (code, told.count("\n")) == (2, 1)
    assert "--bus 'drums=1', among 1 'Foo', 2 'Banana'" in told


def test_missing_media_leave_nothing_behind(small: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (small.parent / "bass.flac").unlink()
    before = sorted(small.parent.iterdir())
    code, _, told = run(capsys, "mix", str(small))
    assert (code, told.count("\n")) == (2, 1)
    assert "bass.flac of track 2 'BASS BUS' is missing" in told
    assert "--stems" in told
    assert sorted(small.parent.iterdir()) == before
    assert not list(Path.cwd().iterdir())


@pytest.mark.skipif(os.geteuid() == 0 if hasattr(os, "geteuid") else False, reason="root writes everywhere")
def test_a_read_only_folder_is_told(small: Path, capsys: pytest.CaptureFixture[str]) -> None:
    small.parent.chmod(stat.S_IREAD | stat.S_IEXEC)
    try:
        code, _, told = run(capsys, "mix", str(small))
    finally:
        small.parent.chmod(stat.S_IRWXU)
    assert (code, told.count("\n")) == (2, 1)
    assert "cannot be written" in told


def test_an_out_folder_that_is_a_file_is_told(small: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "out").write_text("a file")
    code, _, told = run(capsys, "mix", str(small), "--out", str(tmp_path / "out"))
    assert (code, told.count("\n")) == (2, 1)
    assert "out: cannot be written" in told


@pytest.mark.skipif(not Path("/proc").is_dir(), reason="needs a folder that not even root can write to")
def test_a_folder_nobody_can_write_to_is_told(small: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, _, told = run(capsys, "mix", str(small), "--out", "/proc/faderwise")
    assert (code, told.count("\n")) == (2, 1)
    assert "/proc/faderwise: cannot be written" in told


def test_windows_line_ends_and_names_that_are_not_utf_8_stay(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    shutil.copyfile(STEMS / "drums.flac", tmp_path / "drums.flac")
    shutil.copyfile(STEMS / "bass.flac", tmp_path / "bass.flac")
    text = template(bus("Drums Umlaut", "drums.flac"), bus("Bass", "bass.flac"), end="\r\n").replace(
        b"Umlaut", b"\xfcber"
    )
    path = tmp_path / "Song.rpp"
    path.write_bytes(text)
    code, _, told = run(capsys, "mix", str(path))
    assert (code, told) == (0, "")
    content = path.with_name("Song-faderwise.RPP").read_bytes()
    assert without_ours(content) == text
    assert content.count(b"\n") == content.count(b"\r\n")


def test_damaged_projects_end_in_one_line_or_in_a_mix(small: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for role in ROLES:
        audio, rate = soundfile.read(small.parent / f"{role}.flac", frames=44_100, always_2d=True)
        soundfile.write(small.parent / f"{role}.flac", audio, rate)
    whole = template(*(bus(f"{role} bus", f"{role}.flac", 0.7, length=2.0) for role in ROLES))
    dice = random.Random(20150101)  # noqa: S311
    ends = {0: 0, 2: 0}
    for _ in range(200):
        content = bytearray(whole)
        for _ in range(dice.randint(1, 3)):
            place = dice.randrange(len(content))
            edit = dice.choice(("change", "insert", "cut"))
            if edit == "change":
                content[place] = dice.randrange(256)
            elif edit == "insert":
                content[place:place] = bytes([dice.choice(b"<>\n\"'`| 9-.e")])
            else:
                del content[place : place + dice.randint(1, 20)]
        small.write_bytes(content)
        code, _, told = run(capsys, "mix", str(small), "--dry-run")
        assert code in ends, told
        assert code == 0 or told.count("\n") == 1, told
        assert "internal error" not in told
        ends[code] += 1
    assert min(ends.values()) > 20


def test_the_original_is_never_written(small: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    trap = small.with_name("Song-faderwise.RPP")
    trap.symlink_to(small)
    before = small.read_bytes()
    code, _, told = run(capsys, "mix", str(small))
    assert (code, told.count("\n")) == (2, 1)
    assert "is the project itself" in told
    assert small.read_bytes() == before


def with_rides(path: Path) -> Audio:
    """Give the session's drums a move of 6 dB; return it at every half second."""
    envelope = ["    <VOLENV2", "      ACT 1 -1", "      PT 4 1 0", "      PT 20 0.5 0", "    >"]
    path.write_bytes(
        path.read_bytes().replace(b"    MAINSEND 1 0\n", "\n".join(["    MAINSEND 1 0", *envelope, ""]).encode(), 1)
    )
    return np.asarray(np.interp(np.arange(0.0, 24.0, 0.5), [4.0, 20.0], [1.0, 0.5]))


def test_moves_that_are_the_users_stay_on_top_and_those_of_a_run_do_not_pile_up(
    small: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    time_s = np.arange(0.0, 24.0, 0.5)
    drums = read_project(small).tracks[0]
    assert run(capsys, "mix", str(small))[0] == 0
    copy = small.with_name("Song-faderwise.RPP")
    plain = heard_gain(copy.read_bytes(), drums, time_s)
    rides = with_rides(small)
    code, _, told = run(capsys, "mix", str(small), "--existing", "combine")
    assert code == 0
    assert "its moves were kept" in told
    combined = heard_gain(copy.read_bytes(), drums, time_s)
    np.testing.assert_allclose(combined, plain * rides, rtol=0.02)
    assert run(capsys, "mix", str(copy), "--existing", "combine")[0] == 0
    np.testing.assert_allclose(heard_gain(copy.read_bytes(), drums, time_s), combined, rtol=1e-4)


def test_a_song_folder_has_no_moves_to_keep(capsys: pytest.CaptureFixture[str]) -> None:
    code, _, told = run(capsys, "mix", str(STEMS), "--existing", "combine")
    assert code == 2
    assert "--existing" in told
