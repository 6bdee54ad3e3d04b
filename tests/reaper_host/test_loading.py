"""Real project files are saved by the host byte for byte, and changes affect nothing else."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.reaper_host import ReaperHost
from tests.reaper_host.conftest import PROJECTS
from tests.reaper_host.envelope_points import Point

BUNDLED = [*sorted(PROJECTS.glob("*.rpp")), Path(__file__).parents[2] / "examples" / "caesium-session.RPP"]


def looked_through(host: ReaperHost, path: Path) -> bytes:
    """Open a project, look at everything the host takes apart, and return what it would save."""
    project = host.open(path)
    for track in project.tracks:
        assert track.guid.startswith("{")
        assert track.depth >= 0
        for envelope in track.envelopes:
            assert all(isinstance(point, Point) for point in envelope.points)
            envelope.sort()
    return project.to_bytes()


@pytest.mark.parametrize("path", BUNDLED, ids=lambda path: path.stem)
def test_a_bundled_project_is_saved_byte_for_byte(host: ReaperHost, path: Path) -> None:
    assert looked_through(host, path) == path.read_bytes()


def test_every_foreign_project_is_saved_byte_for_byte(host: ReaperHost, shared: Path) -> None:
    files = sorted(path for path in (shared / "rpp").iterdir() if path.suffix.lower() == ".rpp")
    assert len(files) >= 12
    assert [path.name for path in files if looked_through(host, path) != path.read_bytes()] == []


@pytest.mark.parametrize("path", BUNDLED, ids=lambda path: path.stem)
def test_what_was_saved_loads_again(host: ReaperHost, path: Path, tmp_path: Path) -> None:
    project = host.open(path)
    project.tracks[0].name = 'a "quoted" name'
    project.path = tmp_path / "again.rpp"
    saved = host.save()
    again = host.open(tmp_path / "again.rpp")
    assert again.tracks[0].name == 'a "quoted" name'
    assert again.to_bytes() == saved


def test_a_changed_fader_changes_one_word(host: ReaperHost, project_file: Path) -> None:
    before = project_file.read_bytes().split(b"\n")
    host.project.tracks[2].set("VOLPAN", 0, 0.5, "1 0 -1 -1 1")
    after = host.project.to_bytes().split(b"\n")
    changed = [(old, new) for old, new in zip(before, after, strict=True) if old != new]
    assert len(changed) == 1
    old, new = changed[0]
    assert old.split()[0] == b"VOLPAN"
    assert new.split()[1] == b"0.5"
    assert old.split()[2:] == new.split()[2:]
