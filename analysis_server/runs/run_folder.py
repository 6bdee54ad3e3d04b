"""Read and update what a run wrote: a run folder (run.json, automation.csv, automation.json) or a project copy."""

from __future__ import annotations

import csv
import hashlib
import io
import math
import os
import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timezone
from itertools import pairwise
from pathlib import Path

import msgspec
import numpy as np

from analysis_server.paths import by_name, is_project
from core.automation.points import Automation, EnvelopePoints, Point, to_csv
from core.decibels import LOWEST_DB, db_to_gain, heard_db
from core.errors import InputError, suggestion
from core.files import FileSet, read_whole, recover, replacing, require_folder, undecodable, write_text
from core.rpp.project import Project, read_project
from core.runs import store
from core.runs.audit import Audited, audit_points, audit_project
from core.runs.merge import edits_between
from core.runs.record import RunRecord, problem_of, with_id
from core.runs.store import latest_tracks

NAME = "run.json"
FORMAT, VERSION = "faderwise-runs", 1
FIRST, _UNKNOWN = "first run", "unknown"
"""What `RunFile.mixed` is for the automation of the first run, and for a folder that an earlier version edited."""


class RunFile(msgspec.Struct, frozen=True, kw_only=True):
    """The content of run.json; `runs` earliest first.

    `mixed` is the automation that mix.wav was rendered from, as `automation_hash` returns it. Where it is left
    out, that is the automation of the only run; with edits, which earlier versions wrote, it is unknown.
    """

    format: str = FORMAT
    version: int = VERSION
    runs: list[RunRecord]
    mixed: str | msgspec.UnsetType = msgspec.UNSET

    @property
    def title(self) -> str:
        """The song's title."""
        return self.runs[-1].title


def write(folder: Path, file: RunFile) -> None:
    """Write the file into `folder`, all or nothing."""
    write_text(folder / NAME, _run_json(file))


def _run_json(file: RunFile) -> str:
    if file.mixed == _mixed_where_left_out(file):
        file = msgspec.structs.replace(file, mixed=msgspec.UNSET)
    return msgspec.json.encode(file).decode() + "\n"


def _mixed_where_left_out(file: RunFile) -> str:
    return FIRST if len(file.runs) == 1 else _UNKNOWN


def read(folder: Path) -> list[RunRecord]:
    """Return the runs whose results are in `folder`, as `read_file` does."""
    return read_file(folder).runs


def read_file(folder: Path) -> RunFile:
    """Return the content of the run.json in `folder`.

    Raises
    ------
    InputError
        The file does not exist or is damaged.
    """
    path = folder / NAME
    target, mark, number = str(folder).rpartition("#")
    if mark and number.isdecimal() and not folder.exists() and Path(target).exists():
        raise InputError("only compare accepts the number of a run", path=folder, remedy=f"give {target}")
    require_folder(folder, "give a folder that mix or match wrote, or a project")
    recover(folder)
    try:
        file = msgspec.json.decode(read_whole(path), type=RunFile)
    except FileNotFoundError:
        own = Path(f"{Path(os.path.realpath(folder)).name}{COPY_SUFFIX}")  # the default output folder of a song
        remedy = f"give {own}" if (own / NAME).is_file() else "give a folder that mix or match wrote, or a project"
        raise InputError(f"has no {NAME}", path=folder, remedy=remedy) from None
    except OSError as error:
        raise InputError(f"cannot be read ({error.strerror})", path=path, remedy="check its permissions") from error
    except undecodable() as error:
        raise InputError(f"is damaged ({error})", path=path, remedy="mix or match the song again") from error
    problem = next(filter(None, map(problem_of, file.runs)), None)
    if problem:
        raise InputError(
            f"contains a run that cannot be used ({problem})", path=path, remedy="mix or match the song again"
        )
    if any(later.number <= run.number for run, later in pairwise(file.runs)):
        raise InputError("contains runs that are out of order", path=path, remedy="mix or match the song again")
    if file.format != FORMAT or file.version > VERSION or not file.runs:
        raise InputError(
            "is not a record of runs that this version reads", path=path, remedy="update Faderwise or mix again"
        )
    if file.mixed is msgspec.UNSET:
        file = msgspec.structs.replace(file, mixed=_mixed_where_left_out(file))
    return file


