"""The history of our runs, kept in the project (or beside a song's automation) they were made for.

`record` says what a run leaves behind, `pieces` how a record becomes the project's ext state, `in_project` reads,
adds and takes out records of a project file, `restoring` brings back what stood on the tracks before a run.
docs/history.md describes it all.
"""

from core.history.in_project import SECTION, added, damaged_runs, next_number, read_history, removed
from core.history.pieces import keys_to_delete, to_ext_state
from core.history.record import BusRun, RunRecord, TrackRun, WrittenPoint, identified
from core.history.restoring import Restored, restored, restored_tracks

__all__ = [
    "SECTION",
    "BusRun",
    "Restored",
    "RunRecord",
    "TrackRun",
    "WrittenPoint",
    "added",
    "damaged_runs",
    "identified",
    "keys_to_delete",
    "next_number",
    "read_history",
    "removed",
    "restored",
    "restored_tracks",
    "to_ext_state",
]
