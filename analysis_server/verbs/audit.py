"""`faderwise audit`: show what a run wrote, why, and what has changed since, as one page."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import msgspec
import numpy as np

from analysis_server.paths import is_project
from analysis_server.report import audio
from analysis_server.report.audio import Sounds
from analysis_server.report.audit import AuditResult, page_of, result_of
from analysis_server.report.page import render_report
from analysis_server.runs.kept_runs import which_run
from analysis_server.runs.run_folder import audit_target
from analysis_server.runs.run_stems import song_of
from core.audio.song import Song, open_song
from core.automation.points import EnvelopePoints, thin
from core.errors import InputError
from core.files import write_text
from core.progress import ProgressCallback, no_progress, part_of
from core.runs.audit import Audited

PAGE = "audit.html"


class AuditRequest(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Audit the latest run of `target` (a project with runs, or a folder of `mix`).

    The page goes into the folder `out`: by default the audited folder, or next to the project. `stems` is a folder of
    a project's stems, to hear the present mix; without `sound` the page has no players.
    """

    target: str
    out: str | None = None
    stems: str | None = None
    sound: bool = True
    difference: bool = False
    dry_run: bool = False


def run(request: AuditRequest, progress: ProgressCallback = no_progress) -> AuditResult:
    """Audit and write the page.

    Raises
    ------
    InputError
        There is nothing to audit, or the page cannot be written.
    """
    audited = audit_target(request.target)
    heard, figures, notes = _heard(request, audited, progress)
    folder = None if is_project(request.target) else Path(request.target)
    which = which_run(audited.basis.root, folder)
    result = result_of(audited, which, heard, figures, notes)
    if request.dry_run:
        return result
    path = _page_path(request)
    progress(0.7, "Writing page")
    page = render_report(page_of(result, audited, heard))
    progress(1.0, "Done")  # the last moment at which the work can be cancelled
    write_text(path, page)
    return msgspec.structs.replace(result, files={path.name: str(path)})


def _page_path(request: AuditRequest) -> Path:
    """Return where the page goes: by default into the audited folder or next to the project."""
    target = Path(request.target)
    folder, name = (target.parent, f"{target.stem}-{PAGE}") if is_project(request.target) else (target, PAGE)
    return Path(request.out or folder) / name


def _run_folder(request: AuditRequest, audited: Audited) -> Path | None:
    """Return the folder of the run's other files, where it is known."""
    if not is_project(request.target):
        return Path(request.target)
    folder = audited.basis.root.folder
    return Path(folder) if folder else None


def _heard(
    request: AuditRequest, audited: Audited, progress: ProgressCallback
) -> tuple[Sounds | None, Mapping[str, float], list[str]]:
    """Return the sounds of the page, the figures of the mix, and notes about them."""
    root = audited.basis.root
    if not request.sound:
        return None, root.figures, []
    folder = _run_folder(request, audited)
    kept = audio.load(folder / audio.NAME, root.id) if folder else None
    if kept is not None and request.stems is None and not request.difference and not _was_changed(audited):
        present = {name.replace("_after_", "_now_"): value for name, value in root.figures.items() if "_after_" in name}
        return _shifted(kept, root.start_s), {**root.figures, **present}, []
    song = _song(request, audited)
    if song is not None:
        changes_db = np.stack([track.now_db - track.written_db for track in audited.tracks], axis=1)
        curves_db = np.stack([track.now_db for track in audited.tracks], axis=1)
        audible = np.stack([np.isfinite(track.level_lufs) for track in audited.tracks], axis=1)
        start_s = audio.excerpt_start_s(
            audited.time_s - root.start_s, changes_db if changes_db.any() else curves_db, audible, song.duration_s
        )
        heard, (before, now) = audio.rendered(
            song,
            _automation(audited, song),
            start_s,
            with_difference=request.difference,
            progress=part_of(progress, 0.0, 0.7, "Measuring the present mix"),
        )
        measured = {
            "loudness_before_lufs": before.loudness_lufs,
            "loudness_now_lufs": now.loudness_lufs,
            "true_peak_before_dbtp": before.true_peak_dbtp,
            "true_peak_now_dbtp": now.true_peak_dbtp,
        }
        return _shifted(heard, root.start_s), {**root.figures, **measured}, []
    if kept is None:
        where = f"{folder} no longer contains" if folder else "no folder contains"
        return None, root.figures, [f"{where} the sounds of run {root.number}, so the page has no players"]
    notes = ["the sounds are of the mix as written, without later changes"] if _was_changed(audited) else []
    return _shifted(kept, root.start_s), root.figures, notes


def _song(request: AuditRequest, audited: Audited) -> Song | None:
    if request.stems is None:
        return song_of(audited.basis.root)
    song = open_song(Path(request.stems))
    missing = [bus for bus in audited.basis.buses if bus not in song.stems]
    if missing:
        raise InputError(
            f"has no stem of the {' or the '.join(missing)}", path=request.stems, remedy="add it, or omit --stems"
        )
    return song


def _was_changed(audited: Audited) -> bool:
    return audited.is_edited or any(run.of == audited.basis.root.id for run in audited.runs)


def _automation(audited: Audited, song: Song) -> dict[str, EnvelopePoints]:
    """Return what is heard now of each bus, in the stems' time; of several tracks of a bus, the first one's."""
    points: dict[str, EnvelopePoints] = {}
    for track in audited.tracks:
        if track.role in song.stems and track.role not in points:
            kept = thin(audited.time_s, track.now_db, 0.02)
            times = audited.time_s[kept] - audited.basis.root.start_s
            points[track.role] = EnvelopePoints(times, track.now_db[kept])
    silent = {bus: EnvelopePoints(np.zeros(1), np.zeros(1)) for bus in song.stems if bus not in points}
    return {bus: {**points, **silent}[bus] for bus in song.stems}


def _shifted(heard: Sounds, start_s: float) -> Sounds:
    """Return the sounds in the project's time."""
    players = tuple(replace(sound, start_s=sound.start_s + start_s) for sound in heard.players)
    return replace(heard, players=players)
