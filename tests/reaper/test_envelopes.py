"""Applying instructions to envelopes in the simulated REAPER."""

from __future__ import annotations

from itertools import product
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from core.rpp.envelope import Envelope
from core.rpp.parser import parse
from core.rpp.project import project_of
from tests.reaper.conftest import StudioFor
from tests.reaper.studio import Studio, bus_text, project_text, without_ext_state

OLD = (
    "    <VOLENV2",
    "      ACT 0 -1",
    "      VIS 0 1 1",
    "      LANEHEIGHT 0 0",
    "      ARM 0",
    "      DEFSHAPE 0 -1 -1",
)
POINTS = ("      PT 0 0.5 0", "      PT 4 0.25 0", "      PT 4 0.75 5 0 0 0 0.3", "      PT 9 1.5 0", "    >")
WITHOUT, AMPLITUDE, FADER = "Without", "Amplitude", "Fader"
CODE = """
answer = {answer!r}
before = {{guid: reaper_api.volume_state(track) for guid, track in reaper_api.tracks().items()}}
try:
    result = apply_result.apply(answer, restore_state.Pointers(reaper_api.tracks()), before)
except BridgeError as error:
    result = [str(error)]
"""


@pytest.fixture
def three(tmp_path: Path, studio_for: StudioFor) -> Studio:
    """Three tracks: without a volume envelope, with one in amplitude, with one on the fader's scale."""
    path = tmp_path / "Song.RPP"
    tracks = [
        bus_text(WITHOUT, "x.wav", volume=0.7),
        bus_text(AMPLITUDE, "x.wav", *OLD, *POINTS),
        bus_text(FADER, "x.wav", *OLD, "      VOLTYPE 1", *POINTS),
    ]
    path.write_bytes(project_text(*tracks))
    return studio_for(path)


def guid_of(studio: Studio, name: str) -> str:
    return str(studio.host.project.track_of(name).guid)


def envelope(studio: Studio, name: str) -> Envelope:
    """Return a track's volume envelope as the project's file has it."""
    project = project_of(parse(studio.host.project.to_bytes(), studio.path))
    return next(track for track in project.tracks if track.name == name).envelopes["VOLENV2"]


def answer_of(studio: Studio, changes: dict[str, dict[str, Any]], **ext_state: Any) -> dict[str, Any]:
    tracks = [{"guid": guid_of(studio, name), "name": name, **change} for name, change in changes.items()]
    return {
        "undo": "Faderwise: Test",
        "tracks": tracks,
        "marks": {},
        "ext_state": {"set": {}, "delete": [], **ext_state},
    }


def apply_to(studio: Studio, answer: dict[str, Any]) -> list[str]:
    notes = studio.inside(CODE.format(answer=answer))
    studio.require_peace()
    return list(notes)


def points(studio: Studio, name: str) -> list[tuple[float, float, int]]:
    return [(round(p.time_s, 6), round(p.gain, 6), p.shape) for p in envelope(studio, name).points]


def everything(*pairs: tuple[float, float]) -> dict[str, Any]:
    return {"write": {"start_s": None, "end_s": None, "points": [[time_s, gain, 0, 0.0] for time_s, gain in pairs]}}


@pytest.mark.parametrize(("survives", "is_fader_scaled"), list(product([True, False], [True, False])))
def test_all_points_are_replaced_on_either_scale(three: Studio, survives: bool, is_fader_scaled: bool) -> None:
    three.host.switches.point_at_zero_survives = survives
    three.host.switches.new_envelopes_are_fader_scaled = is_fader_scaled
    change = everything((0.0, 0.4), (3.0, 0.0), (5.5, 1.9))
    assert apply_to(three, answer_of(three, dict.fromkeys((WITHOUT, AMPLITUDE, FADER), change))) == []
    for name in (WITHOUT, AMPLITUDE, FADER):
        assert points(three, name) == [(0.0, 0.4, 0), (3.0, 0.0, 0), (5.5, 1.9, 0)]
        assert envelope(three, name).is_active
    assert b"VIS 0" not in three.host.project.to_bytes()


@pytest.mark.parametrize("name", [AMPLITUDE, FADER])
def test_points_outside_the_range_stay(three: Studio, name: str) -> None:
    inside = {"write": {"start_s": 3.0, "end_s": 4.0, "points": [[3.0, 0.1, 0, 0.0], [3.5, 0.2, 1, 0.0]]}}
    apply_to(three, answer_of(three, {name: inside}))
    assert points(three, name) == [(0.0, 0.5, 0), (3.0, 0.1, 0), (3.5, 0.2, 1), (9.0, 1.5, 0)]


def test_one_undo_step_restores_all_but_the_ext_state(three: Studio) -> None:
    before = three.host.project.to_bytes()
    change = everything((0.0, 0.4))
    answer = answer_of(three, {WITHOUT: change, FADER: change}, set={"RUN_0001_01": "x", "BUSES": "drums=%7B1%7D"})
    apply_to(three, answer)
    assert three.host.RPR.RPR_Undo_CanUndo2(0) == "Faderwise: Test"
    assert three.host.RPR.RPR_GetProjExtState(0, "Faderwise", "RUN_0001_01", "", 100)[4] == "x"
    three.host.RPR.RPR_Undo_DoUndo2(0)
    assert without_ext_state(three.host.project.to_bytes()) == before


