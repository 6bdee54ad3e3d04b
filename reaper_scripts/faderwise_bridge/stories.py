"""The seven actions from the first question to the last word: generators that `running` goes on with.

Each one asks what it has to, hands a job over, follows it, and carries out what comes back.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Callable, Iterator, Sequence

from faderwise_bridge import application, bus_choice, following, questions, reaper, resuming, stems
from faderwise_bridge.application import Application
from faderwise_bridge.concluding import conclude
from faderwise_bridge.job import Job, new_job
from faderwise_bridge.trouble import Trouble

Story = Iterator[None]
Questions = Callable[[dict, Job], dict]


def auto_mix_buses() -> Story:
    """Mix the buses with a model, in the time selection or everywhere."""
    yield from _on_stems("mix", "Auto-mix buses", questions.before_mix)


def match_buses() -> Story:
    """Recover a mixdown's fader moves."""
    yield from _on_stems("match", "Match buses to a mixdown", questions.before_match)


def learn_mix_model() -> Story:
    """Learn from the session's faders, or from its mixdown."""
    yield from _on_stems("learn", "Learn mix model", questions.before_learn)


def audit_bus_automation() -> Story:
    """Show what was written, and why."""
    yield from _on_history("audit", "Audit bus automation", questions.none)


def edit_bus_automation() -> Story:
    """Write a run's gains again with other settings."""
    yield from _on_history("edit", "Edit bus automation", questions.before_edit)


def revert_bus_automation() -> Story:
    """Bring back what stood there before a run."""
    yield from _on_history("revert", "Revert bus automation", questions.before_revert)


def settings() -> Story:
    """Choose what is kept in REAPER's settings."""
    questions.settle_settings()
    yield from ()


def _on_stems(verb: str, action: str, ask: Questions) -> Story:
    """Tell the story of a verb that listens to the buses."""
    found = application.find()
    if (yield from resuming.went_on(found)):
        return
    job = _begun(found, verb, action)
    with following.tidied(job):
        plan = yield from bus_choice.plan_of(found, job, asks_model=verb == "mix")
        given = ask(plan, job)
        bus_choice.confirm(plan)
        span_s = _span_s(job)
        guids = [guid for bus in job.asked["buses"].values() for guid in bus]
        before = _copied(job, guids)
        files = stems.render(guids, job.folder / "stems", span_s)
        given.update(before=before, stems=files, span_s=span_s)
        conclude(found, job, (yield from following.answered(found, job, "do", **given)))


def _on_history(verb: str, action: str, ask: Questions) -> Story:
    """Tell the story of a verb that works on what earlier runs left in the project."""
    found = application.find()
    if (yield from resuming.went_on(found)):
        return
    job = _begun(found, verb, action)
    with following.tidied(job):
        plan = (yield from following.answered(found, job, "plan"))["plan"]
        given = ask(plan, job)
        before = _copied(job, plan["written_on"])
        conclude(found, job, (yield from following.answered(found, job, "do", before=before, **given)))


def _begun(found: Application, verb: str, action: str) -> Job:
    """Return a new job on the project in front.

    Raises
    ------
    Trouble
        REAPER records, there is nothing to work on, or the job cannot be written down.
    """
    if reaper.is_recording():
        raise Trouble("REAPER is recording. Stop it, then run the action again.")
    path = reaper.project_file()
    title = Path(path).stem or "Unsaved project"
    asked = {
        "version": 1,
        "reaper": os.getpid(),
        "action": action,
        "verb": verb,
        "title": title,
        "project_path": path,
        "selection_s": reaper.time_selection(),
        "length_s": reaper.length_s(),
        "top_gain": reaper.top_gain(),
        "settings": questions.chosen_settings(),
    }
    job = new_job(found.home, asked)
    with following.tidied_on_trouble(job):
        _copied(job, [])
    return job


def _copied(job: Job, guids: Sequence[str]) -> dict[str, str | None]:
    """Save a copy of the project, and return the volume envelopes' texts of tracks at that moment, None for none."""
    path = job.folder / f"{job.asked['title']}.rpp"
    job.asked["project"] = str(path)
    reaper.save_copy(str(path))
    if not path.is_file():
        raise Trouble(f"REAPER could not save a copy of the project to {path}. Free some space, then try again.")
    pointers = reaper.tracks()
    return {guid: reaper.volume_chunk(pointers[guid]) for guid in guids if guid in pointers}


def _span_s(job: Job) -> tuple[float, float]:
    """Return the stretch that is listened to: the time selection; a mixdown is matched from the project's start."""
    length_s = float(job.asked["length_s"])
    selection_s = job.asked["selection_s"]
    if length_s <= 0.0:
        raise Trouble("The project is empty, so there is nothing to listen to. Open a session first.")
    if selection_s is None or job.asked["verb"] == "match":
        return 0.0, length_s
    return float(selection_s[0]), min(float(selection_s[1]), length_s)
