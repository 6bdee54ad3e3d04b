"""Bad files and folders: one line that names the file and the remedy, and nothing touched."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import soundfile

from tests.analysis_server.bad_input import RATE, ROOT, Change, Faderwise, contents, is_refused, samples_of, write
from tests.reaper.studio import small_session

not_for_root = pytest.mark.skipif(hasattr(os, "geteuid") and os.geteuid() == 0, reason="root may read anything")
posix = pytest.mark.skipif(os.name == "nt", reason="needs a POSIX system")


# Damaged files


def _truncate(song: Path) -> None:
    path = song / "bass.wav"
    path.write_bytes(path.read_bytes()[:-30_000])


def _truncate_flac(song: Path) -> None:
    soundfile.write(song / "bass.flac", samples_of(song, "bass"), RATE)
    (song / "bass.wav").unlink()
    (song / "bass.flac").write_bytes((song / "bass.flac").read_bytes()[:-20_000])


def _put_in(value: float) -> Change:
    def change(song: Path) -> None:
        samples = samples_of(song, "bass")
        samples[RATE, 0] = value
        write(song, "bass", samples)

    return change


def _replace(content: bytes) -> Change:
    return lambda song: (song / "bass.wav").write_bytes(content)


DAMAGE: dict[str, tuple[Change, tuple[str, ...]]] = {
    "empty": (_replace(b""), ("bass.wav", "is empty", "export it again")),
    "only a header": (
        lambda song: write(song, "bass", np.zeros((0, 2))),
        ("bass.wav", "no samples", "export it again"),
    ),
    "truncated": (_truncate, ("bass.wav", "cut short", "export it again")),
    "truncated FLAC": (_truncate_flac, ("bass.flac", "export it again")),
    "NaN": (_put_in(np.nan), ("bass.wav", "not a number at 1.00 s", "export it again")),
    "NaN throughout": (
        lambda song: write(song, "bass", np.full((5 * RATE, 2), np.nan)),
        ("bass.wav", "not a number at 0.00 s", "export it again"),
    ),
    "infinity": (_put_in(np.inf), ("bass.wav", "not a number at 1.00 s", "export it again")),
    "garbage": (
        _replace(bytes(range(256)) * 40),
        ("bass.wav", "is not audio that can be read", "export it as WAV or FLAC"),
    ),
    "a text": (_replace(b"RIFF, but only in name"), ("bass.wav", "export it as WAV or FLAC")),
    "two formats of one file": (
        lambda song: (song / "drums.wave").write_bytes((song / "drums.wav").read_bytes()),
        ("tiny song", "drums.wav and drums.wave", "keep one of them"),
    ),
}


@pytest.mark.parametrize(
    ("given", "meant"), [("Night Tran", "Night Train"), ("caesium-session.rpp", "caesium-session.RPP")]
)
def test_a_misspelled_path_is_suggested(faderwise: Faderwise, tmp_path: Path, given: str, meant: str) -> None:
    (tmp_path / "Night Train").mkdir()
    (tmp_path / "caesium-session.RPP").touch()
    if (tmp_path / given).exists():
        pytest.skip("the file system ignores case")
    ran = faderwise("mix", tmp_path / given)
    assert ran.code == 2 and f"did you mean {tmp_path / meant}?" in ran.err


@pytest.mark.parametrize("verb", ["mix", "estimate"])
@pytest.mark.parametrize("damage", DAMAGE)
def test_a_damaged_file_is_named_with_its_remedy(
    faderwise: Faderwise, tiny_song: Path, tmp_path: Path, damage: str, verb: str
) -> None:
    change, words = DAMAGE[damage]
    change(tiny_song)
    before = contents(tiny_song)
    out = tmp_path / "out"
    is_refused(faderwise(verb, tiny_song, "--out", out / "gains.csv" if verb == "estimate" else out), *words)
    assert contents(tiny_song) == before
    assert not out.exists() or contents(out) == {}


@pytest.mark.parametrize("verb", ["match", "learn", "features"])
def test_every_verb_refuses_a_truncated_file(faderwise: Faderwise, tiny_song: Path, verb: str) -> None:
    _truncate(tiny_song)
    options = {"match": (), "learn": ("--model", "mine"), "features": ("--out", "f.csv")}[verb]
    is_refused(faderwise(verb, tiny_song, *options), "bass.wav", "export it again")
    assert list(Path.cwd().iterdir()) == []


@pytest.mark.parametrize("damage", ["NaN", "truncated", "garbage"])
def test_a_damaged_mixdown_is_named_too(faderwise: Faderwise, tiny_song: Path, damage: str) -> None:
    (tiny_song / "bass.wav").rename(tiny_song / "kept")
    (tiny_song / "mix.wav").rename(tiny_song / "bass.wav")
    DAMAGE[damage][0](tiny_song)
    (tiny_song / "bass.wav").rename(tiny_song / "mix.wav")
    (tiny_song / "kept").rename(tiny_song / "bass.wav")
    is_refused(faderwise("match", tiny_song), "mix.wav", ";")


def test_a_silent_mixdown_is_refused(faderwise: Faderwise, tiny_song: Path) -> None:
    write(tiny_song, "mix", np.zeros((RATE, 2)))
    is_refused(faderwise("match", tiny_song), "mix.wav", "silent", "export it again")


@not_for_root
def test_a_file_that_may_not_be_read_is_named(faderwise: Faderwise, tiny_song: Path) -> None:
    (tiny_song / "bass.wav").chmod(0)
    is_refused(faderwise("mix", tiny_song), "bass.wav")


def test_a_path_in_another_alphabet_is_shown_unchanged(faderwise: Faderwise, tiny_song: Path) -> None:
    folder = tiny_song.rename(tiny_song.with_name("Ünïcode песня"))
    _truncate(folder)
    is_refused(faderwise("mix", folder), "Ünïcode песня", "bass.wav")


# Invalid folders


def test_a_missing_folder(faderwise: Faderwise) -> None:
    is_refused(faderwise("mix", "no such song"), "no such song", "give the folder that contains the stems")


def test_a_file_instead_of_a_folder(faderwise: Faderwise, tiny_song: Path) -> None:
    for verb in ("mix", "match", "buses"):
        refused = faderwise(verb, tiny_song / "drums.wav")
        is_refused(refused, "drums.wav", "is a file", "give the folder that contains it")


def test_a_file_that_is_not_audio(faderwise: Faderwise, tiny_song: Path) -> None:
    (tiny_song / "README.md").write_text("About this song")
    for verb in ("mix", "match", "buses"):
        is_refused(faderwise(verb, tiny_song / "README.md"), "README.md", "is neither a folder of audio files")


def test_an_output_folder_with_the_stems_of_another_song(faderwise: Faderwise, tiny_song: Path) -> None:
    other = tiny_song.with_name("other")
    shutil.copytree(tiny_song, other)
    before = sorted(path.name for path in other.iterdir())
    for verb in ("mix", "match"):
        is_refused(faderwise(verb, tiny_song, "--out", other), "other", "--out", "choose another folder")
    assert sorted(path.name for path in other.iterdir()) == before


def test_a_folder_without_stems(faderwise: Faderwise, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    for verb in ("mix", "buses"):
        is_refused(faderwise(verb, tmp_path / "empty"), "empty", "no stems found", "drums.wav")


@pytest.mark.parametrize("verb", ["mix", "match", "buses"])
def test_a_folder_of_projects(faderwise: Faderwise, tmp_path: Path, verb: str) -> None:
    for name in ("b.RPP", "a.rpp"):
        (tmp_path / name).write_text("<REAPER_PROJECT 0.1\n>\n")
    is_refused(faderwise(verb, tmp_path), tmp_path.name, "contains 2 projects", str(tmp_path / "a.rpp"))


@pytest.mark.parametrize("verb", ["match", "estimate", "learn"])
def test_a_song_without_its_mixdown(faderwise: Faderwise, tiny_song: Path, verb: str) -> None:
    (tiny_song / "mix.wav").unlink()
    options = {"match": (), "learn": ("--model", "mine"), "estimate": ("--out", "gains.csv")}[verb]
    is_refused(faderwise(verb, tiny_song, *options), "tiny song", "add it as mix.wav")


def test_a_mixdown_that_is_named_and_missing(faderwise: Faderwise, tiny_song: Path) -> None:
    is_refused(faderwise("match", tiny_song, "--mixdown", "rough.wav"), "rough.wav", "no such file")


@pytest.mark.parametrize("verb", ["mix", "match"])
def test_an_output_folder_whose_place_a_file_takes(
    faderwise: Faderwise, tiny_song: Path, tmp_path: Path, verb: str
) -> None:
    (tmp_path / "taken").write_text("mine")
    for out in (tmp_path / "taken", tmp_path / "taken" / "below"):
        is_refused(faderwise(verb, tiny_song, "--out", out), "taken", "choose another folder")
    assert (tmp_path / "taken").read_text() == "mine"


@pytest.mark.parametrize("verb", ["estimate", "features"])
def test_an_output_file_whose_place_a_folder_takes(
    faderwise: Faderwise, tiny_song: Path, tmp_path: Path, verb: str
) -> None:
    (tmp_path / "taken.csv").mkdir()
    is_refused(faderwise(verb, tiny_song, "--out", tmp_path / "taken.csv"), "taken.csv", "cannot be written")
    assert contents(tmp_path / "taken.csv") == {}


@not_for_root
def test_an_output_folder_that_may_not_be_written_to(faderwise: Faderwise, tiny_song: Path, tmp_path: Path) -> None:
    (tmp_path / "closed").mkdir(mode=0o500)
    is_refused(faderwise("mix", tiny_song, "--out", tmp_path / "closed"), "closed", "choose another folder")


@pytest.mark.skipif(sys.platform != "linux", reason="where names are bytes")
@pytest.mark.parametrize("verb", ["mix", "match", "estimate", "learn"])
def test_a_folder_whose_name_is_not_text_is_refused(
    faderwise: Faderwise, tiny_song: Path, tmp_path: Path, verb: str
) -> None:
    song = tiny_song.rename(Path(os.fsdecode(os.fsencode(tiny_song.parent) + b"/M\xfcsik")))
    out = ("--model", tmp_path / "m.json") if verb == "learn" else ("--out", tmp_path / "g.csv")
    is_refused(faderwise(verb, song, *out), r"M\udcfcsik", "rename it")
    assert {path.name for path in tmp_path.iterdir()} <= {song.name, "work"}


@pytest.mark.skipif(sys.platform == "win32", reason="making links is an administrator's there")
def test_a_link_to_itself_where_the_copy_would_be_is_named(faderwise: Faderwise, tmp_path: Path) -> None:
    session = small_session(tmp_path / "session")
    loop = session.with_name(f"{session.stem}-faderwise.RPP")
    loop.symlink_to(loop.name)
    ran = faderwise("mix", session)
    assert ran.code == 0, ran.err
    assert session.is_file()


FULL_DISK = """
import resource, signal, sys
from analysis_server.cli import main

sys.dont_write_bytecode = True  # the limit would cut short the bytecode of modules that are imported for the first time
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (60_000, 60_000))
sys.exit(main())
"""


@posix
def test_a_full_disk_is_reported_in_one_line_and_the_earlier_result_is_kept(
    faderwise: Faderwise, tiny_song: Path, tmp_path: Path
) -> None:
    assert faderwise("mix", tiny_song, "--out", tmp_path / "out").code == 0
    before = contents(tmp_path / "out")
    done = subprocess.run(  # noqa: S603 - this interpreter
        [sys.executable, "-c", FULL_DISK, "mix", str(tiny_song), "--out", str(tmp_path / "out"), "--range", "0:1"],
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )
    assert done.returncode == 1  # the input is right
    assert len(done.stderr.splitlines()) == 1
    assert "cannot be written: the disk is full" in done.stderr
    assert contents(tmp_path / "out") == before
