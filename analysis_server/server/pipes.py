"""What the server and its worker processes say to each other: MessagePack over the worker's standard streams.

A message is its length, four bytes, the largest first, and then a MessagePack map with a `type`.
"""

from __future__ import annotations

import struct
from typing import BinaryIO

import msgspec

from analysis_server.server.known_files import KnownFile

_LENGTH = struct.Struct(">I")


class Task(msgspec.Struct, frozen=True, kw_only=True, tag_field="type", tag="task"):
    """Do a job: `request` is the verb's struct, relative paths start from `folder`, `staging` is the job's own.

    `audio` maps paths inside a tree to uploaded files; then nothing is written outside `staging`.
    """

    job: str
    verb: str
    request: msgspec.Raw
    folder: str | None
    within: list[str]
    audio: dict[str, str] | None
    staging: str
    known: list[KnownFile]


class Drop(msgspec.Struct, frozen=True, kw_only=True, tag_field="type", tag="drop"):
    """End the job, if it is still under way."""

    job: str


class Warm(msgspec.Struct, frozen=True, tag_field="type", tag="warm"):
    """The worker has loaded everything."""


class Told(msgspec.Struct, frozen=True, kw_only=True, tag_field="type", tag="told"):
    """How far the job is."""

    job: str
    fraction: float
    stage: str


class Ended(msgspec.Struct, frozen=True, kw_only=True, tag_field="type", tag="ended"):
    """The job's end: a `result`, or a `code` of docs/reference/protocol.md and a message."""

    job: str
    result: bytes | None = None
    cached: bool = False
    title: str | None = None
    code: str | None = None
    message: str = ""
    known: list[KnownFile] = []


ToWorker = Task | Drop
FromWorker = Warm | Told | Ended


def write_message(stream: BinaryIO, message: msgspec.Struct) -> None:
    """Write one message and flush."""
    body = msgspec.msgpack.encode(message)
    stream.write(_LENGTH.pack(len(body)) + body)
    stream.flush()


def read_body(stream: BinaryIO) -> bytes | None:
    """Return one message's bytes, or None where the stream has ended."""
    head = stream.read(_LENGTH.size)
    if len(head) < _LENGTH.size:
        return None
    (length,) = _LENGTH.unpack(head)
    body = stream.read(length)
    return body if len(body) == length else None