def test_restored_envelopes_equal_the_originals_to_the_byte(three: Studio) -> None:
    before = three.host.project.to_bytes()
    chunks = {
        name: three.inside(f"result = reaper_api.volume_state(reaper_api.tracks()[{guid_of(three, name)!r}]) or None")
        for name in (WITHOUT, AMPLITUDE, FADER)
    }
    change = everything((0.0, 0.4), (7.0, 0.9))
    apply_to(three, answer_of(three, dict.fromkeys(chunks, change), set={"RUN_0001_01": "x"}))
    back = {name: {"restore": {"chunk": chunk}} for name, chunk in chunks.items()}
    assert apply_to(three, answer_of(three, back, delete=["RUN_0001_01"])) == []
    assert three.host.project.to_bytes() == before


def test_an_envelope_that_cannot_be_removed_is_bypassed_and_hidden(three: Studio) -> None:
    apply_to(three, answer_of(three, {WITHOUT: everything((0.0, 0.4))}))
    answer = answer_of(three, {WITHOUT: {"restore": {"chunk": None}}})
    notes = three.inside("apply_result._is_removed = lambda track, change, env: False\n" + CODE.format(answer=answer))
    assert notes == ["REAPER keeps the volume envelope of Without; it is bypassed and hidden, so it has no effect"]
    assert not envelope(three, WITHOUT).is_active
    three.require_peace()


def test_other_scripts_keys_stay_when_ours_go(three: Studio) -> None:
    three.host.RPR.RPR_SetProjExtState(0, "Other", "KEY", "stays")
    apply_to(three, answer_of(three, {}, set={"RUN_0001_01": "x", "BUSES": "y"}))
    apply_to(three, answer_of(three, {}, delete=["RUN_0001_01"]))
    assert three.host.RPR.RPR_GetProjExtState(0, "Faderwise", "BUSES", "", 100)[4] == "y"
    apply_to(three, answer_of(three, {}, delete=["BUSES"]))
    assert three.host.RPR.RPR_GetProjExtState(0, "Other", "KEY", "", 100)[4] == "stays"
    assert b"FADERWISE" not in three.host.project.to_bytes()


def test_a_step_that_fails_halfway_is_undone(three: Studio) -> None:
    before = three.host.project.to_bytes()
    broken = {"write": {"start_s": None, "end_s": None, "points": [[0.0, 0.4, 0, 0.0], ["no time", 0.4, 0, 0.0]]}}
    answer = answer_of(three, {WITHOUT: everything((1.0, 1.0)), FADER: broken})
    with pytest.raises(AssertionError, match="must be real number"):
        apply_to(three, answer)
    three.host.script_errors.clear()
    three.require_peace()
    assert three.host.project.to_bytes() == before


def test_a_failure_that_changed_nothing_does_not_undo_the_users_step(three: Studio) -> None:
    three.inside(
        "with reaper_api.undo_block('The user'):\n    reaper_api.RPR.SetProjExtState(0, 'Other', 'KEY', 'users')"
    )
    code = "try:\n    with reaper_api.undo_block('Ours'):\n        raise ValueError\nexcept ValueError:\n    result = 1"
    assert three.inside(code) == 1
    assert three.host.RPR.RPR_Undo_CanUndo2(0) == "The user"


def test_nothing_is_written_if_a_track_was_deleted(three: Studio) -> None:
    answer = answer_of(three, {AMPLITUDE: everything((0.0, 0.1)), FADER: everything((0.0, 0.1))})
    three.host.RPR.RPR_DeleteTrack(three.host.RPR.RPR_GetTrack(0, 2))
    before = three.host.project.to_bytes()
    (notes,) = apply_to(three, answer)
    assert notes.startswith("Fader: the track was deleted")
    assert three.host.project.to_bytes() == before


def test_nothing_is_written_if_an_envelope_was_changed(three: Studio) -> None:
    answer = answer_of(three, {FADER: everything((0.0, 0.1))})
    changed = f"before[{guid_of(three, FADER)!r}] = 'what stood there'\ntry:"
    (notes,) = three.inside(CODE.format(answer=answer).replace("try:", changed))
    assert notes.startswith("Fader: its volume envelope was changed while")
    assert len(points(three, FADER)) == 4


def test_the_selection_is_restored(three: Studio) -> None:
    host = three.host.RPR
    host.RPR_SetMediaTrackInfo_Value(host.RPR_GetTrack(0, 2), "I_SELECTED", 1.0)
    apply_to(three, answer_of(three, {WITHOUT: everything((0.0, 0.1))}))
    selected = [host.RPR_GetMediaTrackInfo_Value(host.RPR_GetTrack(0, number), "I_SELECTED") for number in range(3)]
    assert selected == [0.0, 0.0, 1.0]


def test_the_top_of_an_envelope_follows_the_preferences(three: Studio) -> None:
    assert 20 * np.log10(three.inside("result = reaper_api.top_gain()")) == pytest.approx(6.0)
