"""Bad input: one line that names the file and the remedy, and nothing touched; or a repair that is told."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile

ROOT = Path(__file__).resolve().parents[2]
RATE = 44_100

Faderwise = Callable[..., Any]
Change = Callable[[Path], object]

not_for_root = pytest.mark.skipif(hasattr(os, "geteuid") and os.geteuid() == 0, reason="root may read anything")
posix = pytest.mark.skipif(os.name == "nt", reason="needs a POSIX system")


def contents(folder: Path) -> dict[str, bytes | None]:
    """Return every file and folder under `folder`, with the files' bytes."""
    return {
        str(path.relative_to(folder)): path.read_bytes() if path.is_file() else None
        for path in sorted(folder.rglob("*"))
    }


def samples_of(song: Path, name: str) -> Any:
    return soundfile.read(song / f"{name}.wav")[0]


def write(song: Path, name: str, samples: Any, *, rate: int = RATE, subtype: str = "FLOAT") -> None:
    soundfile.write(song / f"{name}.wav", samples, rate, subtype=subtype)


def is_refused(ran: Any, *words: str) -> None:
    assert ran.code == 2
    assert ran.out == ""
    (line,) = ran.err_lines
    assert line.startswith("faderwise: ")
    assert "Traceback" not in line
    for word in words:
        assert word in line


# Files that are no good


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
    "a header alone": (
        lambda song: write(song, "bass", np.zeros((0, 2))),
        ("bass.wav", "no samples", "export it again"),
    ),
    "truncated": (_truncate, ("bass.wav", "cut short", "export it again")),
    "truncated FLAC": (_truncate_flac, ("bass.flac", "export it again")),
    "NaN": (_put_in(np.nan), ("bass.wav", "no number at 1.00 s", "export it again")),
    "infinity": (_put_in(np.inf), ("bass.wav", "no number at 1.00 s", "export it again")),
    "garbage": (
        _replace(bytes(range(256)) * 40),
        ("bass.wav", "no audio that can be read", "export it as WAV or FLAC"),
    ),
    "a text": (_replace(b"RIFF, but only in name"), ("bass.wav", "export it as WAV or FLAC")),
    "two files for one role": (
        lambda song: (song / "kit.wav").write_bytes((song / "drums.wav").read_bytes()),
        ("tiny song", "drums.wav and kit.wav", "keep one of them"),
    ),
}


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


def test_a_path_of_another_alphabet_is_named_as_it_is(faderwise: Faderwise, tiny_song: Path) -> None:
    folder = tiny_song.rename(tiny_song.with_name("Ünïcode песня"))
    _truncate(folder)
    is_refused(faderwise("mix", folder), "Ünïcode песня", "bass.wav")


# Folders that are none


def test_a_missing_folder(faderwise: Faderwise) -> None:
    is_refused(faderwise("mix", "no such song"), "no such song", "give the folder that holds the stems")


def test_a_file_instead_of_a_folder(faderwise: Faderwise, tiny_song: Path) -> None:
    is_refused(faderwise("mix", tiny_song / "drums.wav"), "drums.wav", "give the folder that holds the stems")


