"""The actions from the first question to the last message: generators that `scheduler` continues at every tick."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any, Callable, Dict, Generator, Iterator, Sequence

from faderwise_bridge import (
    BridgeError,
    apply_result,
    dialogs,
    questions,
    reaper_api,
    render_stems,
    restore_state,
    scheduler,
    self_test,
)
from faderwise_bridge import application as applications
from faderwise_bridge.application import Application, Job, new_job
from faderwise_bridge.restore_state import Pointers
from faderwise_bridge.scheduler import Worker, left_job, removed_at_the_end

_MIN_SELECTED = 2
Flow = Iterator[None]
Step = Generator[None, None, None]
Ask = Callable[[Dict[str, Any], Job], Dict[str, Any]]


def auto_mix_buses() -> Flow:
    """Mix the buses with a model, in the time selection or everywhere."""
    yield from _run_on_stems("mix", "Auto-mix buses", questions.before_mix)


def auto_mix_selected_tracks() -> Flow:
    """Mix the selected tracks with a model; all others are not changed."""
    selected = [reaper_api.guid_of(track) for track in restore_state.selected_tracks()]
    if len(selected) < _MIN_SELECTED:
        raise BridgeError("Select at least two tracks, then run the action again.")
    yield from _run_on_stems("mix", "Auto-mix selected tracks", questions.before_mix, selected)


def auto_mix_again() -> Flow:
    """Mix again with the buses and the settings of the last time, without a dialog."""
    application = applications.find()
    job = yield from _new_job(application, "mix", "Auto-mix again")
    worker = Worker(application, job)
    with removed_at_the_end(worker):
        yield
        plan = (yield from worker.run("plan"))["plan"]
        if not plan["settled"]:
            problem = plan["problem"] or "The buses of this project were not chosen yet."
            raise BridgeError(f"{problem} Run Auto-mix buses once.")
        for caution in plan["cautions"]:
            dialogs.note(caution)
        existing = {"existing": questions.existing_without_asking(plan)}
        tracks, answer = yield from _run_on_rendered_stems(worker, plan, existing)
        yield from _finish(worker, tracks, answer, is_quiet=True)


def compare_bus_automation() -> Flow:
    """Bypass the envelopes that runs have written, or restore those that this action has bypassed."""
    if apply_result.restore_bypassed():
        return
    worker = yield from _new_worker("compare", "Compare with and without bus automation")
    if worker is None:
        return
    with removed_at_the_end(worker):
        yield
        plan = (yield from worker.run("plan"))["plan"]
        apply_result.bypass(plan["envelopes"])


def match_buses() -> Flow:
    """Recover the fader moves of a mixdown."""
    yield from _run_on_stems("match", "Match buses to a mixdown", questions.before_match)


def learn_mix_model() -> Flow:
    """Learn from the session's faders, its mixdown, or the edits of a run."""
    yield from _run_on_stems("learn", "Learn mix model", questions.before_learn)


def audit_bus_automation() -> Flow:
    """Show what was written, and why."""
    yield from _run_on_history("audit", "Audit bus automation", lambda _plan, _job: {})


def edit_bus_automation() -> Flow:
    """Write the last run's envelopes again with other settings."""
    yield from _run_on_history("edit", "Edit bus automation", questions.before_edit)


def revert_bus_automation() -> Flow:
    """Restore the envelopes from before a run."""
    yield from _run_on_history("revert", "Revert bus automation", questions.before_revert)


def settings() -> Flow:
    """Change the settings that are stored in REAPER."""
    questions.change_settings()
    yield from ()


def check_reaper() -> Flow:
    """Check what the bridge relies on, in a scratch tab."""
    yield from self_test.check(applications.find())


def _run_on_stems(verb: str, action: str, ask: Ask, selected: Sequence[str] = ()) -> Step:
    """Run a verb that needs the stems of the buses, or of the selected tracks if there are any."""
    worker = yield from _new_worker(verb, action)
    if worker is None:
        return
    worker.job.asked["selected"] = list(selected)
    with removed_at_the_end(worker):
        yield  # starting a process is enough for one tick
        plan = yield from questions.plan_with_buses(worker, asks_model=verb == "mix")
        answers = ask(plan, worker.job)
        questions.confirm_cautions(plan)
        tracks, answer = yield from _run_on_rendered_stems(worker, plan, answers)
        yield from _finish(worker, tracks, answer)


