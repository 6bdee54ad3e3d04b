"""What damaged JSON and MessagePack raise, for whoever reads them."""

import msgspec

UNDECODABLE = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)
"""What msgspec raises for a damaged JSON or MessagePack file: also for text that is no UTF-8, and for a deep nest."""