def refuse_run_of_project(folder: Path, runs: Sequence[RunRecord]) -> None:
    """Raise an `InputError` where the runs are of a project, which has their automation and their history."""
    if runs[-1].folder is None:
        return
    name = f"{runs[-1].title.removesuffix(COPY_SUFFIX)}{COPY_SUFFIX}.RPP"
    places = [Path(os.path.normpath(folder / up)) for up in (".", "..", "../..", "../../..")]
    copies = (copy for place in places for copy in (place / name, *earlier_copies(place / name)))
    copy = next((one for one in copies if any(run.id == runs[-1].id for run in runs_of_copy(one))), None)
    raise InputError(
        "is the folder of a project's run, whose automation is in the project",
        path=folder,
        remedy=f"give {copy}" if copy else "give the project",
    )


def read_if_there(folder: Path) -> list[RunRecord]:
    """Return the runs whose results are in `folder`, or none if they cannot be read."""
    try:
        return read(folder)
    except InputError:
        return []


def dated(record: RunRecord, known: Sequence[RunRecord]) -> RunRecord:
    """Return the record with its id and date, or with those of the same run in `known`; a date is not changed."""
    if record.made_at:
        return record
    named = with_id(record)
    same = next((run for run in known if run.id == named.id), None)
    now = datetime.now(timezone.utc).replace(microsecond=0).isoformat()
    return msgspec.structs.replace(named, made_at=same.made_at if same else now)


CSV, JSON, MIX = "automation.csv", "automation.json", "mix.wav"
_LOUDEST_DB = 60.0
_SEPARATORS = ",;\t"
"""What spreadsheets put between the fields of a CSV file; with the last two, numbers may have decimal commas."""


class FilePoint(msgspec.Struct, frozen=True, kw_only=True):
    """A point of automation.json; gains are linear in dB from here to the next one.

    A point that was written by hand may have only one of the gains.
    """

    time_s: float
    gain_db: float | None = None
    gain: float | None = None
    shape: str = "linear"


class BusAutomation(msgspec.Struct, frozen=True, kw_only=True):
    """One bus's stem, by file name, and its points."""

    stem: str = ""
    points: list[FilePoint]


class _Buses(msgspec.Struct):
    buses: dict[str, BusAutomation]


class AutomationFile(msgspec.Struct, frozen=True, kw_only=True):
    """The content of automation.json."""

    format: str = "faderwise-automation"
    version: int = 1
    made_by: str
    verb: str
    title: str
    preset: str
    model: str | None
    duration_s: float
    sample_rate: int
    tolerance_db: float
    range_s: tuple[float, float] | None
    buses: dict[str, BusAutomation]
    warnings: list[str]


def file_points(automation: Automation) -> dict[str, list[FilePoint]]:
    """Return the points of every bus as automation.json has them."""
    return {
        bus: [
            FilePoint(time_s=round(time_s, 6), gain_db=round(gain_db, 4), gain=round(float(db_to_gain(gain_db)), 8))
            for time_s, gain_db in zip(points.time_s.tolist(), points.gain_db.tolist(), strict=True)
        ]
        for bus, points in automation.items()
    }


def to_json(file: AutomationFile) -> str:
    """Return the text of automation.json."""
    return msgspec.json.format(msgspec.json.encode(file), indent=1).decode() + "\n"


@dataclass(frozen=True)
class AutomationFolder:
    """The folder's record of runs, and the points of each bus as they are now."""

    path: Path
    file: RunFile
    now: Automation

    @property
    def runs(self) -> list[RunRecord]:
        """The runs, earliest first."""
        return self.file.runs


def read_automation_folder(folder: Path) -> AutomationFolder:
    """Return the folder's runs and points; of two files, the one that was edited counts.

    Raises
    ------
    InputError
        A file is missing or damaged or has a bus that the runs do not have, both were edited and differ, or the runs
        are of a project.
    """
    file = read_file(folder)
    refuse_run_of_project(folder, file.runs)
    known = [track.role for track in latest_tracks(file.runs)]
    return AutomationFolder(folder, file, automation_in(texts(folder), file.runs, folder, known))