def _run_on_rendered_stems(
    worker: Worker, plan: dict[str, Any], answers: dict[str, Any]
) -> Generator[None, None, tuple[Pointers, dict[str, Any]]]:
    """Render the stems that a plan names and run the verb on them; return the project's tracks and the answer."""
    job, guids = worker.job, plan["render"]
    job.asked.update(questions.settled(plan))
    span_s = _span_s(job)
    tracks = Pointers(reaper_api.tracks())
    yield
    before = _save_copy(job, tracks, guids)
    yield
    adds_items = self_test.stored(worker.application.home).get(self_test.WITHOUT_ITEMS) == self_test.MASTER_MIX
    is_pre_fx = plan["way"]["target"] == "pre-fx"
    stems = yield from render_stems.render(
        tracks, guids, job.folder / "stems", span_s, adds_items=adds_items, without_pre_fx=is_pre_fx
    )
    answer = yield from worker.run("do", before=before, stems=stems, span_s=span_s, **answers)
    return tracks, answer


def _run_on_history(verb: str, action: str, ask: Ask) -> Step:
    """Run a verb that needs the runs stored in the project."""
    worker = yield from _new_worker(verb, action)
    if worker is None:
        return
    with removed_at_the_end(worker):
        yield  # starting a process is enough for one tick
        plan = (yield from worker.run("plan"))["plan"]
        answers = ask(plan, worker.job)
        tracks = Pointers(reaper_api.tracks())
        yield
        before = _save_copy(worker.job, tracks, plan["written_on"])
        yield from _finish(worker, tracks, (yield from worker.run("do", before=before, **answers)))


def _new_worker(verb: str, action: str) -> Generator[None, None, Worker | None]:
    """Return the worker of a new job; where the user resumes a job that was left, finish that one and return None."""
    application = applications.find()
    left = left_job(application.home)
    if left is None:
        job = yield from _new_job(application, verb, action)
        return Worker(application, job)
    worker = Worker(application, left)
    with removed_at_the_end(worker):
        answer = yield from worker.resume()
        yield from _finish(worker, Pointers(reaper_api.tracks()), answer)
    return None


def _finish(worker: Worker, tracks: Pointers, answer: dict[str, Any], is_quiet: bool = False) -> Step:
    """Apply the result, show the summary, and open the report when it is ready."""
    instructions = answer["do"]
    notes = apply_result.apply(instructions, tracks, worker.job.asked["before"])
    worker.job.note_applied()
    wants_report = apply_result.show(instructions, [*instructions["notes"], *notes], is_quiet)
    scheduler.note_ended()  # from here on other actions can be started
    if instructions["report"]:
        report = Path(instructions["report"])
        if (yield from worker.wait_for_report(report)) and wants_report:
            worker.application.show(report)


def _new_job(application: Application, verb: str, action: str) -> Generator[None, None, Job]:
    """Return a new job on the project in front.

    Raises
    ------
    BridgeError
        REAPER is recording, or the job cannot be written.
    """
    if reaper_api.is_recording():
        raise BridgeError("REAPER is recording. Stop the recording, then run the action again.")
    part_s = reaper_api.selected_part()
    yield  # reading all tracks and saving the project have a tick each
    path = reaper_api.project_file()
    asked = {
        "version": 1,
        "reaper": os.getpid(),
        "action": action,
        "verb": verb,
        "title": Path(path).stem or "Unsaved project",
        "project_path": path,
        "selection_s": part_s,
        "length_s": reaper_api.length_s(),
        "top_gain": reaper_api.top_gain(),
        "settings": questions.chosen_settings(),
    }
    job = new_job(application.home, asked)
    try:
        _save_copy(job, Pointers({}), [])
        job.save("plan")
    except BaseException:
        job.remove()
        raise
    return job


def _save_copy(job: Job, tracks: Pointers, guids: Sequence[str]) -> dict[str, str]:
    """Save a copy of the project; return the state of the volume envelopes of tracks at that moment."""
    path = job.folder / f"{job.asked['title']}.rpp"
    job.asked["project"] = str(path)
    reaper_api.save_copy(str(path))
    if not path.is_file():
        raise BridgeError(f"REAPER could not save a copy of the project to {path}. Free some space, then try again.")
    pointers = {guid: tracks.get(guid) for guid in guids}
    return {guid: reaper_api.volume_state(track) for guid, track in pointers.items() if track is not None}


def _span_s(job: Job) -> tuple[float, float]:
    """Return the part of the project to render: the time selection; for a mixdown everything from the start."""
    length_s = float(job.asked["length_s"])
    selection_s = job.asked["selection_s"]
    if length_s <= 0.0:
        raise BridgeError("The project is empty. Open a session first.")
    if selection_s is None or job.asked["verb"] == "match":
        return 0.0, length_s
    return float(selection_s[0]), min(float(selection_s[1]), length_s)
