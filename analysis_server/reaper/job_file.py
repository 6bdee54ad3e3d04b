"""Job and result files of REAPER's bridge."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Literal

import msgspec

from core.decoding import UNDECODABLE
from core.errors import InputError

VERSION = 1
Verb = Literal["mix", "match", "learn", "audit", "edit", "revert"]
Span = tuple[float, float]


class BusAnswers(msgspec.Struct, frozen=True, kw_only=True):
    """What the user wrote into the dialog of buses: tracks by role, and further ``role = track`` pairs."""

    roles: dict[str, str]
    further: str = ""


class EditAnswers(msgspec.Struct, frozen=True, kw_only=True):
    """What the user wrote into the dialog of an edit, as it stands there."""

    depth: str = "100"
    moves: str = "100"
    smooth: str = "0"
    limit: str = ""
    freeze: str = ""
    offsets: dict[str, str] = {}


class JobFile(msgspec.Struct, frozen=True, kw_only=True):
    """A job.

    Attributes
    ----------
    phase : ``"plan"`` finds out, ``"do"`` does it.
    title, project_path : the open project's name and file, ``""`` where it was never saved.
    project : the copy of it that is worked on.
    selection_s, length_s : the time selection and the length, project time.
    top_gain : the highest gain an envelope can have.
    settings : `model` and `target_lufs`, as the user's settings have them.
    answers : what was answered about the buses, or None as long as nothing was.
    buses : the bus tracks' GUIDs by role.
    before : the envelopes' texts by GUID when the copy was made; for REAPER alone, here they are the tracks that count.
    stems, span_s : the rendered stems by GUID, and the stretch of the project they are of.
    existing : what becomes of automation that is there.
    mixdown, truth, model_name : for `match` and `learn`.
    run, edit : for `revert` and `edit`.
    """

    version: int
    action: str
    verb: Verb
    phase: Literal["plan", "do"]
    title: str
    project: str
    project_path: str = ""
    selection_s: Span | None = None
    length_s: float = 0.0
    top_gain: float = 2.0
    settings: dict[str, str] = {}
    answers: BusAnswers | None = None
    buses: dict[str, list[str]] = {}
    before: dict[str, str | None] = {}
    stems: dict[str, str] = {}
    span_s: Span | None = None
    existing: Literal["combine", "replace"] = "replace"
    mixdown: str | None = None
    truth: Literal["mixdown", "faders", "edits"] = "mixdown"
    model_name: str = ""
    run: int | None = None
    edit: EditAnswers | None = None

    @property
    def home(self) -> Path | None:
        """The folder the open project lies in, or None where it was never saved."""
        return Path(self.project_path).parent if self.project_path else None


class PlannedTrack(msgspec.Struct, frozen=True, kw_only=True):
    """A bus track."""

    guid: str
    number: int
    name: str


class PlannedBus(msgspec.Struct, frozen=True, kw_only=True):
    """A bus and its tracks."""

    role: str
    tracks: list[PlannedTrack]


class Field(msgspec.Struct, frozen=True, kw_only=True):
    """A field of the dialog of buses, and what stands in it at first."""

    role: str
    text: str


class PlannedRun(msgspec.Struct, frozen=True, kw_only=True):
    """A run that the project's history knows, in a few words."""

    number: int
    told: str


class Plan(msgspec.Struct, frozen=True, kw_only=True):
    """What is to be known before the work starts.

    Attributes
    ----------
    settled : whether the buses are known for sure: chosen earlier in this project, or just now.
    problem : a sentence on what was wrong with the choice, or None.
    fields, further : the dialog of buses, filled in.
    models, default_model : the models there are, and the one that is taken where none is named.
    automated : bus tracks on which volume automation stands.
    cautions : what would be heard otherwise than meant: missing media, soloed tracks.
    mixdown : a mixdown that was found, or None.
    runs, written_on : the history's runs, and the tracks any of them wrote on.
    edit : the settings of an edit that are in force.
    """

    settled: bool = True
    problem: str | None = None
    fields: list[Field] = []
    further: str = ""
    buses: list[PlannedBus] = []
    models: list[str] = []
    default_model: str = ""
    automated: list[str] = []
    cautions: list[str] = []
    mixdown: str | None = None
    runs: list[PlannedRun] = []
    written_on: list[str] = []
    edit: EditAnswers | None = None


class Points(msgspec.Struct, frozen=True, kw_only=True):
    """The points from `start_s` to `end_s`, both with it (None: all of them) become `points`.

    Each point is its time, linear gain, shape and tension.
    """

    start_s: float | None
    end_s: float | None
    points: list[tuple[float, float, int, float]]


class Restoration(msgspec.Struct, frozen=True, kw_only=True):
    """The envelope's whole text, or None where there is to be no envelope."""

    chunk: str | None


class WriteOn(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What is to change on one track: points, or the whole envelope."""

    guid: str
    name: str
    write: Points | None = None
    restore: Restoration | None = None


class ExtState(msgspec.Struct, frozen=True, kw_only=True):
    """Keys of the section `Faderwise` in the project's ext state."""

    set: dict[str, str] = {}
    delete: list[str] = []


class Instructions(msgspec.Struct, frozen=True, kw_only=True):
    """What the bridge has to do, in one undo step called `undo`, and to tell."""

    undo: str
    summary: str
    tracks: list[WriteOn] = []
    ext_state: ExtState = ExtState()
    notes: list[str] = []
    report: str | None = None


class Failure(msgspec.Struct, frozen=True, kw_only=True):
    """What went wrong, as a sentence for the user; `code` as in docs/reference/protocol.md."""

    message: str
    code: str


class Answer(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """`result.json`: one of the three."""

    plan: Plan | None = None
    do: Instructions | None = None
    error: Failure | None = None


def read_job(folder: Path) -> JobFile:
    """Return the job in a folder.

    Raises
    ------
    InputError
        There is none, or another version of the bridge wrote it.
    """
    path = folder / "job.json"
    try:
        job = msgspec.json.decode(path.read_bytes(), type=JobFile)
    except (OSError, *UNDECODABLE) as error:
        raise InputError(f"is no job of this version ({error})", path=path, remedy="install Faderwise anew") from error
    if job.version != VERSION:
        raise InputError(
            f"is version {job.version} where {VERSION} is known", path=path, remedy="install Faderwise anew"
        )
    return job


_FRONT = re.compile(r"(^|: )--(?:bus\b:? ?)?(?=\S)")
_BETWEEN_CLAUSES = re.compile(r"(; or |; |, or |\. |, use (?=--))")
_OPTION = re.compile(r"--[a-z]")


def in_reaper(sentence: str, job: JobFile) -> str:
    """Return a sentence of a verb as REAPER's user should read it: clauses that name an option are left out."""
    for path in filter(None, (job.project, job.project.replace("\\", "/"))):
        sentence = sentence.replace(path, job.title)
    first, *rest = _BETWEEN_CLAUSES.split(_FRONT.sub(r"\1", sentence))
    clauses = zip(rest[::2], rest[1::2], strict=True)
    return "".join([first, *(between + clause for between, clause in clauses if not _OPTION.search(clause))])
