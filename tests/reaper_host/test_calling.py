"""The simulated `reaper_python` has REAPER's names, arities, tuples, pointers and strings."""

from __future__ import annotations

import json
import re
import threading
from pathlib import Path
from typing import Any

import pytest

from tests.reaper_host import NotSimulated, ReaperCrash, ReaperHost
from tests.reaper_host.registry import IMPLEMENTED
from tests.reaper_host.signatures import signatures

NULL_TRACK = "(MediaTrack*)0x0000000000000000"


def test_all_functions_of_the_reference_are_there_with_their_arity(shared: Path) -> None:
    reference = json.loads((shared / "reference" / "reascript_signatures.json").read_text(encoding="utf-8"))
    ours = signatures()
    theirs = {function["api_name"]: function for function in reference["functions"]}
    assert ours.keys() == theirs.keys()
    assert {name: len(signature.arguments) for name, signature in ours.items()} == {
        name: len(function["python_args"]) for name, function in theirs.items()
    }
    assert {name for name, signature in ours.items() if signature.returns_tuple} == {
        name for name, function in theirs.items() if function["returns_tuple"]
    }


def test_results_and_changed_arguments_are_those_of_the_reference(shared: Path) -> None:
    reference = json.loads((shared / "reference" / "reascript_signatures.json").read_text(encoding="utf-8"))
    for function in reference["functions"]:
        signature = signatures()[function["api_name"]]
        if signature.returns_tuple and signature.name != "GetAudioAccessorSamples":
            elements = function["tuple_elements"]
            has_result = elements[0]["kind"] == "return"
            assert has_result == (signature.result != "void"), signature.name
            kinds = ["out" if argument.is_out else "echo" for argument in signature.arguments]
            assert [element["kind"] for element in elements[has_result:]] == kinds, signature.name


def test_711_functions_are_bundled_and_only_they_are_implemented() -> None:
    assert len(signatures()) == 711
    assert set(IMPLEMENTED) <= set(signatures())


def test_every_function_is_there_and_refuses_one_argument_more(host: ReaperHost) -> None:
    for name, signature in signatures().items():
        with pytest.raises(TypeError, match="positional arguments"):
            getattr(host.RPR, f"RPR_{name}")(*[0] * (len(signature.arguments) + 1))


def test_functions_that_are_not_simulated_raise_an_error(host: ReaperHost) -> None:
    with pytest.raises(NotSimulated, match="RPR_TrackFX_GetCount"):
        host.RPR.RPR_TrackFX_GetCount(0)


def test_what_reaper_has_not_is_an_attribute_error(host: ReaperHost) -> None:
    with pytest.raises(AttributeError):
        host.RPR.RPR_get_action_context  # noqa: B018 - only Lua and EEL have it
    with pytest.raises(AttributeError):
        host.RPR.RPR_NoSuchFunction  # noqa: B018


def test_all_arguments_come_back_in_order(host: ReaperHost) -> None:
    api = host.RPR
    track = api.RPR_GetTrack(0, 0)
    assert api.RPR_GetTrackName(track, "", 512) == (1, track, host.project.tracks[0].name, 512)
    assert api.RPR_GetSetMediaTrackInfo_String(track, "P_NAME", "", False) == (
        1,
        track,
        "P_NAME",
        host.project.tracks[0].name,
        False,
    )
    assert api.RPR_GetSet_LoopTimeRange2(0, False, False, 0, 0, False) == (
        0,
        False,
        False,
        *host.project.time_selection,
        False,
    )
    pointer, index, path, size = api.RPR_EnumProjects(-1, "", 4096)
    assert (index, path, size) == (-1, str(host.project.path), 4096)
    assert re.fullmatch(r"\(ReaProject\*\)0x[0-9A-F]{16}", pointer)


def test_booleans_are_numbers(host: ReaperHost) -> None:
    track = host.RPR.RPR_GetTrack(0, 0)
    host.RPR.RPR_SetTrackSelected(track, True)
    answer = host.RPR.RPR_IsTrackSelected(track)
    assert answer == 1
    assert type(answer) is int


def test_null_is_a_true_text(host: ReaperHost) -> None:
    null = host.RPR.RPR_GetTrack(0, 99)
    assert null == NULL_TRACK
    assert null
    assert host.RPR.RPR_EnumProjects(5, "", 4096)[0] == "(ReaProject*)0x0000000000000000"


