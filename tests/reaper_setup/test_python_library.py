"""Python's shared library: its processor, the choice among several, and its version."""

from __future__ import annotations

import os
import platform
import struct
import subprocess
import sys
from pathlib import Path

import pytest

from analysis_server.reaper_setup.find_reaper import (
    Library,
    best_library,
    library_at,
    processors_of,
    wanted_processors,
)

ELF_ARM64 = b"\x7fELF\x02\x01" + bytes(12) + struct.pack("<H", 183) + bytes(44)
MACH_X86_64 = b"\xcf\xfa\xed\xfe" + struct.pack("<I", 0x01000007) + bytes(64)
FAT = b"\xca\xfe\xba\xbe" + struct.pack(">I", 2) + struct.pack(">IIIII", 0x01000007, 3, 0, 0, 0)
FAT += struct.pack(">IIIII", 0x0100000C, 0, 0, 0, 0)
PE_X86 = b"MZ" + bytes(58) + struct.pack("<I", 64) + b"PE\0\0" + struct.pack("<H", 0x14C) + bytes(64)


@pytest.mark.parametrize(
    ("content", "processors"),
    [
        (ELF_ARM64, {"arm64"}),
        (MACH_X86_64, {"x86_64"}),
        (FAT, {"x86_64", "arm64"}),
        (PE_X86, {"x86"}),
        (b"", set()),
        (b"MZ", set()),
        (b"\x7fELF", set()),
        (b"#!/bin/sh\nexit\n", set()),
    ],
)
def test_processors_are_read_from_the_first_bytes(content: bytes, processors: set[str], tmp_path: Path) -> None:
    file = tmp_path / "library"
    file.write_bytes(content)
    assert processors_of(file) == processors


@pytest.mark.skipif(sys.platform == "win32", reason="has no pipes among files")
def test_a_pipe_is_not_opened(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "libpython3.11.so")
    assert library_at(tmp_path / "libpython3.11.so") is None


def test_an_invalid_path_is_not_a_library() -> None:
    assert library_at(Path("/usr/lib\0/libpython3.11.so")) is None


def test_this_python_is_built_for_this_machine() -> None:
    same = {"amd64": "x86_64", "aarch64": "arm64"}
    machine = platform.machine().lower()
    assert processors_of(Path(sys.executable).resolve()) == {same.get(machine, machine)} == wanted_processors([])


def test_reapers_processor_has_priority_over_the_machines(tmp_path: Path) -> None:
    program = tmp_path / "reaper"
    program.write_bytes(ELF_ARM64)
    assert wanted_processors([program]) == {"arm64"}


@pytest.mark.parametrize(
    ("name", "version"),
    [
        ("libpython3.11.so.1.0", (3, 11)),
        ("libpython3.9.dylib", (3, 9)),
        ("python312.dll", (3, 12)),
        ("Python.framework/Versions/3.13/Python", (3, 13)),
        ("libpython3.so", None),
        ("libpython3.13t.so", None),
        ("python3.dll", None),
        ("libother.so", None),
    ],
)
def test_the_version_is_read_from_the_name(name: str, version: tuple[int, int] | None, tmp_path: Path) -> None:
    file = tmp_path / name
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(ELF_ARM64)
    found = library_at(file)
    assert (found.version if found else None) == version


def test_an_old_library_or_another_processor_does_not_suit() -> None:
    library = Library(Path("libpython3.7.so"), (3, 7), frozenset({"arm64"}))
    assert not library.suits(frozenset({"arm64"}))
    newer = Library(Path("libpython3.8.so"), (3, 8), frozenset({"arm64"}))
    assert newer.suits(frozenset({"arm64"}))
    assert not newer.suits(frozenset({"x86_64"}))


def test_the_chosen_library_has_an_interpreter_of_its_version() -> None:
    library = best_library(wanted_processors([]))
    if library is None:
        pytest.skip("this machine has no shared library of Python")
    interpreter = library.interpreter()
    assert interpreter is not None
    code = "import sys; print(*sys.version_info[:2])"
    output = subprocess.run([interpreter, "-I", "-c", code], capture_output=True, text=True, check=True).stdout  # noqa: S603 - a list
    assert tuple(map(int, output.split())) == library.version
