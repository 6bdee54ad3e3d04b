"""Messages between the server and its worker processes: MessagePack over the worker's standard streams.

A message is its length (four bytes, big-endian), followed by a MessagePack map with a `type`.
"""

from __future__ import annotations

import struct
from typing import BinaryIO

import msgspec

from analysis_server.server.protocol import Failure

_LENGTH = struct.Struct(">I")


class Task(msgspec.Struct, frozen=True, kw_only=True, tag_field="type", tag="task"):
    """Run a verb; `request` is decoded in the worker, relative paths in it are relative to `folder`."""

    job: str
    verb: str
    request: msgspec.Raw
    folder: str


class CancelTask(msgspec.Struct, frozen=True, kw_only=True, tag_field="type", tag="cancel"):
    """Stop the job if it is still running."""

    job: str


class Ready(msgspec.Struct, frozen=True, tag_field="type", tag="ready"):
    """The worker has imported everything and waits for tasks."""


class TaskProgress(msgspec.Struct, frozen=True, kw_only=True, tag_field="type", tag="progress"):
    """The progress of the job."""

    job: str
    fraction: float
    stage: str


class Finished(msgspec.Struct, frozen=True, kw_only=True, tag_field="type", tag="finished"):
    """The end of a job: an encoded result, or a failure."""

    job: str
    result: bytes | None = None
    failure: Failure | None = None


ToWorker = Task | CancelTask
FromWorker = Ready | TaskProgress | Finished


def write_message(stream: BinaryIO, message: msgspec.Struct) -> None:
    """Write one message and flush."""
    body = msgspec.msgpack.encode(message)
    stream.write(_LENGTH.pack(len(body)) + body)
    stream.flush()


def read_body(stream: BinaryIO) -> bytes | None:
    """Return one encoded message, or None at the end of the stream."""
    head = stream.read(_LENGTH.size)
    if len(head) < _LENGTH.size:
        return None
    (length,) = _LENGTH.unpack(head)
    body = stream.read(length)
    return body if len(body) == length else None
