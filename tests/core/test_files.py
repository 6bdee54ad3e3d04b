"""Files are written completely or not at all, and previous files are kept."""

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
from core.errors import DiskFullError, InputError
from core.files import (
    content_hash,
    move_into_place,
    recover,
    replacing,
    replacing_set,
    workshop,
    write_json,
    write_text,
)
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
        assert temporary.parent.parent == tmp_path
        assert temporary.parent.name.startswith(".faderwise-")
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
from core.errors import DiskFullError, InputError
from core.files import write_text

signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (10_000, 10_000))
try:
    write_text(Path(sys.argv[1]), "x" * 50_000)
except DiskFullError as error:
    print(Path(error.path).name)
"""


@pytest.mark.skipif(os.name == "nt", reason="a file size limit simulates a full disk")
def test_a_full_disk_leaves_the_old_file_and_is_reported(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("old")
    done = subprocess.run(  # noqa: S603 - this interpreter
        [sys.executable, "-c", FULL_DISK, str(tmp_path / "a.txt")],
        capture_output=True,
        text=True,
        check=True,
        timeout=300,
        cwd=ROOT,
    )
    assert done.stdout == "a.txt\n"
    assert names(tmp_path) == ["a.txt"]
    assert (tmp_path / "a.txt").read_text() == "old"


LONGEST = "名" * 83 + "a.txt"
"""255 bytes, the longest name there can be."""


@pytest.mark.skipif(os.name == "nt", reason="Windows limits whole paths")
def test_a_name_that_is_too_long_is_refused_before_writing(tmp_path: Path) -> None:
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


def put(folder: Path, name: str, text: str) -> Path:
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return path


def contents(folder: Path) -> dict[str, str]:
    return {path.relative_to(folder).as_posix(): path.read_text() for path in folder.rglob("*") if path.is_file()}


def replace_both(tmp_path: Path, text: str) -> None:
    """Replace a file in one folder and a file in another one as a set."""
    with replacing_set(tmp_path / "out") as files:
        files.new(tmp_path / "out" / "a.txt", keep_old=False).write_text(text)
        files.new(tmp_path / "copy" / "b.txt", keep_old=False).write_text(text)


def test_a_set_of_files_in_two_folders_is_replaced(tmp_path: Path) -> None:
    for text in ("old", "new"):
        replace_both(tmp_path, text)
        assert contents(tmp_path) == {"out/a.txt": text, "copy/b.txt": text}


def test_files_that_a_set_replaces_are_kept(tmp_path: Path) -> None:
    path = put(tmp_path, "a.txt", "old")
    os.utime(path, (1_000_000_000, 1_000_000_000))
    with replacing_set(tmp_path) as files:
        files.new(path).write_text("new")
    assert sorted(contents(tmp_path).values()) == ["new", "old"]


@pytest.mark.parametrize("reason", [KeyboardInterrupt, ValueError, MemoryError])
def test_an_interrupted_set_changes_nothing(tmp_path: Path, reason: type[BaseException]) -> None:
    replace_both(tmp_path, "old")
    with pytest.raises(reason), replacing_set(tmp_path / "out") as files:
        files.new(tmp_path / "out" / "a.txt").write_text("new")
        raise reason
    assert contents(tmp_path) == {"out/a.txt": "old", "copy/b.txt": "old"}


def test_an_interrupted_set_removes_the_folders_it_created(tmp_path: Path) -> None:
    with pytest.raises(KeyboardInterrupt), replacing_set(tmp_path / "new" / "out"):
        raise KeyboardInterrupt
    assert names(tmp_path) == []


def test_a_set_with_a_file_that_cannot_be_replaced_changes_no_file(tmp_path: Path) -> None:
    put(tmp_path, "a.txt", "old")
    (tmp_path / "b.txt").mkdir()
    with raises_error(path="b.txt"), replacing_set(tmp_path) as files:
        files.new(tmp_path / "a.txt").write_text("new")
        files.new(tmp_path / "b.txt").write_text("new")
    assert contents(tmp_path) == {"a.txt": "old"}


@pytest.mark.parametrize("nth", [0, 1])
def test_a_set_is_rolled_back_if_a_rename_fails(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, nth: int) -> None:
    replace_both(tmp_path, "old")
    renames: list[Path] = []
    replace = Path.replace

    def failing(path: Path, target: Path) -> Path:
        if Path(target).suffix == ".txt":
            renames.append(path)
            if len(renames) == nth + 1:
                raise OSError(errno.EIO, "no")
        return replace(path, target)

    monkeypatch.setattr(Path, "replace", failing)
    with pytest.raises(InputError):
        replace_both(tmp_path, "new")
    assert contents(tmp_path) == {"out/a.txt": "old", "copy/b.txt": "old"}


_KILLED = """
import os, sys
from pathlib import Path
from core.files import replacing_set
count, stop = 0, int(sys.argv[2])
def count_calls(name, module):
    original = getattr(module, name)
    def counted(*arguments, **options):
        global count
        count += 1
        if count == stop:
            os._exit(9)
        return original(*arguments, **options)
    setattr(module, name, counted)
