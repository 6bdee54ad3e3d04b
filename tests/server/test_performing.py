"""The verb is done by the server; where there is none that could, in the process itself."""

from __future__ import annotations

from pathlib import Path

import pytest

from analysis_server.server import client
from analysis_server.server.fingerprint import fingerprint
from analysis_server.server.messages import Limits, Welcome
from analysis_server.verbs.mix import MixRequest
from core.errors import InputError, ServerError
from core.progress import no_progress

REQUEST = MixRequest(song="/there/is/no/such/song")
_LIMITS = Limits(message_bytes=1, chunk_bytes=1, queued_jobs=1, upload_bytes=1, result_age_s=1.0)


class Server:
    """Stands for the client of a server that answers each job in one way."""

    def __init__(self, program: str, answer: str | Exception) -> None:
        self._program, self._answer = program, answer

    def __call__(self, **_options: object) -> Server:
        return self

    def __enter__(self) -> Server:
        return self

    def __exit__(self, *_error: object) -> None:
        return None

    def hello(self) -> Welcome:
        return Welcome(id="", version=1, program="x", fingerprint=self._program, pid=1, uptime_s=0.0, limits=_LIMITS)

    def run(self, _request: object, **_options: object) -> str:
        if isinstance(self._answer, Exception):
            raise self._answer
        return self._answer


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FADERWISE_HOME", str(tmp_path))


def perform_with(server: Server, monkeypatch: pytest.MonkeyPatch) -> object:
    monkeypatch.setattr(client, "Client", server)
    return client.perform(REQUEST, no_progress, name="test", folder=Path(), starts=True)


def test_the_servers_answer_is_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    assert perform_with(Server(fingerprint(), "mixed"), monkeypatch) == "mixed"


@pytest.mark.parametrize(
    "server",
    [
        Server("another program", "mixed"),
        *(Server(fingerprint(), ServerError("", code)) for code in ("busy", "stopped", "unreachable", "timeout")),
    ],
)
def test_without_a_server_that_could_the_work_is_done_here(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(InputError, match="/there/is/no/such/song"):
        perform_with(server, monkeypatch)


@pytest.mark.parametrize("error", [ServerError("memory", "crashed"), InputError("no such file")])
def test_what_the_work_itself_fails_at_is_told(error: Exception, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(type(error), match=str(error)):
        perform_with(Server(fingerprint(), error), monkeypatch)
