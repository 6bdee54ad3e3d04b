"""Projects that cannot be used: one line, and an unchanged original."""

from __future__ import annotations

import os
import random
import shutil
import stat
from pathlib import Path

import pytest
import soundfile

from tests.project_verbs.reading import without_ours
from tests.project_verbs.sessions import bus, run, template
from tests.session_media import ROLES, STEMS

WINCING = Path(__file__).resolve().parents[1] / "projects" / "wincing.rpp"


@pytest.mark.parametrize(
    ("arguments", "fact"),
    [
        (("learn", str(STEMS), "--from", "faders", "--model", "x"), "--from faders: "),
        (("learn", str(STEMS), "--stems", "x", "--model", "x"), "--stems"),
        (("learn", str(STEMS), str(WINCING), "--bus", "drums=5", "--model", "x"), "one kind at a time"),
        (("mix", str(STEMS), "--stems", "x"), f"--stems: {STEMS}: only for REAPER projects"),
        (("mix", str(STEMS), "--tracks", "1"), f"--tracks: {STEMS}: only for REAPER projects"),
        (("mix", "gone.RPP"), "gone.RPP: "),
        (("mix", str(WINCING), "--bus", "vocls=3"), "did you mean vocals?"),
        (("learn", str(WINCING), "--bus", "vocls=3", "--model", "x", "--from", "faders"), "did you mean vocals?"),
        (("mix", str(WINCING), "--out", str(WINCING), "--dry-run"), "is the name of a file"),
        (("mix", str(WINCING)), "--bus bass=1"),
        (("mix", str(WINCING), "--bus", "bass=1", "--bus", "vocals=3"), "media files are missing"),
    ],
)
def test_bad_usage_is_one_line(arguments: tuple[str, ...], fact: str, capsys: pytest.CaptureFixture[str]) -> None:
    code, _, errors = run(capsys, *arguments)
    assert (code, errors.count("\n")) == (2, 1)
    assert fact in errors


def test_no_bus_found_lists_the_tracks(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "Song.RPP"
    path.write_bytes(template(bus("Foo", "x.wav"), bus("Banana", "x.wav")))
    code, _, errors = run(capsys, "mix", str(path))
    assert (code, errors.count("\n")) == (2, 1)
    assert "--bus 'drums=1', among 1 'Foo', 2 'Banana'" in errors


def test_missing_media_leave_nothing_behind(small: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (small.parent / "bass.flac").unlink()
    before = sorted(small.parent.iterdir())
    code, _, errors = run(capsys, "mix", str(small))
    assert (code, errors.count("\n")) == (2, 1)
    assert "bass.flac of track 2 'BASS BUS' is missing" in errors
    assert "--stems" in errors
    assert sorted(small.parent.iterdir()) == before
    assert not list(Path.cwd().iterdir())


@pytest.mark.skipif(os.geteuid() == 0 if hasattr(os, "geteuid") else False, reason="root writes everywhere")
def test_a_read_only_folder_is_reported(small: Path, capsys: pytest.CaptureFixture[str]) -> None:
    small.parent.chmod(stat.S_IREAD | stat.S_IEXEC)
    try:
        code, _, errors = run(capsys, "mix", str(small))
    finally:
        small.parent.chmod(stat.S_IRWXU)
    assert (code, errors.count("\n")) == (2, 1)
    assert "cannot be written" in errors


def test_an_out_folder_that_is_a_file_is_reported(
    small: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "out").write_text("a file")
    code, _, errors = run(capsys, "mix", str(small), "--out", str(tmp_path / "out"))
    assert (code, errors.count("\n")) == (2, 1)
    assert "out: cannot be written" in errors


@pytest.mark.skipif(not Path("/proc").is_dir(), reason="needs a folder that not even root can write to")
def test_a_folder_that_cannot_be_written_to_is_reported(small: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, _, errors = run(capsys, "mix", str(small), "--out", "/proc/faderwise")
    assert (code, errors.count("\n")) == (2, 1)
    assert "/proc/faderwise: cannot be written" in errors


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
    code, _, errors = run(capsys, "mix", str(path))
    assert (code, errors) == (0, "")
    content = path.with_name("Song-faderwise.RPP").read_bytes()
    assert without_ours(content) == text
    assert content.count(b"\n") == content.count(b"\r\n")


@pytest.mark.parametrize("n_trials", [20, pytest.param(400, marks=pytest.mark.slow)])
def test_damaged_projects_are_mixed_or_refused_with_one_line(
    small: Path, capsys: pytest.CaptureFixture[str], n_trials: int
) -> None:
    for role in ROLES:
        audio, rate = soundfile.read(small.parent / f"{role}.flac", frames=44_100, always_2d=True)
        soundfile.write(small.parent / f"{role}.flac", audio, rate)
    whole = template(*(bus(f"{role} bus", f"{role}.flac", 0.7, length=2.0) for role in ROLES))
    dice = random.Random(20150101)  # noqa: S311
    ends = {0: 0, 2: 0}
    for _ in range(n_trials):
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
        code, _, errors = run(capsys, "mix", str(small), "--dry-run")
        assert code in ends, errors
        assert code == 0 or errors.count("\n") == 1, errors
        assert "internal error" not in errors
        ends[code] += 1
    assert min(ends.values()) > n_trials // 10


def test_the_original_is_never_written(small: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    trap = small.with_name("Song-faderwise.RPP")
    trap.symlink_to(small)
    before = small.read_bytes()
    code, _, errors = run(capsys, "mix", str(small))
    assert (code, errors.count("\n")) == (2, 1)
    assert "is the project itself" in errors
    assert small.read_bytes() == before
