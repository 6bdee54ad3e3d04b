"""Reports about a project: what its sum leaves out, the list of tracks, and remedies."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest

from core.automation.points import EnvelopePoints
from core.errors import InputError
from core.rpp.buses import track_called
from core.rpp.faders import feeds_of, group_notes, moves_apart
from core.rpp.parser import parse
from core.rpp.project import Project, is_relative, project_of
from core.rpp.render import has_sound, sentences
from core.rpp.write import with_envelopes
from tests.expected_errors import raises_error

FLAT = EnvelopePoints(np.array([0.0]), np.array([-6.0]))


def project(*tracks: str) -> Project:
    content = "\n".join(['<REAPER_PROJECT 0.1 "7.0/linux" 1', *tracks, ">", ""])
    return project_of(parse(content.encode(), Path("song.rpp")))


def track(*lines: str, name: str = "Drums") -> str:
    return "\n".join(["<TRACK {G}", f'NAME "{name}"', *lines, ">"])


def item(*lines: str, source: str = "<SOURCE WAVE\nFILE a.wav\n>") -> str:
    return "\n".join(["<ITEM", "POSITION 0", "LENGTH 2", *lines, source, ">"])


def told_of(*tracks: str) -> list[str]:
    found = project(*tracks)
    return sentences(found, found.tracks, ())


def test_fixed_lanes_are_reported() -> None:
    assert told_of(track("FREEMODE 2")) == [
        "left out of the sum of the media: lanes (all of them are summed): lanes on track 1 'Drums'"
    ]
    assert told_of(track("FREEMODE 1")) == []


def test_repeated_entries_are_counted() -> None:
    chain = (
        '<FXCHAIN\n<VST "VST: Echo: Long (Maker)" a.so\n>\n<VST "VST: Echo: Long (Maker)" a.so\n>\n<JS gate ""\n>\n>'
    )
    assert told_of(track(chain)) == [
        "left out of the sum of the media: plug-ins: Echo: Long (Maker) (2), gate on track 1 'Drums'"
    ]


def test_a_plug_in_of_several_words_keeps_them() -> None:
    chain = '<FXCHAIN\n<CONTAINER "My vocal chain" ""\n>\n<CLAP "CLAP: Big Room (Maker)" x\n>\n<JS "" "Soft gate"\n>\n>'
    assert told_of(track(chain)) == [
        "left out of the sum of the media: plug-ins: My vocal chain, Big Room (Maker), Soft gate on track 1 'Drums'"
    ]


@pytest.mark.parametrize(
    ("name", "reported"),
    [("MUTEENV", "mute envelope"), ("PANENV", "pan envelope"), ("WIDTHENV2", "pan envelope"), ("VOLENV2", None)],
)
def test_envelopes_that_are_not_rendered_are_reported(name: str, reported: str | None) -> None:
    found = told_of(track(f"<{name}\nACT 1 -1\nPT 0 0.5 0\n>"))
    assert [line for line in found if "envelope" in line] == (
        [f"left out of the sum of the media: pan and mute envelopes: {reported} on track 1 'Drums'"] if reported else []
    )


def test_features_of_a_take_that_are_not_rendered_are_reported_with_its_name() -> None:
    found = told_of(track(item("NAME Lead_03", "PLAYRATE 1 1 2 -1")))
    assert found == ["left out of the sum of the media: pitch shifts: Lead_03 on track 1 'Drums'"]


def test_an_item_without_a_source_is_empty() -> None:
    found = project(track("<ITEM\nPOSITION 0\nLENGTH 2\n>"))
    (take,) = found.tracks[0].items[0].takes
    assert take.source is None
    assert not has_sound(found, found.tracks)


def test_a_reversed_item_is_reported() -> None:
    section = "<SOURCE SECTION\nMODE {}\n<SOURCE WAVE\nFILE a.wav\n>\n>"
    assert any("reversed items: reversed on track 1" in line for line in told_of(track(item(source=section.format(2)))))
    assert told_of(track(item(source=section.format(1)))) == []


def test_parts_of_takes_are_reported() -> None:
    assert told_of(track(item("<TAKEFX\n>", "<VOLENV\nACT 1\n>", "<PANENV\nACT 0\n>"))) == [
        "left out of the sum of the media: other parts of takes: take plug-ins, take volume envelope on track 1 'Drums'"
    ]


@pytest.mark.parametrize("name", ["a.wav", "Media/a.wav", "Media\\a.wav"])
def test_a_path_without_a_root_is_relative(name: str) -> None:
    assert is_relative(name)


@pytest.mark.parametrize("name", ["", "/a.wav", "\\\\server\\a.wav", "C:\\a.wav", "d:/a.wav"])
def test_a_path_with_a_root_is_not_relative(name: str) -> None:
    assert not is_relative(name)


def test_the_error_for_a_missing_track_lists_at_most_a_dozen_tracks() -> None:
    few = project(*(track(name=f"T{number}") for number in range(12)))
    many = project(*(track(name=f"T{number}") for number in range(15)))
    with pytest.raises(InputError) as of_few:
        track_called(few, "gone", "--bus drums=gone")
    with pytest.raises(InputError) as of_many:
        track_called(many, "gone", "--bus drums=gone")
    assert "more" not in str(of_few.value)
    assert str(of_many.value).endswith(" and 3 more")


def test_a_fader_at_minus_infinity_is_refused() -> None:
    found = project(track("VOLPAN 0 0"))
    with raises_error(path="song.rpp", facts=("track 1 'Drums'",)):
        with_envelopes(found, {"drums": found.tracks}, {"drums": FLAT})


@pytest.mark.parametrize(("n_points", "is_reported"), [(1, False), (2, True)])
def test_replacing_an_envelope_with_moves_is_reported(n_points: int, is_reported: bool) -> None:
    points = "\n".join(f"PT {number} 0.5 0" for number in range(n_points))
    found = project(track(f"<VOLENV2\nACT 1 -1\n{points}\n>"))
    notes = with_envelopes(found, {"drums": found.tracks}, {"drums": FLAT}).notes
    assert notes == (("track 1 'Drums' had volume automation; it was replaced",) if is_reported else ())


def test_a_bypassed_envelope_is_replaced_because_its_moves_were_not_heard() -> None:
    found = project(track("<VOLENV2\nACT 0 -1\nPT 0 0.5 0\nPT 4 0.25 0\n>"))
    notes = with_envelopes(found, {"drums": found.tracks}, {"drums": FLAT}, moves={}).notes
    assert notes == ("track 1 'Drums' had bypassed volume automation; it was replaced",)


def test_only_envelopes_of_the_user_are_reported() -> None:
    found = project(track("<VOLENV2\nACT 1 -1\nPT 0 0.5 0\nPT 4 0.25 0\n>"))
    own = {found.tracks[0].guid: None}
    assert with_envelopes(found, {"drums": found.tracks}, {"drums": FLAT}, own=own).notes == ()


def test_written_envelopes_are_listed_by_track_and_role() -> None:
    found = project(track("VOLPAN 0.5 0", name="Kick"), track(name="Snare"))
    (kick, snare) = with_envelopes(found, {"drums": found.tracks}, {"drums": FLAT}).envelopes
    assert [(one.track.name, one.role, one.scale, one.weight) for one in (kick, snare)] == [
        ("Kick", "drums", 1.0, 0.5),
        ("Snare", "drums", 1.0, 1.0),
    ]
    assert [point.gain for point in kick.points] == pytest.approx([point.gain for point in snare.points])


def test_tracks_that_move_against_each_other_are_reported() -> None:
    moving = "<VOLENV2\nACT 1 -1\nPT 0 1 0\nPT 4 0.5 0\n>"
    still = project(track("VOLPAN 1 0", name="Kick"), track("VOLPAN 0.5 0", name="Snare"))
    found = project(track("VOLPAN 1 0", moving, name="Kick"), track("VOLPAN 0.5 0", name="Snare"))
    times = np.array([0.0, 2.0, 4.0])
    assert moves_apart(still, {"drums": still.tracks}, times) == []
    [note] = moves_apart(found, {"drums": found.tracks}, times)
    assert "3.5 dB" in note


def test_groups_of_a_bus_are_reported_with_their_leaders() -> None:
    leads, follows = ["0"] * 23, ["0"] * 23
    leads[20] = follows[21] = "5"
    in_group = ["2", "0"]
    found = project(
        track(f"GROUP_FLAGS {' '.join(leads)}", name="VCA Drums"),
        track(f"GROUP_FLAGS {' '.join(follows)}", name="Drums"),
        track(f"GROUP_FLAGS {' '.join(in_group)}", name="Bass"),
        track("GROUP_FLAGS_HIGH 0 1", name="Keys"),
        track(name="Vox"),
    )
    drums, bass, keys = group_notes(found, found.tracks[1:2]), group_notes(found, found.tracks[2:3]), found.tracks[3:4]
    assert [("group 1" in note, "group 3" in note, "'VCA Drums'" in note) for note in drums] == [
        (True, False, True),
        (False, True, True),
    ]
    assert ["volume group 2" in note for note in bass] == [True]
    assert ["volume group 33" in note for note in group_notes(found, keys)] == [True]
    assert group_notes(found, found.tracks[4:]) == []
    notes = with_envelopes(found, {"bass": found.tracks[2:3]}, {"bass": FLAT}).notes
    assert any("volume group 2" in note for note in notes)


def test_a_track_of_a_bus_whose_fader_is_all_the_way_down_is_silent() -> None:
    found = project(track("VOLPAN 0 0", name="Kick"), track("VOLPAN 0.5 0", name="Snare"))
    done = with_envelopes(found, {"drums": found.tracks}, {"drums": FLAT})
    assert [one.track.name for one in done.envelopes] == ["Snare"]
    assert any("'Kick' is all the way down" in note for note in done.notes)


@pytest.mark.parametrize(("pans", "expected"), [((-0.8, -0.9), -1.0), ((0.8, 0.9), 1.0), ((-0.5, 0.25), -0.25)])
def test_pans_of_a_send_and_its_source_add_up_to_at_most_one_side(pans: tuple[float, float], expected: float) -> None:
    found = project(track(f"AUXRECV 1 0 1 {pans[0]} 0 0 0 0 0"), track(f"VOLPAN 1 {pans[1]}", "MAINSEND 0 0"))
    (feed,) = feeds_of(found, found.tracks[0])
    assert feed.pan == pytest.approx(expected)


def test_a_new_envelope_is_written_after_the_lines_of_the_track() -> None:
    found = project(track("VOLPAN 1 0", "MAINSEND 1 0", "LATER 1", "<FXCHAIN\n>"))
    lines = with_envelopes(found, {"drums": found.tracks}, {"drums": FLAT}).content.decode().split("\n")
    assert lines[lines.index("MAINSEND 1 0") + 1].strip() == "<VOLENV2"


def test_a_new_envelope_is_active_and_visible() -> None:
    found = project(track(name="Kick"), track(name="Snare"))
    after = with_envelopes(found, {"drums": found.tracks}, {"drums": FLAT}).content.decode()
    blocks = re.findall(r"<VOLENV2\n(.*?)\n +PT 0 0.50118723 0\n +>", after, re.DOTALL)
    lines = [[line.strip() for line in block.split("\n")] for block in blocks]
    assert [block[1:] for block in lines] == [
        ["ACT 1 -1", "VIS 1 1 1", "LANEHEIGHT 0 0", "ARM 0", "DEFSHAPE 0 -1 -1", "VOLTYPE 1"]
    ] * 2
    guids = [block[0] for block in lines]
    assert all(re.fullmatch(r"EGUID \{[0-9A-F]{8}(-[0-9A-F]{4}){3}-[0-9A-F]{12}\}", guid) for guid in guids)
    assert len(set(guids)) == 2
