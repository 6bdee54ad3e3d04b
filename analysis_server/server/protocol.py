"""The messages between clients and the server, as docs/reference/protocol.md defines them, and the verbs that can run.

To add a verb, add an entry to `VERBS`: its name (the command line's), the module, and the names of the request struct,
the result struct and the function `(request, progress) -> result` in that module. Nothing is imported until the verb
is used, so the module may be in any layer. Both structs are msgspec structs; paths in a request are relative to the
folder that the client sends with it, which is the working directory while the function runs. The function raises the
errors of `core.errors`; the client receives the same error with the same fields.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from importlib import import_module
from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta

from core.errors import (
    Cancelled,
    DiskFullError,
    FaderwiseError,
    InputError,
    ModelError,
    ServerError,
    to_user_error,
)
from core.progress import ProgressCallback

PROTOCOL_VERSION = 2
MAX_MESSAGE_BYTES = 256 * 1024
"""The transport's limit for one message to the server, its framing and encryption included."""

RequestId = Annotated[str, Meta(pattern=r"\A[0-9A-Za-z_-]{1,64}\Z")]
JobId = Annotated[str, Meta(pattern=r"\A[0-9a-z-]{16,64}\Z")]
FolderPath = Annotated[str, Meta(min_length=1, max_length=4096)]
State = Literal["queued", "running", "finished"]


class _Request(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, tag_field="type"):
    id: RequestId


class Hello(_Request, frozen=True, tag="hello"):
    """The protocol versions that a client supports."""

    versions: Annotated[list[int], Meta(max_length=64)]
    client: Annotated[str, Meta(max_length=200)]


class Shutdown(_Request, frozen=True, tag="shutdown"):
    """Stop the server, now or when it is idle. Has the same form in every version."""

    when: Literal["now", "idle"]
    version: int | None = None


class Run(_Request, frozen=True, tag="run"):
    """Run a verb as job `job`; relative paths in `request` are relative to `folder`."""

    version: int
    job: JobId
    verb: Annotated[str, Meta(min_length=1, max_length=64)]
    request: msgspec.Raw
    folder: FolderPath


class Cancel(_Request, frozen=True, tag="cancel"):
    """Cancel a job, or discard the result of a finished one."""

    version: int
    job: JobId


class GetState(_Request, frozen=True, tag="state"):
    """Return the state of the server, or of a job, whose messages are then sent to this connection."""

    version: int
    job: JobId | None = None


Request = Hello | Run | Cancel | GetState | Shutdown


class _Answer(msgspec.Struct, frozen=True, kw_only=True, tag_field="type"):
    id: str


class Limits(msgspec.Struct, frozen=True, kw_only=True):
    """The limits of a server."""

    message_bytes: int
    queued_jobs: int
    kept_results: int
    result_age_s: float


class Welcome(_Answer, frozen=True, tag="welcome"):
    """The protocol version in use, and the server's program."""

    version: int
    program: str
    fingerprint: str
    pid: int
    uptime_s: float
    verbs: list[str]
    limits: Limits


class ServerState(_Answer, frozen=True, tag="server"):
    """What the server is doing: the workers that have started, and the jobs by state."""

    pid: int
    uptime_s: float
    workers: int
    running: int
    queued: int
    finished: int


class JobState(_Answer, frozen=True, tag="job"):
    """A job is known to the server and has this state."""

    job: str
    state: State


class Progress(_Answer, frozen=True, tag="progress"):
    """The progress of a running job."""

    job: str
    fraction: float
    stage: str
    eta_s: float | None


class Result(_Answer, frozen=True, tag="result"):
    """The result of a job: the verb's result struct."""

    job: str
    result: msgspec.Raw
    elapsed_s: float


class Failure(msgspec.Struct, frozen=True, kw_only=True):
    """The fields of an error; `code` is one of `docs/reference/protocol.md`, section 7."""

    code: str
    problem: str
    path: str | None = None
    remedy: str | None = None
    option: str | None = None


class Error(_Answer, frozen=True, kw_only=True, tag="error"):
    """The request or the job failed."""

    job: str | None = None
    code: str
    problem: str
    path: str | None = None
    remedy: str | None = None
    option: str | None = None


class Done(_Answer, frozen=True, tag="done"):
    """The request was carried out."""


Answer = Welcome | ServerState | JobState | Progress | Result | Error | Done