def automation_in(
    content: Mapping[str, str], runs: Sequence[RunRecord], folder: Path, known: Collection[str] | None = None
) -> Automation:
    """Return the points in the text of the automation files of `folder` (`texts`), as they are after `runs`.

    Buses that are not in `known` are refused; earlier versions stored text with such buses.

    Raises
    ------
    InputError
        There is no text, one is of another file or damaged, or both were edited and differ.
    """
    if not set(content) <= {CSV, JSON}:
        raise InputError(f"would write {', '.join(content)}", path=folder / NAME, remedy="mix or match the song again")
    written = {track.role: track.written for track in latest_tracks(runs)}
    readers = {CSV: _from_csv, JSON: _from_json}
    found = {name: readers[name](text, folder / name, known) for name, text in content.items()}
    if not found:
        raise InputError(f"has neither {CSV} nor {JSON}", path=folder, remedy="mix or match the song again")
    edited = [name for name, points in found.items() if not _are_same(written, points)]
    if len(edited) == 2 and not _are_same({bus: points.points() for bus, points in found[CSV].items()}, found[JSON]):
        raise InputError(f"{CSV} and {JSON} were both edited, and differ", path=folder, remedy="move one of them away")
    return found[edited[0] if edited else next(iter(found))]


def automation_hash(automation: Automation, runs: Sequence[RunRecord]) -> str:
    """Return a hash of the automation, or `FIRST` where it is as the first of `runs` wrote it."""
    if _are_same({track.role: track.written for track in runs[0].tracks}, automation):
        return FIRST
    return hashlib.sha256(to_csv(automation).encode()).hexdigest()[:16]


def texts(folder: Path) -> dict[str, str]:
    """Return the text of the automation files, by name."""
    return {name: _text(folder / name) for name in (CSV, JSON) if (folder / name).is_file()}


def write_automation_folder(
    folder: AutomationFolder, automation: Automation, file: RunFile, files: FileSet, *, verb: str
) -> dict[str, str]:
    """Add points and runs to a set of files and return the paths by name.

    Raises
    ------
    InputError
        The folder cannot be written to, or its automation.json is damaged: nothing is written then.
    """
    written = {CSV: to_csv(automation)}
    if (folder.path / JSON).is_file():
        written[JSON] = to_json(_with_points(folder.path / JSON, automation, verb))
    for name, text in {**written, NAME: _run_json(file)}.items():
        write_text(files.new(folder.path / name, keep_old=False), text)
    return by_name(folder.path / name for name in (*written, NAME))


def write_back(folder: Path, before: Mapping[str, str], file: RunFile, files: FileSet) -> dict[str, str]:
    """Add the previous content of files, and the runs up to then, to a set; the present files are set aside.

    Raises
    ------
    InputError
        The folder cannot be written to.
    """
    for name, text in {**before, NAME: _run_json(file)}.items():
        write_text(files.new(folder / name), text)
    return by_name(folder / name for name in (*before, NAME))


_PAGES = ("report.html", "audit.html")
_END_OF_HEADER = b"</header>"
_MARK = re.compile(rb'\n<div class="notes" id="since">.*?</div>', re.DOTALL)
_STATE = re.compile(rb'<meta name="automation" content="([^"]*)">')
_LINKS = (
    (b' data-whole="mix.wav"', b' data-whole-then="mix.wav"'),
    (b' data-does="whole"', b' data-was="whole" disabled'),
)
_CHANGED = "The automation was changed after this page was made; faderwise audit shows the present state."
_OTHER_MIX = "The file mix.wav is no longer the mix of this page, so the page does not play it."


def with_state(page: str, folder: Path) -> str:
    """Return an audit's page with the state of the automation in `folder`, by which `mark_pages` recognises it."""
    now = read_automation_folder(folder)
    state = automation_hash(now.now, now.runs)
    return page.replace("</head>", f'<meta name="automation" content="{state}">\n</head>', 1)