def test_a_folder_without_stems(faderwise: Faderwise, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    is_refused(faderwise("mix", tmp_path / "empty"), "empty", "no stems found", "drums.wav")


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
        is_refused(faderwise(verb, tiny_song, "--out", out), "taken", "choose another with --out")
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
    is_refused(faderwise("mix", tiny_song, "--out", tmp_path / "closed"), "closed", "choose another with --out")


FULL_DISK = """
import resource, signal, sys
from analysis_server.command_line import main

signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (60_000, 60_000))
sys.exit(main())
"""


@posix
def test_a_full_disk_is_one_line_and_the_earlier_outcome_stands(
    faderwise: Faderwise, tiny_song: Path, tmp_path: Path
) -> None:
    assert faderwise("mix", tiny_song, "--out", tmp_path / "out").code == 0
    before = contents(tmp_path / "out")
    done = subprocess.run(  # noqa: S603 - this interpreter
        [sys.executable, "-c", FULL_DISK, "mix", str(tiny_song), "--out", str(tmp_path / "out"), "--range", "0:1"],
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )
    assert done.returncode == 2
    assert len(done.stderr.splitlines()) == 1
    assert "cannot be written" in done.stderr
    assert contents(tmp_path / "out") == before


# Words that make no sense


USAGE: dict[str, tuple[tuple[str, ...], tuple[str, ...]]] = {
    "nothing": ((), ("VERB", "--help")),
    "an unknown verb": (("remix", "SONG"), ("remix", "mix", "--help")),
    "no song": (("mix",), ("SONG_DIR", "mix --help")),
    "an unknown option": (("mix", "SONG", "--loud"), ("--loud", "--help")),
    "an option cut short": (("mix", "SONG", "--targ", "-14"), ("--targ",)),
    "a range that is none": (("mix", "SONG", "--range", "soon"), ("--range", "soon", "12.5:60")),
    "half a range": (("mix", "SONG", "--range", "3:"), ("--range", "3:", "12.5:60")),
    "a range backwards": (("mix", "SONG", "--range", "1:0.5"), ("--range", "1:0.5", "1.5 s", "later end")),
    "a range of nothing": (("mix", "SONG", "--range", "1:1"), ("--range", "later end")),
    "a range past the end": (("mix", "SONG", "--range", "60:70"), ("--range", "60:70", "lasts 1.5 s")),
    "a loudness that is none": (("mix", "SONG", "--target-lufs", "loud"), ("--target-lufs", "loud", "such as -14")),
    "a loudness above full scale": (("mix", "SONG", "--target-lufs", "5"), ("--target-lufs", "between -70 and 0")),
    "not a loudness": (("mix", "SONG", "--target-lufs", "nan"), ("--target-lufs", "nan")),
    "a bus without a file": (("mix", "SONG", "--bus", "vocals"), ("--bus", "vocals", "ROLE=FILE")),
    "a bus without a role": (("mix", "SONG", "--bus", "=drums.wav"), ("--bus", "ROLE=FILE")),
    "a bus whose file is missing": (("mix", "SONG", "--bus", "vocals=lead.wav"), ("lead.wav", "no such file")),
    "the mixdown as a bus": (("mix", "SONG", "--bus", "master=drums.wav"), ("--bus master", "no bus's role")),
    "a bus given twice": (
        ("mix", "SONG", "--bus", "fx=drums.wav", "--bus", "fx=bass.wav"),
        ("--bus fx", "given twice", "sum them first"),
    ),
    "a bus given twice by two names": (
        ("mix", "SONG", "--bus", "vocals=drums.wav", "--bus", "vox=bass.wav"),
        ("given twice",),
    ),
    "an unknown model": (("mix", "SONG", "--model", "hers"), ("hers", "equal-level")),
    "a model file that is missing": (("mix", "SONG", "--model", "./hers.json"), ("hers.json", "give a model file")),
    "an unspeakable model": (("mix", "SONG", "--model", "a?b"), ("a?b", "cannot be a model's name")),
    "a table of unknown kind": (("estimate", "SONG", "--out", "gains.xlsx"), ("gains.xlsx", ".csv or .npz")),
    "features of unknown kind": (("features", "SONG", "--out", "features"), ("features", ".csv or .npz")),
    "an unknown preset": (("estimate", "SONG", "--out", "g.csv", "--preset", "mine"), ("--preset", "mine", "paper")),
    "a domain the paper lacks": (
        ("estimate", "SONG", "--out", "g.csv", "--preset", "paper", "--domain", "power"),
        ("--domain power", "leave --domain out"),
    ),
    "features the paper lacks": (
        ("features", "SONG", "--out", "f.csv", "--preset", "paper", "--features", "condition3"),
        ("condition3", "--preset default"),
    ),
    "no file to write": (("estimate", "SONG"), ("--out",)),
    "no action": (("models", "rename"), ("rename", "list")),
    "no such model to show": (("models", "show", "hers"), ("hers", "equal-level")),
    "no such file to import": (("models", "import", "hers.json"), ("hers.json", "give a model file")),
    "a dataset that is none": (("evaluate", "nowhere"), ("nowhere",)),
}


@pytest.mark.parametrize("case", USAGE)
def test_words_that_make_no_sense_are_answered_in_one_line(
    faderwise: Faderwise, tiny_song: Path, tmp_path: Path, case: str
) -> None:
    words, expected = USAGE[case]
    before = contents(tiny_song)
    is_refused(faderwise(*(str(tiny_song) if word == "SONG" else word for word in words)), *expected)
    assert contents(tiny_song) == before
    assert contents(tmp_path / "work") == {}


@pytest.mark.parametrize("text", ["", "not JSON", "[1, 2]", '{"format": "faderwise-model", "version": 99}'])
def test_a_file_that_is_no_model_is_refused(faderwise: Faderwise, tiny_song: Path, text: str) -> None:
    Path("mine.json").write_text(text)
    is_refused(faderwise("mix", tiny_song, "--model", "./mine.json"), "mine.json", ";")


# Repairs


def mixed_with_warning(ran: Any, *words: str) -> None:
    assert ran.code == 0
    warnings = [line for line in ran.err_lines if line.startswith("faderwise: warning: ")]
    assert len(warnings) == len(ran.err_lines)
    assert any(all(word in warning for word in words) for warning in warnings)


def _resample(song: Path) -> None:
    write(song, "vocals", np.sin(np.arange(72_000))[:, None] * [0.1, 0.1], rate=48_000)


def _clip(song: Path) -> None:
    write(song, "bass", np.clip(samples_of(song, "bass") * 20.0, -1.0, 1.0), subtype="PCM_16")


REPAIRS: dict[str, tuple[Change, tuple[str, ...]]] = {
    "another rate": (_resample, ("vocals.wav", "resampled from 48000 to 44100 Hz")),
    "shorter": (lambda song: write(song, "bass", samples_of(song, "bass")[:RATE]), ("bass.wav", "0.5 s shorter")),
    "clipped": (_clip, ("bass.wav", "clipped", "lower level")),
    "silent": (lambda song: write(song, "bass", np.zeros((RATE * 3 // 2, 2))), ("bass.wav", "silent", "held")),
    "mono": (lambda song: write(song, "bass", samples_of(song, "bass")[:, 0]), ("bass.wav", "one channel")),
    "an unknown name": (lambda song: write(song, "hum", samples_of(song, "bass")), ("hum.wav", "--bus ROLE=hum.wav")),
}


@pytest.mark.parametrize("verb", ["mix", "match"])
@pytest.mark.parametrize("repair", REPAIRS)
def test_a_repair_is_told_and_the_work_done(
    faderwise: Faderwise, tiny_song: Path, tmp_path: Path, repair: str, verb: str
) -> None:
    change, words = REPAIRS[repair]
    change(tiny_song)
    before = contents(tiny_song)
    mixed_with_warning(faderwise(verb, tiny_song, "--out", tmp_path / "out"), *words)
    samples, rate = soundfile.read(tmp_path / "out" / "mix.wav")
    assert (len(samples), rate) == (RATE * 3 // 2, RATE)
    assert np.isfinite(samples).all()
    assert np.abs(samples).max() > 0.01
    assert contents(tiny_song) == before


def test_a_missing_bus_is_no_mistake(faderwise: Faderwise, tiny_song: Path, tmp_path: Path) -> None:
    (tiny_song / "bass.wav").unlink()
    ran = faderwise("mix", tiny_song, "--out", tmp_path / "out")
    assert (ran.code, ran.err) == (0, "")
    assert "drums" in ran.out
    assert "bass" not in ran.out


def test_a_stem_upside_down_in_the_mixdown_is_turned_back(
    faderwise: Faderwise, tiny_song: Path, tmp_path: Path
) -> None:
    write(tiny_song, "mix", 0.5 * samples_of(tiny_song, "drums") - 0.7 * samples_of(tiny_song, "bass"))
    mixed_with_warning(faderwise("match", tiny_song, "--out", tmp_path / "out"), "bass", "polarity is flipped")


def test_a_mono_mixdown_is_fitted_by_the_stems_mean(faderwise: Faderwise, tiny_song: Path, tmp_path: Path) -> None:
    write(tiny_song, "mix", samples_of(tiny_song, "mix").mean(axis=1))
    mixed_with_warning(faderwise("match", tiny_song, "--out", tmp_path / "out"), "mixdown is mono")


def test_a_mixdown_of_another_song_is_told(faderwise: Faderwise, tiny_song: Path, tmp_path: Path) -> None:
    write(tiny_song, "mix", np.random.default_rng(0).normal(size=(RATE, 2)) * 0.1)
    mixed_with_warning(faderwise("match", tiny_song, "--out", tmp_path / "out"), "does not seem to come from")


@pytest.mark.parametrize("verb", ["mix", "match"])
def test_a_song_of_silence_alone_is_no_crash(faderwise: Faderwise, tiny_song: Path, tmp_path: Path, verb: str) -> None:
    for name in ("drums", "bass"):
        write(tiny_song, name, np.zeros((RATE, 2)))
    ran = faderwise(verb, tiny_song, "--out", tmp_path / "out")
    assert ran.code == 0
    assert "drums.wav is silent throughout" in ran.err


@pytest.mark.parametrize("seconds", [0.001, 0.05, 0.3])
@pytest.mark.parametrize("verb", ["mix", "match"])
def test_a_song_shorter_than_a_frame_is_a_song(
    faderwise: Faderwise, tiny_song: Path, tmp_path: Path, verb: str, seconds: float
) -> None:
    for name in ("drums", "bass", "mix"):
        write(tiny_song, name, samples_of(tiny_song, name)[: int(seconds * RATE)])
    ran = faderwise(verb, tiny_song, "--out", tmp_path / "out")
    assert ran.code == 0
    assert "nan" not in ran.out
    assert soundfile.info(tmp_path / "out" / "mix.wav").frames == int(seconds * RATE)
