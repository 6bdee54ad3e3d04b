"""A second client, written from docs/reference/protocol.md alone: a ZeroMQ library and a MessagePack library,
nothing else."""

from __future__ import annotations

import json
import secrets
from pathlib import Path
from typing import Any

import msgpack
import zmq

Message = dict[str, Any]


class RawClient:
    def __init__(self, home: Path) -> None:
        server = json.loads((home / "server" / "connection.json").read_text())
        keys = json.loads((home / "keys" / "client.json").read_text())
        self.context = zmq.Context()
        self.socket = self.context.socket(zmq.DEALER)
        self.socket.linger = 0
        self.socket.curve_serverkey = server["public_key"].encode()
        self.socket.curve_publickey = keys["public"].encode()
        self.socket.curve_secretkey = keys["secret"].encode()
        self.socket.connect(server["address"])

    def __enter__(self) -> RawClient:
        return self

    def __exit__(self, *_: object) -> None:
        self.socket.close()
        self.context.term()

    def tell(self, kind: str, **fields: Any) -> str:
        """Send a request and return its id."""
        request_id = fields.pop("id", secrets.token_hex(4))
        version = {} if kind == "hello" else {"version": 1}
        self.socket.send(msgpack.packb({"type": kind, "id": request_id, **version, **fields}))
        return request_id

    def hear(self, within_s: float = 20.0) -> Message:
        """Return the next message."""
        assert self.socket.poll(int(1000 * within_s)), "the server said nothing"
        return msgpack.unpackb(self.socket.recv())

    def hears_nothing(self, for_s: float) -> bool:
        return not self.socket.poll(int(1000 * for_s))

    def ask(self, kind: str, **fields: Any) -> Message:
        """Send a request and return the next message with its id."""
        request_id = self.tell(kind, **fields)
        while (answer := self.hear())["id"] != request_id:
            pass
        return answer

    def end_of(self, request_id: str, within_s: float = 60.0) -> tuple[Message, list[Message]]:
        """Return the final message of a job, and the progress before it."""
        told = []
        while (answer := self.hear(within_s))["type"] not in ("result", "error") or answer["id"] != request_id:
            if answer["type"] == "progress" and answer["id"] == request_id:
                told.append(answer)
        return answer, told


def job_id() -> str:
    return secrets.token_hex(16)
