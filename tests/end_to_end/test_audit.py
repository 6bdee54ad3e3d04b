"""A mix in REAPER that is edited by hand, audited, edited by command, learned from, mixed again and reverted."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from analysis_server.verbs.audit import AuditRequest
from analysis_server.verbs.audit import run as audit
from core.rpp.faders import gains_at
from core.rpp.parser import parse
from core.rpp.project import Project, project_of
from tests.reaper.studio import ROLES, Studio

TIMES = np.arange(0.5, 23.0, 0.25)
VOCALS = ROLES.index("vocals")
BY_HAND = ((8.0, 0.2), (10.0, 0.25))
"""Points inserted into the vocals by hand: time, and the envelope's gain."""
LAST_GAIN = 0.15
"""What the vocals' last point is dragged to."""

DRAW = f"""
from reaper_python import *
track = RPR_GetTrack(0, {VOCALS})
envelope = RPR_GetTrackEnvelopeByName(track, "Volume")
mode = RPR_GetEnvelopeScalingMode(envelope)
RPR_Undo_BeginBlock2(0)
last = RPR_CountEnvelopePoints(envelope) - 1
time_s = RPR_GetEnvelopePoint(envelope, last, 0, 0, 0, 0, 0)[3]
RPR_DeleteEnvelopePointEx(envelope, -1, last)
for at, gain in (*{BY_HAND!r}, (time_s, {LAST_GAIN!r})):
    RPR_InsertEnvelopePoint(envelope, at, RPR_ScaleToEnvelopeMode(mode, gain), 0, 0.0, False, True)
RPR_Envelope_SortPoints(envelope)
RPR_Undo_EndBlock2(0, "Draw by hand", -1)
result = time_s
"""


def project_in(studio: Studio) -> Project:
    return project_of(parse(studio.host.project.to_bytes(), studio.path))


def heard_db(studio: Studio) -> np.ndarray:
    """Return what is heard of each bus, dB, shape (n_times, n_buses)."""
    project = project_in(studio)
    return 20.0 * np.log10(gains_at(project, {track.name: [track] for track in project.tracks}, TIMES))


def hand_made(studio: Studio, last_s: float) -> list[float]:
    """Return the envelope's gains at those times of the points made by hand that have points."""
    points = project_in(studio).tracks[VOCALS].envelopes["VOLENV2"].points
    return [point.gain for time_s in (8.0, 10.0, last_s) for point in points if abs(point.time_s - time_s) < 1e-4]


def vocals_against_the_others(levels: np.ndarray) -> float:
    return float(np.median(levels[:, VOCALS]) - np.median(np.delete(levels, VOCALS, axis=1)))


def half_the_depth(captions: Sequence[str], defaults: Sequence[str]) -> list[str]:
    return ["50" if "Depth" in caption else value for caption, value in zip(captions, defaults, strict=True)]


def audited_edits(studio: Studio, folder: Path) -> dict[str, list[list[tuple[float, float]]]]:
    """Return the edits by hand that an audit of the present project finds, by bus."""
    folder.mkdir()
    saved = folder / "Song.RPP"
    saved.write_bytes(studio.host.project.to_bytes())
    result = audit(AuditRequest(target=str(saved), sound=False, dry_run=True))
    return {track.bus: [edit.points for edit in track.edits] for track in result.tracks if track.edits}


def test_a_mix_is_edited_by_hand_audited_edited_learned_from_and_reverted(studio: Studio, tmp_path: Path) -> None:
    original = studio.host.project.to_bytes()

    # mix
    studio.choose_buses(model="equal-level")
    studio.decline_report("mixed with the model")
    studio.run("auto_mix_buses")
    predicted = heard_db(studio)

    # edit points by hand; the audit shows exactly these
    last_s = studio.inside(DRAW)
    drawn = hand_made(studio, last_s)
    np.testing.assert_allclose(drawn, [0.2, 0.25, LAST_GAIN], rtol=1e-4)
    edits = audited_edits(studio, tmp_path / "saved")
    (points,) = edits.pop("vocals")
    assert edits == {}
    fader_db = 20.0 * np.log10(0.9)
    expected = sorted([(8.0, 0.2), (10.0, 0.25), (last_s, LAST_GAIN)])
    np.testing.assert_allclose(points, [(t, 20.0 * np.log10(g) + fader_db) for t, g in expected], atol=0.01)
    studio.decline_report("edited by hand since: vocals")
    studio.run("audit_bus_automation")
    (page,) = [page for run in studio.runs() for page in run.glob("*audit.html")]
    text = page.read_text(encoding="utf-8")
    assert text.count('<path class="edited"') == 2  # the vocals' chart, and the key
    assert len(re.findall("<audio", text)) == 2

    # half the depth: every difference between the other buses is half, the hand-made points survive
    studio.host.dialogs.expect_inputs(half_the_depth, containing="edit the last run")
    studio.host.dialogs.expect_message("OK", containing="epth 50 %")
    studio.run("edit_bus_automation")
    half = heard_db(studio)
    others = [i for i in range(4) if i != VOCALS]
    for i in others[1:]:
        np.testing.assert_allclose(half[:, i] - half[:, 0], (predicted[:, i] - predicted[:, 0]) / 2, atol=0.25)
    np.testing.assert_allclose(hand_made(studio, last_s), drawn, rtol=1e-5)
    assert [len(points) for points in audited_edits(studio, tmp_path / "again")["vocals"]] == [3]

    # learn from the edits: the next mix moves toward them
    studio.host.dialogs.expect_inputs(["mine", "edits", "", "me"], containing="learn a mix model")
    studio.host.dialogs.expect_message("OK", containing="The model mine has learned Song from its edits")
    studio.run("learn_mix_model")
    model = json.loads((studio.home / "models" / "mine.json").read_text(encoding="utf-8"))
    assert [(song["source"], song["weight"] > 1.0) for song in model["songs"]] == [("edits", True)]
    studio.host.RPR.RPR_SetExtState("Faderwise", "model", "mine", True)
    studio.choose_buses()
    studio.host.dialogs.expect_message("No", containing="There is volume automation on track 4")
    studio.decline_report("mixed with the model mine")
    studio.run("auto_mix_buses")
    assert vocals_against_the_others(heard_db(studio)) < vocals_against_the_others(predicted) - 1.0

    # and the original comes back, to the byte
    studio.host.dialogs.expect_message("No", containing="3: mix of")
    studio.host.dialogs.expect_inputs(["1"], containing="back to before which run?")
    studio.host.dialogs.expect_message("OK", containing="before runs 1 to 3")
    studio.run("revert_bus_automation")
    assert studio.host.project.to_bytes() == original
    assert studio.jobs() == []
