"""Match the names of tracks and audio files to roles and buses."""

from core.matching.assign import Item, assign
from core.matching.by_hand import by_bus, new_bus_notes, new_buses
from core.matching.matcher import Match, match_name

__all__ = ["Item", "Match", "assign", "by_bus", "match_name", "new_bus_notes", "new_buses"]
