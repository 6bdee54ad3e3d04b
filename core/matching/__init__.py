"""Match the names of tracks and audio files to roles and buses."""

from core.matching.assign import Item, assign
from core.matching.matcher import Match, match_name

__all__ = ["Item", "Match", "assign", "match_name"]
