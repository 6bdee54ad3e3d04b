"""Run a phase of a REAPER job in a worker process and write its answer into the job folder.

The answer of `mix` and `match` is written as soon as the envelope points exist; audio and report follow.
"""

from __future__ import annotations

import re
import tempfile
import threading
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import msgspec
import numpy as np
import soundfile

from analysis_server.models import DEFAULT_MODEL
from analysis_server.reaper.inspect_project import (
    BUSES_KEY,
    OPTIONS_KEY,
    TARGETS,
    as_value,
    options_value,
    plan,
    saved_choice,
    saved_options,
)
from analysis_server.reaper.instructions import edit, marks_to_set, points_to_write, record_to_store, revert
from analysis_server.reaper.job_file import Answer, Instructions, JobFile, read_job, write_answer
from analysis_server.report.content import full_sentence
from analysis_server.runs import kept_runs
from analysis_server.sources.project import RenderedStems
from analysis_server.verbs import audit, learn, match, mix
from core.errors import FaderwiseError, InputError
from core.models.model import songs_in_words
from core.progress import ProgressCallback, no_progress
from core.roles import bus_of
from core.rpp.write import Written
from core.runs.record import RunRecord
from core.wording import capitalised, listed

_LONGEST_TITLE_BYTES = 120
"""Leaves room in a folder's name, and in Windows' paths, for what follows the title."""


