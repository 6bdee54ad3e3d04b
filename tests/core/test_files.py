"""Files appear whole or not at all, and what stood in their place is kept."""

from __future__ import annotations

import errno
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from analysis_server.runs import run_folder
from core.errors import DiskFullError
from core.files import content_hash, move_into_place, replacing, write_json, write_text
from core.models.model import load
from core.rpp.parser import read_document
from tests.expected_errors import raises_error

ROOT = Path(__file__).resolve().parents[2]
not_for_root = pytest.mark.skipif(hasattr(os, "geteuid") and os.geteuid() == 0, reason="root may write anywhere")


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_a_text_is_written_as_utf_8_with_lf(tmp_path: Path) -> None:
    write_text(tmp_path / "a.txt", "Flöte\nzwei\n")
    assert (tmp_path / "a.txt").read_bytes() == "Flöte\nzwei\n".encode()
    assert names(tmp_path) == ["a.txt"]


def test_missing_folders_are_made(tmp_path: Path) -> None:
    write_text(tmp_path / "new" / "deep" / "a.txt", "x")
    assert (tmp_path / "new" / "deep" / "a.txt").read_text() == "x"


def test_an_earlier_file_is_kept_under_its_time(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    path.write_text("old")
    os.utime(path, (1_000_000_000, 1_000_000_000))
    write_text(path, "new")
    assert path.read_text() == "new"
    (kept,) = [name for name in names(tmp_path) if name != "a.txt"]
    assert kept.startswith("a.2001")
    assert kept.endswith(".txt")
    assert (tmp_path / kept).read_text() == "old"


def test_two_files_of_the_same_second_are_both_kept(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    for content in ("first", "second", "third"):
        write_text(path, content)
        os.utime(path, (1_000_000_000, 1_000_000_000))
    write_text(path, "last")
    assert sorted(file.read_text() for file in tmp_path.iterdir()) == ["first", "last", "second", "third"]


def test_without_hard_links_the_old_file_is_kept_as_a_copy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def without_links(*_: object) -> None:
        raise OSError(errno.EPERM, "no links here")

    monkeypatch.setattr(Path, "hardlink_to", without_links)
    (tmp_path / "a.txt").write_text("old")
    write_text(tmp_path / "a.txt", "new")
    assert sorted(file.read_text() for file in tmp_path.iterdir()) == ["new", "old"]
    assert all(name.startswith("a.") for name in names(tmp_path))


def test_a_file_with_the_same_content_is_not_kept_twice(tmp_path: Path) -> None:
    for _ in range(3):
        write_text(tmp_path / "a.txt", "same")
    assert names(tmp_path) == ["a.txt"]


def test_the_old_file_is_dropped_on_request(tmp_path: Path) -> None:
    write_text(tmp_path / "a.txt", "old")
    write_text(tmp_path / "a.txt", "new", keep_old=False)
    assert names(tmp_path) == ["a.txt"]
    assert (tmp_path / "a.txt").read_text() == "new"


@pytest.mark.parametrize("reason", [KeyboardInterrupt, ValueError, MemoryError])
def test_an_interrupt_leaves_only_the_old_file(tmp_path: Path, reason: type[BaseException]) -> None:
    (tmp_path / "a.txt").write_text("old")
    with pytest.raises(reason), replacing(tmp_path / "a.txt") as temporary:
        temporary.write_text("half")
        raise reason
    assert names(tmp_path) == ["a.txt"]
    assert (tmp_path / "a.txt").read_text() == "old"


def test_the_old_file_exists_until_the_new_one_is_complete(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("old")
    with replacing(tmp_path / "a.txt") as temporary:
        temporary.write_text("new")
        assert (tmp_path / "a.txt").read_text() == "old"
        assert temporary.parent == tmp_path
        assert temporary.name.startswith(".")
    assert (tmp_path / "a.txt").read_text() == "new"


def test_numbers_that_json_cannot_represent_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="JSON compliant"):
        write_json(tmp_path / "a.json", {"x": float("nan")})
    assert names(tmp_path) == []
    write_json(tmp_path / "a.json", {"ü": [1, 2.5, None]})
    assert json.loads((tmp_path / "a.json").read_text(encoding="utf-8")) == {"ü": [1, 2.5, None]}


def test_a_file_in_place_of_the_folder_is_refused(tmp_path: Path) -> None:
    (tmp_path / "taken").write_text("a file")
    with raises_error(path="taken"):
        write_text(tmp_path / "taken" / "a.txt", "x")
    assert (tmp_path / "taken").read_text() == "a file"


def test_a_folder_in_place_of_the_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a.txt").mkdir()
    with raises_error(path="a.txt"):
        write_text(tmp_path / "a.txt", "x")
    assert names(tmp_path) == ["a.txt"]


@pytest.mark.skipif(os.name == "nt", reason="pipes with names are POSIX's")
def test_a_pipe_is_not_replaced(tmp_path: Path) -> None:
    pipe, made = tmp_path / "pipe.csv", tmp_path / "made.csv"
    os.mkfifo(pipe)
    made.write_text("made")
    with raises_error(path="pipe.csv"):
        write_text(pipe, "x")
    with raises_error(path="pipe.csv"):
        move_into_place(made, pipe)
    assert (pipe.is_fifo(), names(tmp_path)) == (True, ["made.csv", "pipe.csv"])


@not_for_root
def test_a_read_only_folder_is_refused(tmp_path: Path) -> None:
    tmp_path.chmod(0o500)
    try:
        with raises_error(path=tmp_path.name):
            write_text(tmp_path / "a.txt", "x")
    finally:
        tmp_path.chmod(0o700)


FULL_DISK = """
import resource, signal, sys
from pathlib import Path
from core.errors import DiskFullError
from core.files import write_text

signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (10_000, 10_000))
try:
    write_text(Path(sys.argv[1]), "x" * 50_000)
except DiskFullError as error:
    print(Path(error.path).name)
"""


@pytest.mark.skipif(os.name == "nt", reason="a limit on files' sizes stands in for a full disk")
def test_a_full_disk_leaves_the_old_file_and_is_reported(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("old")
    done = subprocess.run(  # noqa: S603 - this interpreter
        [sys.executable, "-c", FULL_DISK, str(tmp_path / "a.txt")],
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
        cwd=ROOT,
    )
    assert done.stdout == "a.txt\n"
    assert names(tmp_path) == ["a.txt"]
    assert (tmp_path / "a.txt").read_text() == "old"


LONGEST = "名" * 83 + "a.txt"
"""255 bytes, the longest name there can be."""


@pytest.mark.skipif(os.name == "nt", reason="Windows limits whole paths")
def test_a_name_that_is_too_long_is_refused_before_anything_is_written(tmp_path: Path) -> None:
    path = tmp_path / f"{'n' * 250}.longer"
    with raises_error(path=path.name), replacing(path):
        pytest.fail("the block began")
    assert list(tmp_path.iterdir()) == []


def test_the_longest_possible_name_is_written_and_the_old_file_kept(tmp_path: Path) -> None:
    path = tmp_path / LONGEST
    for content in ("one", "two", "three"):
        write_text(path, content)
        os.utime(path, (1_000_000_000, 1_000_000_000))
    assert path.read_text() == "three"
    assert sorted(file.read_text() for file in tmp_path.iterdir()) == ["one", "three", "two"]
    assert all(name.endswith(".txt") for name in names(tmp_path))


def test_an_impossible_modification_time_is_accepted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "a.txt").write_text("old")
    real = time.localtime

    def as_the_system(seconds: float | None = None) -> time.struct_time:
        if seconds is not None:
            raise OverflowError("timestamp out of range for platform time_t")
        return real()

    monkeypatch.setattr("core.files.time.localtime", as_the_system)
    write_text(tmp_path / "a.txt", "new")
    assert sorted(file.read_text() for file in tmp_path.iterdir()) == ["new", "old"]


def test_a_copy_that_does_not_fit_on_the_disk_is_removed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def half_copied(_source: Path, copy: Path) -> None:
        copy.write_text("ol")
        raise OSError(errno.ENOSPC, "No space left on device")

    def without_hard_links(_path: Path, _target: Path) -> None:
        raise OSError(errno.EPERM, "Operation not permitted")

    (tmp_path / "a.txt").write_text("old")
    monkeypatch.setattr("core.files.Path.hardlink_to", without_hard_links)
    monkeypatch.setattr("core.files.shutil.copy2", half_copied)
    with raises_error(DiskFullError, path="a.txt"):
        write_text(tmp_path / "a.txt", "new")
    assert names(tmp_path) == ["a.txt"]
    assert (tmp_path / "a.txt").read_text() == "old"


def test_a_finished_file_is_moved_into_place_and_the_old_one_kept(tmp_path: Path) -> None:
    (tmp_path / "made").write_text("new")
    (tmp_path / "a.txt").write_text("old")
    move_into_place(tmp_path / "made", tmp_path / "a.txt")
    assert (tmp_path / "a.txt").read_text() == "new"
    assert sorted(path.read_text() for path in tmp_path.iterdir()) == ["new", "old"]


def test_the_hash_of_a_file_is_sha_256(tmp_path: Path) -> None:
    (tmp_path / "abc").write_bytes(b"abc")
    assert content_hash(tmp_path / "abc") == ("sha256:ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad")


def test_json_is_indented_and_not_escaped(tmp_path: Path) -> None:
    write_json(tmp_path / "a.json", {"título": [1, 2.5]})
    assert (tmp_path / "a.json").read_text(encoding="utf-8") == '{\n "título": [\n  1,\n  2.5\n ]\n}\n'


@pytest.mark.skipif(os.name == "nt", reason="has no pipes among files")
@pytest.mark.parametrize("read", [read_document, load, lambda path: run_folder.read(path.parent)])
def test_a_pipe_is_not_waited_for(tmp_path: Path, read: Callable[[Path], object]) -> None:
    os.mkfifo(tmp_path / "run.json")
    with raises_error(path="run.json"):
        read(tmp_path / "run.json")