REMEDIES = {
    "malformed": "fix the client: the problem names the wrong field",
    "version": "update the older side; `faderwise serve --stop` stops an old server",
    "request": "fix the client: the problem names the wrong field",
    "busy": "send the request again later",
    "conflict": "choose job ids at random",
    "unknown_job": "send the run request again",
    "crashed": "send the request again; if it fails again, report it with the server's log",
    "stopped": "start the server and send the request again",
    "internal": "report it with the server's log",
}


def error(request_id: str, failure: Failure, job: str | None = None) -> Error:
    """Return the answer that reports `failure`."""
    fields = msgspec.structs.asdict(failure)
    return Error(id=request_id, job=job, **{**fields, "remedy": failure.remedy or REMEDIES.get(failure.code)})


def failure_of(exception: BaseException) -> Failure:
    """Return the fields that report `exception` to a client; every text can be encoded."""
    exception = to_user_error(exception)
    if not isinstance(exception, FaderwiseError):
        return Failure(code="internal", problem=_text(f"internal error ({type(exception).__name__}: {exception})"))
    return Failure(
        code=exception.code,
        problem=_text(exception.problem),
        path=_optional(exception.path),
        remedy=_optional(exception.remedy),
        option=_optional(exception.option),
    )


def exception_of(answer: Error) -> FaderwiseError:
    """Return the exception that the verb raised on the server, with the same fields, or a `ServerError`."""
    if answer.code == Cancelled.code:
        return Cancelled(answer.problem)
    kinds = {kind.code: kind for kind in (InputError, ModelError, DiskFullError, FaderwiseError)}
    if answer.code in kinds:
        return kinds[answer.code](answer.problem, path=answer.path, remedy=answer.remedy, option=answer.option)
    return ServerError(answer.problem, answer.code, path=answer.path, remedy=answer.remedy)


def encodable(value: object) -> object:
    """Return plain data in which text that is not valid Unicode (a file name in another encoding) is escaped."""
    if isinstance(value, str):
        return _text(value)
    if isinstance(value, dict):
        return {encodable(key): encodable(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [encodable(item) for item in value]
    return value


def _text(text: str) -> str:
    return text.encode(errors="backslashreplace").decode()


def _optional(text: str | None) -> str | None:
    return None if text is None else _text(text)


@dataclass(frozen=True)
class Verb:
    """Where a verb's request struct, result struct and function are defined."""

    module: str
    request: str
    result: str
    function: str = "run"

    def request_type(self) -> type[Any]:
        """Return the request struct."""
        found: type[Any] = getattr(import_module(self.module), self.request)
        return found

    def result_type(self) -> type[Any]:
        """Return the result struct."""
        found: type[Any] = getattr(import_module(self.module), self.result)
        return found

    def run(self, request: Any, progress: ProgressCallback) -> Any:
        """Run the verb in this process."""
        return getattr(import_module(self.module), self.function)(request, progress)


VERBS: Mapping[str, Verb] = {
    "mix": Verb("analysis_server.verbs.mix", "MixRequest", "MixResult"),
    "match": Verb("analysis_server.verbs.match", "MatchRequest", "MatchResult"),
    "learn": Verb("analysis_server.verbs.learn", "LearnRequest", "LearnResult"),
    "estimate": Verb("analysis_server.verbs.tables", "EstimateRequest", "EstimateResult", "estimate"),
    "features": Verb("analysis_server.verbs.tables", "FeaturesRequest", "FeaturesResult", "features"),
    "evaluate": Verb("analysis_server.verbs.evaluate", "EvaluateRequest", "EvaluateResult"),
    "audit": Verb("analysis_server.verbs.audit", "AuditRequest", "AuditResult"),
    "edit": Verb("analysis_server.verbs.edit", "EditRequest", "EditResult"),
    "revert": Verb("analysis_server.verbs.revert", "RevertRequest", "RevertResult"),
    "compare": Verb("analysis_server.verbs.compare", "CompareRequest", "CompareResult"),
    "reaper_job": Verb("analysis_server.reaper.run_job", "ReaperRequest", "ReaperResult"),
}


def name_of(request: object) -> str:
    """Return the name of the verb that `request` belongs to."""
    kind = type(request)
    return next(name for name, verb in VERBS.items() if (verb.module, verb.request) == (kind.__module__, kind.__name__))
