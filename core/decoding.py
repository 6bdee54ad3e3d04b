"""Exceptions raised by malformed JSON and MessagePack."""

from __future__ import annotations

import msgspec

UNDECODABLE = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)
"""Raised by msgspec for damaged files, including text that is not UTF-8 and excessive nesting."""
