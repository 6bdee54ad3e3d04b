"""What clients and server say to each other: docs/reference/protocol.md as msgspec structs."""

from __future__ import annotations

from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta

PROTOCOL_VERSION = 1

Id = Annotated[str, Meta(min_length=1, max_length=64)]
JobId = Annotated[str, Meta(pattern=r"^[0-9a-z-]{16,64}$")]
Path = Annotated[str, Meta(min_length=1, max_length=4096)]
Offset = Annotated[int, Meta(ge=0, le=1 << 62)]
State = Literal["queued", "running", "finished"]


class _Request(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag_field="type"):
    id: Id


class Hello(_Request, frozen=True, tag="hello"):
    """Which versions a client speaks."""

    versions: list[int]
    client: Annotated[str, Meta(max_length=200)]


class Shutdown(_Request, frozen=True, tag="shutdown"):
    """Stop, now or when idle; the version does not matter."""

    when: Literal["now", "idle"]
    version: int | None = None


class _VersionedRequest(_Request, frozen=True):
    version: int


class Heartbeat(_VersionedRequest, frozen=True, tag="heartbeat"):
    """The question whether the server is there."""


class JobRequest(_VersionedRequest, frozen=True):
    """A verb's `request` as job `job`."""

    job: JobId
    request: msgspec.Raw
    folder: Path | None = None
    within: list[Path] = []
    audio: Annotated[dict[Path, JobId], Meta(max_length=256)] = {}


class Learn(JobRequest, frozen=True, tag="learn"):
    """Learn a model."""


class Predict(JobRequest, frozen=True, tag="predict"):
    """Mix a song with a model."""


class Estimate(JobRequest, frozen=True, tag="estimate"):
    """Estimate a mixdown's gains."""


class Match(JobRequest, frozen=True, tag="match"):
    """Recover a mixdown's fader moves."""


class Evaluate(JobRequest, frozen=True, tag="evaluate"):
    """Leave-one-song-out errors."""


class _AboutJob(_VersionedRequest, frozen=True):
    job: JobId


class AskJob(_AboutJob, frozen=True, tag="job"):
    """Send what becomes of a job here."""


class Cancel(_AboutJob, frozen=True, tag="cancel"):
    """End a job."""


class Received(_AboutJob, frozen=True, tag="received"):
    """Forget a finished job."""


class Fetch(_AboutJob, frozen=True, tag="fetch"):
    """A piece of a file that a job on uploaded audio made."""

    file: Path
    offset: Offset


class Models(_VersionedRequest, frozen=True, tag="models"):
    """List, show, remove, export or import models."""

    action: Literal["list", "show", "remove", "export", "import"]
    name: str | None = None
    file: Path | None = None
    song: str | None = None


class Upload(_VersionedRequest, frozen=True, tag="upload"):
    """Announce a file."""

    upload: JobId
    size: Offset
    sha256: Annotated[str, Meta(pattern=r"^[0-9a-f]{64}$")]


class Chunk(_VersionedRequest, frozen=True, tag="chunk"):
    """A piece of an announced file."""

    upload: JobId
    offset: Offset
    data: bytes


Request = (
    Hello
    | Heartbeat
    | Learn
    | Predict
    | Estimate
    | Match
    | Evaluate
    | AskJob
    | Cancel
    | Received
    | Fetch
    | Models
    | Upload
    | Chunk
    | Shutdown
)


class _Answer(msgspec.Struct, frozen=True, kw_only=True, tag_field="type"):
    id: str


class Limits(msgspec.Struct, frozen=True, kw_only=True):
    """What a server takes."""

    message_bytes: int
    chunk_bytes: int
    queued_jobs: int
    upload_bytes: int
    result_age_s: float


class Welcome(_Answer, frozen=True, tag="welcome"):
    """The agreed version, and which server this is."""

    version: int
    program: str
    fingerprint: str
    pid: int
    uptime_s: float
    limits: Limits


class Alive(_Answer, frozen=True, tag="alive"):
    """A heartbeat's answer."""

    pid: int
    uptime_s: float
    workers: int
    running: int
    queued: int
    finished: int


class Accepted(_Answer, frozen=True, tag="accepted"):
    """A job is known, and here is its state."""

    job: str
    state: State


class Progress(_Answer, frozen=True, tag="progress"):
    """How far a job is."""

    job: str
    fraction: float
    stage: str
    eta_s: float | None


class Result(_Answer, frozen=True, tag="result"):
    """A job's good end."""

    job: str
    result: Any
    cached: bool
    elapsed_s: float


class Error(_Answer, frozen=True, kw_only=True, tag="error"):
    """A request's or a job's other end."""

    job: str | None = None
    code: str
    message: str
    remedy: str


class Ready(_Answer, frozen=True, tag="ready"):
    """How much of an upload is there."""

    upload: str
    offset: int


class Data(_Answer, frozen=True, tag="data"):
    """A piece of a file."""

    job: str
    file: str
    offset: int
    size: int
    data: bytes


class ModelFacts(msgspec.Struct, frozen=True, kw_only=True):
    """What is told of a model."""

    name: str
    preset: str
    features: str
    shipped: bool
    made_by: str
    songs: list[str]
    coefficients: dict[str, dict[str, float]]


class ModelList(_Answer, frozen=True, tag="models"):
    """Models, and the file that an action wrote or moved."""

    models: list[ModelFacts]
    file: str | None = None


class Done(_Answer, frozen=True, tag="done"):
    """It is done, and there is nothing to tell."""


Answer = Welcome | Alive | Accepted | Progress | Result | Error | Ready | Data | ModelList | Done

REMEDIES = {
    "malformed": "Mend the client: the message says which field is wrong.",
    "version": "Update the older side; `faderwise serve --stop` ends an old server.",
    "request": "Mend the client: the message says which field is wrong.",
    "busy": "Send it again later.",
    "conflict": "Choose job ids at random.",
    "unknown_job": "Send the job request again.",
    "input": "Mend what the message names.",
    "model": "Choose or learn another model.",
    "outside": "Name the file's folder in `within`.",
    "disk_full": "Free some space, then send it again.",
    "out_of_memory": "Close other programs, or use shorter songs.",
    "upload": "Send the file again, in order.",
    "cancelled": "",
    "crashed": "Send it again; if it happens twice, report it.",
    "stopped": "Start the server again and send the job request again.",
    "internal": "Report it with the server's log.",
}
"""Every error code and what helps."""


def error(request_id: str, code: str, message: str, job: str | None = None) -> Error:
    """Return the error of that code, with its remedy."""
    return Error(id=request_id, job=job, code=code, message=message, remedy=REMEDIES[code])