def mark_pages(folder: Path, files: FileSet, file: RunFile, automation: Automation) -> None:
    """Add the folder's pages to a set, with notes where they are not of the present automation and of mix.wav.

    The report and an audit without changes play mix.wav; they may do so while that is the first run's.
    """
    state = automation_hash(automation, file.runs)
    has_own_mix = file.mixed == FIRST
    for path in (folder / name for name in _PAGES):
        page = old = path.read_bytes() if path.is_file() else b""
        if _END_OF_HEADER not in page:
            continue
        for link, cut in _LINKS:
            page = page.replace(cut, link) if has_own_mix else page.replace(link, cut)
        shown = _STATE.search(page[: page.find(_END_OF_HEADER)])
        made_of = FIRST if path.name == "report.html" else shown[1].decode() if shown else _UNKNOWN
        notes = [] if made_of == state else [_CHANGED]
        notes += [_OTHER_MIX] if _LINKS[0][1] in page else []
        mark = "".join(["<li>" + note + "</li>" for note in notes])
        mark = mark and f'\n<div class="notes" id="since"><h2>Note{"s" * (len(notes) > 1)}</h2>\n<ul>{mark}</ul></div>'
        start = page.find(_END_OF_HEADER) + len(_END_OF_HEADER)
        found = _MARK.match(page, start)
        end = found.end() if found else start
        if page != old or page[start:end] != mark.encode():
            with files.new(path, keep_old=False).open("wb") as new:  # a page has megabytes of sound: no further copies
                new.writelines([page[:start], mark.encode(), memoryview(page)[end:]])


def _with_points(path: Path, automation: Automation, verb: str) -> AutomationFile:
    try:
        file = msgspec.json.decode(path.read_bytes(), type=AutomationFile)
    except undecodable() as error:
        raise InputError(f"is damaged ({error})", path=path, remedy="move it away and edit again") from error
    points = file_points(automation)
    buses = {
        bus: BusAutomation(stem=file.buses[bus].stem if bus in file.buses else "", points=points[bus]) for bus in points
    }
    return msgspec.structs.replace(file, verb=verb, buses=buses)


def _are_same(written: Mapping[str, Sequence[Point]], now: Automation) -> bool:
    return set(written) == set(now) and all(edits_between(written[bus], now[bus].points()).are_none for bus in now)


def _from_csv(text: str, path: Path, known: Collection[str] | None) -> dict[str, EnvelopePoints]:
    rows: dict[str, list[tuple[float, float]]] = {}
    text = text.removeprefix("\ufeff")
    if not text.strip():
        other = path.with_name(JSON)
        remedy = f"delete it, so that {JSON} is used" if other.is_file() else "mix or match the song again"
        raise InputError("is empty", path=path, remedy=remedy)
    first = text.lstrip().splitlines()[0]
    separator = max(_SEPARATORS, key=first.count)
    reader = csv.DictReader(io.StringIO(text, newline=""), delimiter=separator)
    try:
        if not {"bus", "time_s", "gain_db"} <= set(reader.fieldnames or ()):
            remedy = "restore its first line: bus,time_s,gain_db,shape"
            raise InputError("has no columns bus, time_s and gain_db", path=path, remedy=remedy)
        for row in reader:
            where = f"{path}, line {reader.line_num}"
            time_s, gain_db = (_number(row[name], where, separator) for name in ("time_s", "gain_db"))
            if time_s < 0.0:
                raise InputError(f"time_s {time_s:g} is before 0 s", path=where, remedy="correct it")
            if gain_db > _LOUDEST_DB:
                problem = f"gain_db {gain_db:g} is above {_LOUDEST_DB:g} dB"
                raise InputError(problem, path=where, remedy="correct it")
            bus = (row["bus"] or "").strip()
            _require_bus(bus, known, where)
            rows.setdefault(bus, []).append((time_s, gain_db))
    except csv.Error as error:
        where = f"{path}, line {reader.line_num}"
        raise InputError(f"is damaged ({error})", path=where, remedy="correct it") from error
    return _sorted(rows, path)


def _text(path: Path) -> str:
    try:
        return path.read_bytes().decode()
    except UnicodeDecodeError as error:
        raise InputError(f"is not UTF-8 text ({error.reason})", path=path, remedy="save it as UTF-8") from error


def _from_json(text: str, path: Path, known: Collection[str] | None) -> dict[str, EnvelopePoints]:
    try:
        file = msgspec.json.decode(text, type=_Buses)
    except undecodable() as error:
        raise InputError(f"is damaged ({error})", path=path, remedy="correct it, or move it away") from error
    for bus in file.buses:
        _require_bus(bus, known, path)
    rows = {bus: [(point.time_s, _level(point, path)) for point in there.points] for bus, there in file.buses.items()}
    return _sorted(rows, path)


def _require_bus(bus: str, known: Collection[str] | None, where: str | Path) -> None:
    if known is not None and bus not in known:
        remedy = suggestion(bus, known).strip() or f"the run has {', '.join(known)}"
        raise InputError(f"no bus {bus!r}", path=where, remedy=remedy)


