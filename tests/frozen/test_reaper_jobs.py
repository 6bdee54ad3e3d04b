"""Answers of the application to the jobs of REAPER's actions."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path
from typing import Any

import pytest
import soundfile

from tests.frozen.fixtures import check
from tests.frozen.material import RATE, ROLES, SECONDS, guid_of
from tests.frozen.program import answer_job, result_of


def ask(project: Path, verb: str, phase: str, **more: Any) -> Any:
    """Answer a job on a copy of the project; run records are reduced to their numbers."""
    folder = project.parent / f"job {verb} {phase}"
    folder.mkdir()
    copy = folder / "Song.rpp"
    shutil.copyfile(project, copy)
    job = {"version": 1, "action": "An action", "verb": verb, "phase": phase, "title": "Song", "project": str(copy)}
    job |= {"project_path": str(project), "length_s": SECONDS, "settings": {"model": "mine", "target_lufs": ""}, **more}
    (folder / "job.json").write_text(json.dumps(job))
    answer = answer_job(folder)
    state = answer.get("do", {}).get("ext_state")
    if state:
        state["set"] = {_run(key): "<record>" if _run(key) != key else value for key, value in state["set"].items()}
        state["delete"] = sorted({_run(key) for key in state["delete"]})
    if "marks" in answer.get("do", {}):
        answer["do"]["marks"] = {guid: run and "<run id>" for guid, run in answer["do"]["marks"].items()}
    return answer


def _run(key: str) -> str:
    return re.sub(r"^(RUN_\d+)_\d+$", r"\1", key)


def stems_of(project: Path) -> dict[str, Any]:
    """Write the stems of the four buses, and return the fields of a job that describe them."""
    folder = project.parent / "stems"
    folder.mkdir()
    stems = {}
    for role in ROLES:
        samples, _ = soundfile.read(project.parent / f"{role}.flac", always_2d=True)
        soundfile.write(folder / f"{role}.wav", samples, RATE, subtype="FLOAT")
        stems[guid_of(role)] = str(folder / f"{role}.wav")
    return {"buses": {role: [guid_of(role)] for role in ROLES}, "stems": stems, "span_s": [0.0, SECONDS]}


@pytest.mark.parametrize("verb", ["mix", "match", "learn"])
def test_the_plan_of_a_session_that_was_never_mixed(session: Path, verb: str) -> None:
    check(f"plan of {verb}", ask(session, verb, "plan"), folder=session.parent)


def test_the_plan_with_answers(session: Path) -> None:
    answers = {"roles": {"drums": "1", "bass": "2", "melody": "", "vocals": "VOCALS BUS"}, "further": "Brass = 3"}
    check("plan with answers", ask(session, "mix", "plan", answers=answers), folder=session.parent)


def test_the_instructions_of_mix_and_learn(session: Path, home: Path) -> None:
    stems = stems_of(session)
    check("do mix", ask(session, "mix", "do", **stems), folder=session.parent, home=home)
    learn = ask(session, "learn", "do", model_name="from REAPER", truth="faders", **stems)
    check("do learn", learn, folder=session.parent, home=home)
    (model,) = result_of("models", "show", "from REAPER")["models"]
    for song in model["songs"]:
        del song["hashes"]  # of files that this test wrote: they have the time in them
    check("do learn model", model)
    result_of("models", "remove", "from REAPER")


def test_the_instructions_of_match_in_a_time_selection(session: Path, home: Path) -> None:
    stems = stems_of(session)
    mixdown = str(session.parent / "mix.wav")
    answer = ask(session, "match", "do", mixdown=mixdown, selection_s=[1.0, 4.0], **stems)
    check("do match", answer, folder=session.parent, home=home)


def test_the_instructions_after_a_run(session: Path, home: Path) -> None:
    result_of("match", session)
    copy = session.with_name("Song-faderwise.RPP")
    for verb in ("audit", "edit", "revert"):
        check(f"plan of {verb}", ask(copy, verb, "plan"), folder=session.parent, home=home)
    edit = {"depth": "50", "moves": "100", "smooth": "0", "limit": "", "freeze": "bass", "offsets": {"vocals": "-3"}}
    check("do edit", ask(copy, "edit", "do", edit=edit), folder=session.parent, home=home)
    check("do revert", ask(copy, "revert", "do", run=1), folder=session.parent, home=home)
    check("do audit", ask(copy, "audit", "do"), folder=session.parent, home=home)


def test_bad_input_is_answered_with_an_error(session: Path) -> None:
    check("do revert without a run", ask(session, "revert", "do", run=1), folder=session.parent)