@pytest.mark.parametrize("junk", [NULL_TRACK, "", None, 0, "(TrackEnvelope*)0x0000000008000040", "(MediaTrack*)0x123"])
def test_null_and_junk_give_nothing_and_no_error(host: ReaperHost, junk: object) -> None:
    if junk == "(MediaTrack*)0x123":
        with pytest.raises(ValueError, match="int"):  # as REAPER's own splitting of the digits does
            host.RPR.RPR_GetMediaTrackInfo_Value(junk, "D_VOL")
        return
    assert host.RPR.RPR_GetMediaTrackInfo_Value(junk, "D_VOL") == 0.0
    assert host.RPR.RPR_GetTrackName(junk, "before", 512) == (0, junk, "before", 512)


def test_a_stale_pointer_gives_nothing_and_no_error(host: ReaperHost) -> None:
    api = host.RPR
    track = api.RPR_GetTrack(0, 0)
    api.RPR_DeleteTrack(track)
    assert api.RPR_GetMediaTrackInfo_Value(track, "D_VOL") == 0.0
    assert api.RPR_GetTrackGUID(track) == "(GUID*)0x0000000000000000"
    assert api.RPR_ValidatePtr(int(track.split(")")[1], 16), "MediaTrack*") == 0


def test_a_pointer_of_another_tab_is_not_valid(host: ReaperHost) -> None:
    track = host.RPR.RPR_GetTrack(0, 0)
    host.new_tab()
    assert host.RPR.RPR_GetTrackName(track, "", 512)[0] == 0


def test_a_null_project_means_the_active_one(host: ReaperHost) -> None:
    for project in (0, None, "anything"):
        assert host.RPR.RPR_CountTracks(project) == len(host.project.tracks)


@pytest.mark.parametrize(
    ("function", "arguments"),
    [("GetTrack", (0, 0.0)), ("GetTrack", (0, "0")), ("ScaleToEnvelopeMode", (1, "x")), ("SetTrackSelected", (0, 1.0))],
)
def test_a_number_of_the_wrong_kind_is_a_type_error(
    host: ReaperHost, function: str, arguments: tuple[Any, ...]
) -> None:
    with pytest.raises(TypeError):
        getattr(host.RPR, f"RPR_{function}")(*arguments)


def test_a_text_is_cut_at_its_buffer(host: ReaperHost) -> None:
    host.project.tracks[0].name = "vocals"
    track = host.RPR.RPR_GetTrack(0, 0)
    assert host.RPR.RPR_GetTrackName(track, "", 4)[2] == "voc"
    host.project.tracks[0].name = "voö"
    with pytest.raises(UnicodeDecodeError):
        host.RPR.RPR_GetTrackName(track, "", 4)


def test_a_buffer_size_beyond_pythons_own_would_overrun_it(host: ReaperHost) -> None:
    track = host.RPR.RPR_GetTrack(0, 0)
    with pytest.raises(ReaperCrash, match="4194304"):
        host.RPR.RPR_GetTrackStateChunk(track, "", 4194305, False)


def test_none_becomes_a_text(host: ReaperHost) -> None:
    host.RPR.RPR_SetExtState("section", "key", None, False)
    assert host.RPR.RPR_GetExtState("section", "key") == "None"


def test_a_text_ends_at_nul(host: ReaperHost) -> None:
    host.RPR.RPR_SetProjExtState(0, "section", "key", "before\0after")
    assert host.RPR.RPR_GetProjExtState(0, "section", "key", "", 100)[4] == "before"


def test_a_null_text_is_an_attribute_error(host: ReaperHost) -> None:
    for call in (
        lambda: host.RPR.RPR_Undo_CanUndo2(0),
        lambda: host.RPR.RPR_Undo_CanRedo2(0),
        lambda: host.RPR.RPR_ReverseNamedCommandLookup(40406),
        lambda: host.RPR.RPR_ExecProcess("/no/such/program", 0),
    ):
        with pytest.raises(AttributeError, match="decode"):
            call()


def test_another_thread_may_not_call(host: ReaperHost) -> None:
    caught: list[BaseException] = []

    def call() -> None:
        try:
            host.RPR.RPR_CountTracks(0)
        except ReaperCrash as error:
            caught.append(error)

    thread = threading.Thread(target=call)
    thread.start()
    thread.join()
    assert "another thread" in str(caught[0])


def test_the_envelope_pointer_as_a_number(host: ReaperHost) -> None:
    api = host.RPR
    track = next(track for track in host.project.tracks if track.envelope("VOLENV2"))
    pointer = api.RPR_GetTrack(0, track.index)
    envelope = api.RPR_GetTrackEnvelopeByName(pointer, "Volume")
    assert api.RPR_GetMediaTrackInfo_Value(pointer, "P_ENV:<VOLENV2") == int(envelope.split(")")[1], 16)
