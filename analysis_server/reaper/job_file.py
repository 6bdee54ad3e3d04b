"""Job and result files of REAPER's bridge."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Literal

import msgspec

from analysis_server.server.protocol import Failure
from analysis_server.sources.project import Level
from analysis_server.verbs.adjust import Adjustments
from core.errors import InputError, require_text
from core.files import replacing, undecodable
from core.rpp.project import VOLUME

VERSION = 1
Verb = Literal["mix", "match", "learn", "audit", "edit", "revert", "compare"]
Span = tuple[float, float]
Target = Literal["volume", "pre-fx", "trim", "fader"]


class BusAnswers(msgspec.Struct, frozen=True, kw_only=True):
    """The texts of the dialog of buses: tracks by role, and further ``role = track`` pairs."""

    roles: dict[str, str]
    further: str = ""


class MixOptions(msgspec.Struct, frozen=True, kw_only=True):
    """How to mix, as texts of the dialog and the last answer about existing automation; an empty one is the default.

    Attributes
    ----------
    level : ``buses`` or ``tracks``.
    like : the path of a finished session, song folder or run whose balance to take over.
    depth : how much of the balance to apply, percent.
    keep : buses or tracks that are not changed, separated by semicolons.
    ride : ``bus = percent`` pairs, separated by semicolons.
    target : what to write on: ``volume``, ``pre-fx``, ``trim`` or ``fader``.
    part : the part to mix: ``all``, or a region's number or name; by default the razor edits or the time selection.
    existing : ``combine`` or ``replace``.
    """

    level: str = ""
    like: str = ""
    depth: str = ""
    keep: str = ""
    ride: str = ""
    target: str = ""
    existing: str = ""
    part: str = ""


class Way(msgspec.Struct, frozen=True, kw_only=True):
    """How to mix: the meaning of `MixOptions` for the project. `adjustments` as in `verbs.adjust`."""

    level: Level = "buses"
    target: Target = "volume"
    adjustments: Adjustments = Adjustments()


class EditAnswers(msgspec.Struct, frozen=True, kw_only=True):
    """The texts of the dialog of an edit."""

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
    phase : ``"plan"`` inspects the project, ``"do"`` runs the verb.
    title, project_path : the open project's name and file, ``""`` where it was never saved.
    project : the saved copy of the open project.
    selection_s, length_s : the time selection and the length, project time.
    top_gain : the highest gain of an envelope.
    settings : `model` and `target_lufs` of the user's settings.
    asks : whether the dialog of buses is shown although the buses are known.
    selected : the GUIDs of the selected tracks, where only these are mixed.
    answers : the answers of the dialog of buses, or None before it was shown.
    buses : the bus tracks' GUIDs by role.
    options, way : how to mix, as texts and what they mean; None before it is known.
    before : the envelopes' state chunks by GUID when the copy was made; used by the bridge only.
    stems, span_s : the rendered stems by GUID, and the part of the project that they cover.
    existing : what happens to existing automation.
    mixdown, truth, model_name, album, mixed_by : for `match` and `learn`.
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
    asks: bool = False
    selected: list[str] = []
    answers: BusAnswers | None = None
    buses: dict[str, list[str]] = {}
    options: MixOptions | None = None
    way: Way = Way()
    before: dict[str, str | None] = {}
    stems: dict[str, str] = {}
    span_s: Span | None = None
    existing: Literal["combine", "replace"] = "replace"
    mixdown: str | None = None
    truth: Literal["mixdown", "faders", "edits"] = "mixdown"
    model_name: str = ""
    album: str = ""
    mixed_by: Literal["me", "others"] = "me"
    run: int | None = None
    edit: EditAnswers | None = None

    @property
    def home(self) -> Path | None:
        """The folder of the open project, or None if it was never saved."""
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
    """A field of the dialog of buses and its first text."""

    role: str
    text: str


class PlannedRun(msgspec.Struct, frozen=True, kw_only=True):
    """A run of the project's history and its description."""

    number: int
    description: str


class Plan(msgspec.Struct, frozen=True, kw_only=True):
    """The information that the bridge needs before the work starts.

    Attributes
    ----------
    settled : whether the buses were chosen: earlier in this project, or in the dialog.
    problem : why the choice cannot be used, or None.
    fields, further : the dialog of buses, filled in.
    options, way : how to mix, as texts filled in and what they mean.
    render : the GUIDs of the tracks whose stems are needed.
    selection_s : the part of the project to mix, None for all of it.
    models, default_model : the available models, and the one that is used where none is named.
    automated : tracks to be written on that have volume automation.
    cautions : what may sound different than intended: missing media, soloed tracks, grouped faders.
    mixdown : a mixdown that was found, or None.
    runs, written_on : the runs of the history, and the tracks that any of them wrote on.
    envelopes : the envelopes that the runs wrote, as the GUID of the track and the envelope's name.
    edit : the settings of the last edit.
    """

    settled: bool = True
    problem: str | None = None
    fields: list[Field] = []
    further: str = ""
    buses: list[PlannedBus] = []
    options: MixOptions = MixOptions()
    way: Way = Way()
    render: list[str] = []
    selection_s: Span | None = None
    models: list[str] = []
    default_model: str = ""
    automated: list[str] = []
    cautions: list[str] = []
    mixdown: str | None = None
    runs: list[PlannedRun] = []
    written_on: list[str] = []
    envelopes: list[tuple[str, str]] = []
    edit: EditAnswers | None = None


class Points(msgspec.Struct, frozen=True, kw_only=True):
    """The points from `start_s` to `end_s`, both included (None: all points), are replaced by `points`.

    Each point is its time, linear gain, shape and tension.
    """

    start_s: float | None
    end_s: float | None
    points: Sequence[tuple[float, float, int, float]]


class Restoration(msgspec.Struct, frozen=True, kw_only=True):
    """The envelope's state chunk, or None to remove the envelope."""

    chunk: str | None


class WriteOn(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A change on one track: points of an envelope, the whole envelope, or the fader, a linear gain."""

    guid: str
    name: str
    envelope: str = VOLUME
    write: Points | None = None
    restore: Restoration | None = None
    fader: float | None = None


class ExtState(msgspec.Struct, frozen=True, kw_only=True):
    """Keys of the section `Faderwise` in the project's ext state."""

    set: dict[str, str] = {}
    delete: list[str] = []


class Instructions(msgspec.Struct, frozen=True, kw_only=True):
    """What the bridge does in one undo step called `undo`, and what it shows to the user.

    `marks` are the run ids to store on tracks by GUID, an empty one to remove it: undo restores them, unlike the ext
    state. `report` may be written after the instructions; it is complete when the file exists.
    """

    undo: str
    summary: str
    tracks: list[WriteOn] = []
    marks: dict[str, str] = {}
    ext_state: ExtState = ExtState()
    notes: list[str] = []
    report: str | None = None


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
    except (OSError, *undecodable()) as error:
        raise InputError(
            f"is not a job of this version ({error})", path=path, remedy="install Faderwise again"
        ) from error
    if job.version != VERSION:
        raise InputError(
            f"is a job of version {job.version}, and this program reads version {VERSION}",
            path=path,
            remedy="install Faderwise again",
        )
    require_text(job.project)
    return job


def write_answer(folder: Path, answer: Answer) -> None:
    """Write `result.json`, all or nothing.

    Raises
    ------
    DiskFullError, InputError
        The folder cannot be written to.
    """
    with replacing(folder / "result.json", keep_old=False) as temporary:
        temporary.write_bytes(msgspec.json.encode(answer))
