"""Run a job of REAPER's bridge on the project's copy."""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec

from analysis_server.models import DEFAULT_MODEL
from analysis_server.outputs import kept_runs
from analysis_server.paths import home
from analysis_server.reaper.edit_job import edit, revert
from analysis_server.reaper.inspect_project import BUSES_KEY, as_value, opened, saved_choice
from analysis_server.reaper.instructions import ext_state_to_change, points_to_write
from analysis_server.reaper.job_file import ExtState, Instructions, JobFile, in_reaper
from analysis_server.server.client import perform
from analysis_server.sources.session import RenderedStems, SongRequest
from analysis_server.verbs.audit import AuditRequest
from analysis_server.verbs.audit import run as run_audit
from analysis_server.verbs.learn import LearnRequest, LearnResult
from analysis_server.verbs.match import MatchRequest, MatchResult
from analysis_server.verbs.mix import MixRequest, MixResult
from core.errors import InputError
from core.progress import ProgressCallback
from core.rpp.project import Project, read_project

_LONGEST_TITLE_BYTES = 120
"""Leaves room in a folder's name, and in Windows' paths, for what follows the title."""
_MOST_LOSSES = 2


def do(job: JobFile, folder: Path, progress: ProgressCallback) -> Instructions:
    """Do the job and return what the bridge has to do.

    Raises
    ------
    InputError
        As the verb itself.
    ServerError
        The server ended the job.
    """
    return _VERBS[job.verb](_Work(job, folder, progress))


@dataclass(frozen=True)
class _Work:
    job: JobFile
    folder: Path
    progress: ProgressCallback

    def rendered(self) -> RenderedStems:
        job = self.job
        if job.span_s is None:
            raise InputError("the job has no stems", remedy="run the action again")
        return RenderedStems(
            files=job.stems,
            span_s=job.span_s,
            write_s=job.selection_s if job.verb != "learn" else None,
            home=str(job.home) if job.home else None,
            highest_gain=job.top_gain,
        )

    def performed(self, request: SongRequest | LearnRequest) -> Any:
        """Return the verb's result; the server does it, which is started if need be, and once more if it is lost."""
        return perform(request, self.progress, name="REAPER", folder=home(), starts=True, most_losses=_MOST_LOSSES)

    def run_folder(self) -> Path:
        """Return the folder that the run's files go to: a new one."""
        plain = re.sub(r"[^\w .-]", "_", self.job.title).encode()[:_LONGEST_TITLE_BYTES].decode(errors="ignore")
        plain = plain.strip(". ") or "project"
        return kept_runs.folder() / f"{plain} {self.folder.name} {self.job.verb}"

    def instructions(self, out: Path, summary: str, warnings: list[str]) -> Instructions:
        """Return what turns the open project into the one that was written into `out`."""
        before, after = opened(self.job), self._taken(out)
        changes = ext_state_to_change(before, after)
        if saved_choice(before) != self.job.buses:
            changes = msgspec.structs.replace(changes, set={**changes.set, BUSES_KEY: as_value(self.job.buses)})
        return Instructions(
            undo=f"Faderwise: {self.job.action}",
            summary=summary,
            tracks=points_to_write(before, after),
            ext_state=changes,
            notes=self.told(warnings),
            report=str(out / "report.html"),
        )

    def told(self, warnings: list[str]) -> list[str]:
        return [in_reaper(warning, self.job) for warning in warnings]

    def _taken(self, out: Path) -> Project:
        """Return the project that a verb wrote, and take its file out of the run's folder: REAPER has it open."""
        written = next(out.glob("*.RPP"))
        kept = self.folder / "written" / "project.RPP"
        kept.parent.mkdir(exist_ok=True)
        shutil.move(written, kept)
        return read_project(kept)


def _mix(work: _Work) -> Instructions:
    job, out = work.job, work.run_folder()
    request = MixRequest(
        song=job.project,
        model=job.settings.get("model") or DEFAULT_MODEL,
        out=str(out),
        target_lufs=_target_lufs(job),
        tracks=job.buses,
        existing=job.existing,
        rendered=work.rendered(),
    )
    result: MixResult = work.performed(request)
    summary = (
        f"{_and(list(result.n_points))} mixed with the model {result.model}: {result.loudness_after_lufs:.1f} LUFS, "
        f"where the plain buses have {result.loudness_before_lufs:.1f}. One undo step takes it back."
    )
    return work.instructions(out, summary, result.warnings)


def _target_lufs(job: JobFile) -> float | None:
    text = job.settings.get("target_lufs", "").strip()
    try:
        return float(text) if text else None
    except ValueError:
        raise InputError(f"the loudness {text[:80]!r} is no number", remedy="correct it in Settings") from None


def _match(work: _Work) -> Instructions:
    job, out = work.job, work.run_folder()
    request = MatchRequest(
        song=job.project, mixdown=job.mixdown, out=str(out), tracks=job.buses, rendered=work.rendered()
    )
    result: MatchResult = work.performed(request)
    summary = (
        f"The fader moves of {Path(job.mixdown or '').name}, recovered on {_and(list(result.n_points))}: they explain "
        f"{100.0 * result.fit:.1f} % of it. One undo step takes them back."
    )
    return work.instructions(out, summary, result.warnings)


def _learn(work: _Work) -> Instructions:
    job = work.job
    request = LearnRequest(
        songs=[job.project],
        model=job.model_name,
        truth=job.truth,
        mixdown=job.mixdown,
        tracks=job.buses,
        rendered=work.rendered(),
    )
    result: LearnResult = work.performed(request)
    known = f"{len(result.songs)} songs" if len(result.songs) > 1 else "one song"
    summary = (
        f"The model {result.model} has learned {job.title} from its {job.truth} and now knows {known}. Choose it in "
        "Settings, and Auto-mix buses mixes with it."
    )
    return Instructions(
        undo=f"Faderwise: {job.action}", summary=summary, ext_state=ExtState(), notes=work.told(result.warnings)
    )


def _audit(work: _Work) -> Instructions:
    request = AuditRequest(target=work.job.project, out=str(work.run_folder()))
    result = run_audit(request, work.progress)
    return Instructions(
        undo=f"Faderwise: {work.job.action}",
        summary=f"{result.title}: {result.summary}",
        notes=work.told(result.warnings),
        report=next(iter(result.files.values())),
    )


def _and(parts: list[str]) -> str:
    joined = " and ".join([", ".join(parts[:-1]), parts[-1]] if len(parts) > 1 else parts)
    return f"{joined[:1].upper()}{joined[1:]}"


_VERBS: dict[str, Callable[[_Work], Instructions]] = {
    "mix": _mix,
    "match": _match,
    "learn": _learn,
    "audit": _audit,
    "edit": lambda work: edit(work.job),
    "revert": lambda work: revert(work.job),
}
