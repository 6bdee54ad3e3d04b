"""Damaged messages to a real server, from authorized and unauthorized clients."""

from __future__ import annotations

import copy
import socket
from contextlib import ExitStack, suppress
from multiprocessing.util import Finalize
from pathlib import Path
from random import Random
from typing import Any
from urllib.parse import urlsplit

import msgpack

from analysis_server.server.protocol import MAX_MESSAGE_BYTES
from analysis_server.server.security import read_connection
from tests.fuzz import material
from tests.fuzz.judging import RequirementError
from tests.fuzz.mutations import damaged_bytes, damaged_value
from tests.server.conftest import running
from tests.server.raw_client import Message, RawClient
from tests.server.strangers import STRANGERS

_ANSWERED_S, _JOB_S = 120.0, 120.0
_GROWTH = 1.5
_NEVER = frozenset({"internal", "crashed"})
"""Codes that no message may bring about."""


class Messages:
    """One server for all trials; each trial sends one message and then checks the server."""

    def __init__(self, folder: Path, _further: Path | None) -> None:
        stack = ExitStack()
        Finalize(None, stack.close, exitpriority=10)  # atexit does not run in a forked process
        self._server = stack.enter_context(running(folder / "home", n_workers=1, idle_s=120.0))
        songs = folder / "deep" / "enough"
        for title, gain in {"song": 1.0, "other": 0.8}.items():
            material.write_song(songs / title, gain)
        self._valid = requests(str(songs))
        with RawClient(self._server.folder) as client:
            client.socket.send(msgpack.packb(whole(self._valid[1], "1" * 24)))
            last_answer(client)
        self._memory_bytes = self._server.memory_bytes()

    def __call__(self, folder: Path, chance: Random) -> str:
        outcome = self._from_an_unauthorized_client(chance) if chance.random() < 0.2 else self._from_a_client(chance)
        with RawClient(self._server.folder) as client:
            if client.ask("state")["pid"] != self._server.pid:
                raise RequirementError("the server was restarted")
        if self._server.memory_bytes() > _GROWTH * self._memory_bytes:
            raise RequirementError(f"the server uses {self._server.memory_bytes()} bytes, {self._memory_bytes} before")
        return outcome

    def _from_a_client(self, chance: Random) -> str:
        content = _damaged(chance.choice(self._valid), chance)
        with RawClient(self._server.folder) as client:
            client.socket.send(content)
            if not client.socket.poll(int(1000 * _ANSWERED_S)):
                if len(content) > MAX_MESSAGE_BYTES:
                    return "refused"
                raise RequirementError(f"no answer to {content[:2000]!r}")
            answer = last_answer(client)
        if answer.get("code") in _NEVER:
            raise RequirementError(f"{answer} to {content[:2000]!r}")
        return "refused" if answer["type"] == "error" else "done"

    def _from_an_unauthorized_client(self, chance: Random) -> str:
        connection = read_connection(self._server.folder)
        parts = urlsplit(connection.address if connection else "")
        with socket.create_connection((parts.hostname, parts.port), _ANSWERED_S) as stranger:
            stranger.settimeout(0.05)
            with suppress(OSError):
                stranger.sendall(damaged_bytes(STRANGERS[chance.choice(list(STRANGERS))]() or b"\xff", chance))
                if b"type" in stranger.recv(4096):
                    raise RequirementError("an unauthorized client got an answer")
        return "refused"


def last_answer(client: RawClient) -> Message:
    """Return the answer to the one message that was sent: of an accepted job its end, after at most a while."""
    answer = client.receive()
    name = answer.get("job")
    if answer["type"] != "job" or answer["state"] == "finished":
        return answer
    while client.socket.poll(int(1000 * _JOB_S)):
        later = client.receive()
        if later["type"] in ("result", "error"):
            return later
    client.ask("cancel", job=name)
    return {"type": "interrupted"}


def whole(valid: dict[str, Any], job: str) -> dict[str, Any]:
    """Return a message with all it needs: an id, the version, and a job's own name."""
    names = {"job": job} if "request" in valid else {}
    message = {"id": "1", "version": 2, **copy.deepcopy(valid), **names}
    return {key: value for key, value in message.items() if value is not None}


def _damaged(valid: dict[str, Any], chance: Random) -> bytes:
    message = whole(valid, f"{chance.getrandbits(96):024x}")
    if chance.random() < 0.3:
        return damaged_bytes(msgpack.packb(message), chance)
    if "request" in message and chance.random() < 0.7:
        message["request"] = damaged_value(message["request"], chance)
    for _ in range(chance.choice((0, 0, 1, 2)) if "request" in message else chance.randint(1, 2)):
        message = damaged_value(message, chance)
    try:
        return msgpack.packb(message)
    except (OverflowError, ValueError):  # a number, or a depth, that MessagePack itself does not have
        return b"\x81" * 5_000


def requests(folder: str) -> list[dict[str, Any]]:
    """Return one valid message of each type, but for `shutdown`, and for what would write where damage sends it."""
    song = {"song": "song", "buses": {"bass": "bass.wav"}, "dry_run": True}
    verbs: dict[str, dict[str, Any]] = {
        "mix": {**song, "range_s": [0.2, 1.0], "target_lufs": -20.0, "tracks": {}},
        "match": {**song, "mixdown": "mix.wav"},
        "estimate": {"song": "song", "out": "g.csv", "domain": "power", "buses": {}},
        "learn": {"songs": ["song"], "model": "m", "features": "condition3", "dry_run": True},
        "evaluate": {"dataset": ".", "preset": "default", "features": "condition3"},
        "compare": {"first": "default", "second": "equal-level", "on": "song"},
    }
    return [
        {"type": "hello", "versions": [2], "client": "fuzz", "version": None},
        *({"type": "run", "verb": verb, "folder": folder, "request": request} for verb, request in verbs.items()),
        {"type": "state"},
        {"type": "state", "job": "0" * 24},
        {"type": "cancel", "job": "0" * 24},
    ]
