"""Projects that REAPER reads are read as REAPER reads them."""

from __future__ import annotations

import pytest

from core.errors import InputError
from core.rpp.project import read_project
from tests.cases.reaper_reader import FOLDER


@pytest.mark.parametrize(
    ("name", "volume"),
    [
        ("edge_comma_decimals", 0.5),
        ("edge_vol_hex", 1.0),
        ("edge_trailing_after_project", 1.0),
        ("edge_quoted_block_open", 1.0),
    ],
)
def test_a_fader_is_read_as_reaper_reads_it(name: str, volume: float) -> None:
    project = read_project(FOLDER / f"{name}.RPP")
    assert [(track.name, track.volume) for track in project.tracks] == [("Drums", volume)]


def test_a_quoted_name_that_begins_with_a_number_sign_is_a_name() -> None:
    assert read_project(FOLDER / "edge_hash_name.RPP").tracks[0].name == "#1 Drums"


def test_a_project_that_ends_in_the_middle_is_an_error() -> None:
    with pytest.raises(InputError) as caught:
        read_project(FOLDER / "edge_truncated.RPP")
    assert caught.value.path == str(FOLDER / "edge_truncated.RPP")


@pytest.mark.parametrize("path", sorted(FOLDER.iterdir()), ids=lambda path: path.stem)
def test_every_small_project_is_written_byte_for_byte(path) -> None:  # type: ignore[no-untyped-def]
    if path.stem != "edge_truncated":
        assert read_project(path).document.to_bytes() == path.read_bytes()