def _level(point: FilePoint, path: Path) -> float:
    in_db = None if point.gain is None else heard_db(point.gain)
    if (
        point.gain_db is not None
        and in_db is not None
        and abs(point.gain_db - in_db) > 0.01
        and point.gain_db > LOWEST_DB
    ):
        raise InputError(
            f"the point at {point.time_s:g} s has gain_db {point.gain_db:g} and gain {point.gain:g}, which differ",
            path=path,
            remedy="delete the one that you did not change",
        )
    level = point.gain_db if point.gain_db is not None else in_db
    if level is None:
        raise InputError(f"the point at {point.time_s:g} s has no gain_db", path=path, remedy="give it one")
    return level


def _number(text: str | None, where: str, separator: str) -> float:
    """Return the number in a field; where fields are not separated by commas, one may be the decimal comma."""
    try:
        value = float((text or "").replace(",", "." if separator != "," else ","))
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        raise InputError(f"{text!r} is not a number", path=where, remedy="correct it")
    return value


def _sorted(rows: Mapping[str, Sequence[tuple[float, float]]], path: Path) -> dict[str, EnvelopePoints]:
    points = {}
    for bus, pairs in rows.items():
        if not pairs:
            raise InputError(f"{bus} has no points", path=path, remedy="add one")
        times, levels = np.array(sorted(pairs, key=lambda pair: pair[0])).T
        if times[0] < 0.0 or levels.max() > _LOUDEST_DB:
            raise InputError(
                f"{bus} has a point before 0 s or above {_LOUDEST_DB:g} dB", path=path, remedy="correct it"
            )
        points[bus] = EnvelopePoints(times, np.maximum(levels, LOWEST_DB))
    return points


COPY_SUFFIX = "-faderwise"


def copy_path(project: Path, out: str | None = None) -> Path:
    """Return where a project's copy goes: `<name>-faderwise.RPP`; a copy's copy takes its place."""
    folder = Path(out) if out else project.parent
    return folder / f"{project.stem.removesuffix(COPY_SUFFIX)}{COPY_SUFFIX}.RPP"


def write_copy(path: Path, content: bytes) -> None:
    """Write a project copy; an earlier copy with other content is set aside.

    Raises
    ------
    InputError
        The folder cannot be written to, or the disk is full.
    """
    with replacing(path) as temporary:
        temporary.write_bytes(content)


def earlier_copies(path: Path) -> list[Path]:
    """Return the copies that were at `path` before and were set aside, the oldest first."""
    dated = re.compile(rf"{re.escape(path.stem)}\.\d{{8}}-\d{{6}}(-\d+)?{re.escape(path.suffix)}")
    return sorted((one for one in path.parent.iterdir() if dated.fullmatch(one.name)), key=lambda one: one.name)


def runs_of_copy(copy: Path) -> tuple[RunRecord, ...]:
    """Return the runs of an earlier copy that can be read."""
    recover(copy.parent)
    try:
        return store.read_history(read_project(copy))
    except InputError:
        return ()


def refuse_the_original(path: Path, project: Project) -> None:
    """Raise an `InputError` where the copy would be the project itself under another name.

    A copy that is mixed or edited again may be replaced: it is set aside first.
    """
    if os.path.realpath(path) == os.path.realpath(project.path) and project.path.name != path.name:
        raise InputError(
            "is the project itself, which is never written", path=path, remedy="choose another folder with --out"
        )


def project_with_runs(path: Path) -> Project:
    """Return the project at `path`, which must have runs of Faderwise in force.

    Raises
    ------
    InputError
        It has none; a copy next to it that has some is named.
    """
    recover(path.parent)
    project = read_project(path)
    try:
        store.require_history(project)
    except InputError as error:
        copy = copy_path(path)
        if store.has_runs(project) or not copy.is_file() or copy.name == path.name:
            raise
        raise InputError(error.problem, path=path, remedy=f"give {copy}") from None
    return project


def audit_target(target: str) -> Audited:
    """Return the present state of a project with runs, or of a folder that `mix` or `match` wrote.

    Raises
    ------
    InputError
        It has no run, or a file of it is damaged.
    """
    if is_project(target):
        return audit_project(project_with_runs(Path(target)))
    folder = read_automation_folder(Path(target))
    return audit_points(folder.runs, folder.now)