for name in ("replace", "link", "rename", "mkdir", "unlink", "fsync", "rmdir", "open"):
    count_calls(name, os)
out, copy = Path(sys.argv[1]) / "out", Path(sys.argv[1]) / "copy"
with replacing_set(out) as files:
    files.new(out / "a.txt", keep_old=False).write_text("new")
    files.new(copy / "b.txt", keep_old=False).write_text("new")
    files.move(out / "a.txt", out / "runs" / "1" / "a.txt")
    files.move(out / "page.html", out / "runs" / "1" / "page.html")
print(count)
"""


def _run_killed(folder: Path, stop: int) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-c", _KILLED, str(folder), str(stop)]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)  # noqa: S603 - our own code


def test_a_kill_at_any_system_call_leaves_the_old_or_the_new_set(tmp_path: Path) -> None:
    replace_both(tmp_path / "whole", "old")
    put(tmp_path / "whole", "out/page.html", "old")
    n_calls = int(_run_killed(tmp_path / "whole", 0).stdout)
    outcomes = set()
    for stop in range(1, n_calls + 1):
        folder = tmp_path / str(stop)
        replace_both(folder, "old")
        put(folder, "out/page.html", "old")
        assert _run_killed(folder, stop).returncode == 9
        for name in ("copy", "out"):
            recover(folder / name)
        found = contents(folder)
        old = {"out/a.txt": "old", "copy/b.txt": "old", "out/page.html": "old"}
        kept = {"out/runs/1/a.txt": "old", "out/runs/1/page.html": "old"}
        assert found in (old, {"out/a.txt": "new", "copy/b.txt": "new", **kept}), (stop, found)
        outcomes.add(found["out/a.txt"])
    assert outcomes == {"old", "new"}


def test_a_temporary_folder_in_use_is_not_cleared(tmp_path: Path) -> None:
    with workshop(tmp_path) as made:
        put(made, "a.txt", "in use")
        recover(tmp_path)
        assert contents(made)["a.txt"] == "in use"


def test_a_foreign_journal_cannot_name_files_elsewhere(tmp_path: Path) -> None:
    target = put(tmp_path, "home/a.txt", "mine")
    made = tmp_path / "song" / ".faderwise-01234567"
    entries = [
        {"workshop": str(tmp_path / "home"), "name": "a.txt", "existed": True, "keep_as": None, "is_new": True},
        {"workshop": "", "name": "../../home/a.txt", "existed": True, "keep_as": None, "is_new": True},
    ]
    put(made, ".owner", "")
    put(made, ".token", "t")
    put(made, "a.txt", "theirs")
    put(made, ".commit.json", json.dumps({"token": "t", "entries": entries}))
    recover(tmp_path / "song")
    assert target.read_text() == "mine"
    assert not made.exists()