class ReaperRequest(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Run the phase that `job.json` in `folder` asks for."""

    folder: str


class ReaperResult(msgspec.Struct, frozen=True, kw_only=True):
    """The answer is in the job folder."""


def run(request: ReaperRequest, progress: ProgressCallback = no_progress) -> ReaperResult:
    """Run a phase of a job and write `result.json`.

    Raises
    ------
    FaderwiseError
        The job cannot be done. After the answer was written, this means that its report could not be written.
    """
    folder = Path(request.folder)
    job = read_job(folder)
    if job.phase == "plan" or job.verb == "compare":
        write_answer(folder, Answer(plan=plan(job)))
        if job.verb in ("mix", "match"):
            _warm_up(progress)
    else:
        _VERBS[job.verb](job, folder, progress)
    return ReaperResult()


_is_warm = threading.Event()


def _warm_up(progress: ProgressCallback) -> None:
    """Mix two seconds of noise, so that this process has loaded what a mix needs when the stems are rendered."""
    if _is_warm.is_set():
        return
    _is_warm.set()
    noise = np.random.default_rng(0).normal(0.0, 0.1, (2, 2 * 44_100, 2))
    with suppress(FaderwiseError, OSError), tempfile.TemporaryDirectory(prefix="faderwise-") as song:
        for bus, samples in zip(("drums", "vocals"), noise, strict=True):
            soundfile.write(Path(song) / f"{bus}.wav", samples, 44_100)
        mix.run(mix.MixRequest(song=song, dry_run=True), progress)


def _mix(job: JobFile, folder: Path, progress: ProgressCallback) -> None:
    adjustments = job.way.adjustments

    def deliver(written: Written, record: RunRecord) -> None:
        figures = record.figures
        summary = (
            f"{_listed(record)} mixed with the model {record.model}. Loudness: "
            f"{figures['loudness_before_lufs']:.1f} → {figures['loudness_after_lufs']:.1f} LUFS."
        )
        write_answer(folder, Answer(do=_instructions(job, written, record, summary)))

    request = mix.MixRequest(
        song=job.project,
        model=job.settings.get("model") or DEFAULT_MODEL,
        out=str(_run_folder(job, folder)),
        target_lufs=_target_lufs(job),
        tracks=job.buses,
        existing=job.existing,
        rendered=_rendered(job),
        level=job.way.level,
        like=adjustments.like,
        depth_percent=adjustments.depth_percent,
        keep=adjustments.keep,
        ride_percent=adjustments.ride_percent,
    )
    mix.run(request, progress, deliver=deliver)


def _match(job: JobFile, folder: Path, progress: ProgressCallback) -> None:
    def deliver(written: Written, record: RunRecord) -> None:
        summary = (
            f"Fader moves of {Path(job.mixdown or '').name} recovered on {_listed(record)}. "
            f"{full_sentence(record.relation or '')}"
        )
        write_answer(folder, Answer(do=_instructions(job, written, record, summary)))

    request = match.MatchRequest(
        song=job.project,
        mixdown=job.mixdown,
        out=str(_run_folder(job, folder)),
        tracks=job.buses,
        rendered=_rendered(job),
    )
    match.run(request, progress, deliver=deliver)


def _learn(job: JobFile, folder: Path, progress: ProgressCallback) -> None:
    request = learn.LearnRequest(
        songs=[job.project],
        model=job.model_name,
        album=job.album,
        mixed_by=job.mixed_by,
        truth=job.truth,
        mixdown=job.mixdown,
        tracks=job.buses,
        rendered=_rendered(job),
    )
    result = learn.run(request, progress)
    summary = (
        f"The model {result.model} has learned {job.title} from its {job.truth} and now contains "
        f"{songs_in_words(result.songs)}. To mix with it, choose it in the Settings action or "
        "in the dialog of Auto-mix buses."
    )
    write_answer(
        folder, Answer(do=Instructions(undo=_undo_name(job), summary=summary, notes=[*result.warnings, *result.notes]))
    )


def _audit(job: JobFile, folder: Path, progress: ProgressCallback) -> None:
    request = audit.AuditRequest(target=job.project, out=str(_run_folder(job, folder)))
    result = audit.run(request, progress)
    instructions = Instructions(
        undo=_undo_name(job),
        summary=f"{result.title}: {result.summary[:1].lower()}{result.summary[1:]}",
        notes=[*result.warnings, *result.notes],
        report=next(iter(result.files.values())),
    )
    write_answer(folder, Answer(do=instructions))


def _instructions(job: JobFile, written: Written, record: RunRecord, summary: str) -> Instructions:
    """Return what writes a run's envelopes and record into the open project, and the choice of buses if it is new."""
    state = record_to_store(record)
    choices = {}
    if not job.selected and saved_choice(written.project) != job.buses:
        choices[BUSES_KEY] = as_value(job.buses)
    if job.verb == "mix" and job.options is not None and saved_options(written.project) != job.options:
        choices[OPTIONS_KEY] = options_value(job.options)
    state = msgspec.structs.replace(state, set={**state.set, **choices})
    return Instructions(
        undo=_undo_name(job),
        summary=summary,
        tracks=points_to_write(written),
        marks=marks_to_set(record),
        ext_state=state,
        notes=[*record.warnings, *(record.notes or ())],
        report=str(Path(record.folder or "") / "report.html"),
    )


def _rendered(job: JobFile) -> RenderedStems:
    if job.span_s is None:
        raise InputError("the job has no stems", remedy="run the action again")
    return RenderedStems(
        files=job.stems,
        span_s=job.span_s,
        write_s=job.selection_s if job.verb != "learn" else None,
        home=str(job.home) if job.home else None,
        highest_gain=job.top_gain,
        target=TARGETS[job.way.target],
    )


def _run_folder(job: JobFile, folder: Path) -> Path:
    """Return the new folder that the run's files go to."""
    plain = re.sub(r"[^\w .-]", "_", job.title).encode()[:_LONGEST_TITLE_BYTES].decode(errors="ignore")
    plain = plain.strip(". ") or "project"
    return kept_runs.folder() / f"{plain} {folder.name} {job.verb}"


def _target_lufs(job: JobFile) -> float | None:
    text = job.settings.get("target_lufs", "").strip()
    try:
        return float(text) if text else None
    except ValueError:
        raise InputError(
            f"the loudness {text[:80]!r} is not a number", option="Loudness", remedy="correct it in Settings"
        ) from None


def _undo_name(job: JobFile) -> str:
    return f"Faderwise: {job.action}"


def _listed(record: RunRecord) -> str:
    """Return the buses of a run as a phrase, of single tracks their number."""
    names = [bus.role for bus in record.buses]
    buses = list(dict.fromkeys(map(bus_of, names)))
    if buses != names:
        return f"{len(names)} tracks of {len(buses)} buses"
    return capitalised(listed(names))


_VERBS: dict[str, Callable[[JobFile, Path, ProgressCallback], None]] = {
    "mix": _mix,
    "match": _match,
    "learn": _learn,
    "audit": _audit,
    "edit": lambda job, folder, _progress: write_answer(folder, Answer(do=edit(job))),
    "revert": lambda job, folder, _progress: write_answer(folder, Answer(do=revert(job))),
}
