"""A client written from docs/reference/protocol.md alone: a ZeroMQ library and a MessagePack library, nothing else."""

from __future__ import annotations

import json
import secrets
from pathlib import Path
from typing import Any

import msgpack
import zmq

Message = dict[str, Any]
ANSWER_S = 300.0
"""How long to wait for an answer; it only limits how long a failing test takes."""


class RawClient:
    def __init__(self, home: Path, keys: tuple[bytes, bytes] | None = None) -> None:
        server = json.loads((home / "server" / "connection.json").read_text())
        own = json.loads((home / "keys" / "client.json").read_text())
        public, secret = keys or (own["public"].encode(), own["secret"].encode())
        self.context = zmq.Context()
        self.socket = self.context.socket(zmq.DEALER)
        self.socket.linger = 0
        self.socket.curve_serverkey = server["public_key"].encode()
        self.socket.curve_publickey, self.socket.curve_secretkey = public, secret
        self.socket.connect(server["address"])

    def __enter__(self) -> RawClient:
        return self

    def __exit__(self, *_: object) -> None:
        self.socket.close()
        self.context.term()

    def send(self, kind: str, **fields: Any) -> str:
        """Send a request and return its id."""
        request_id = fields.pop("id", secrets.token_hex(4))
        version = {} if kind == "hello" else {"version": 2}
        self.socket.send(msgpack.packb({"type": kind, "id": request_id, **version, **fields}))
        return request_id

    def receive(self) -> Message:
        """Return the next message."""
        assert self.socket.poll(int(1000 * ANSWER_S)), "the server did not answer"
        return msgpack.unpackb(self.socket.recv())

    def receives_nothing(self, for_s: float) -> bool:
        return not self.socket.poll(int(1000 * for_s))

    def ask(self, kind: str, **fields: Any) -> Message:
        """Send a request and return the first message with its id."""
        request_id = self.send(kind, **fields)
        while (answer := self.receive())["id"] != request_id:
            pass
        return answer

    def run(self, verb: str, request: Message, *, folder: Path | str = "/", job: str | None = None) -> str:
        """Send a job and return its request's id."""
        return self.send("run", job=job or job_id(), verb=verb, request=request, folder=str(folder))

    def end_of(self, request_id: str) -> tuple[Message, list[Message]]:
        """Return the final message of a job, and the progress before it."""
        progress = []
        while (answer := self.receive())["type"] not in ("result", "error") or answer["id"] != request_id:
            if answer["type"] == "progress" and answer["id"] == request_id:
                progress.append(answer)
        return answer, progress


def job_id() -> str:
    return secrets.token_hex(16)
