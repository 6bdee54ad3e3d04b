"""A job's end: what was asked for stands in the project, and the user knows of it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from faderwise_bridge import dialogs, envelopes, settings
from faderwise_bridge.application import Application
from faderwise_bridge.job import Job

_MOST_NOTES = 8


def conclude(application: Application, job: Job, answer: dict[str, Any]) -> None:
    """Carry out the application's instructions, then tell what was done and offer the report.

    Raises
    ------
    Trouble
        They could not be carried out; nothing was changed then.
    """
    done = answer["do"]
    notes = list(done["notes"])
    if done["tracks"] or done["ext_state"]["set"] or done["ext_state"]["delete"]:
        notes += envelopes.carry_out(done, job.asked["before"])
    if _tell(done, notes):
        application.show(Path(done["report"]))


def _tell(done: dict[str, Any], notes: list[str]) -> bool:
    """Say what was done; return whether the report is wanted."""
    told = [f"- {note[:1].upper()}{note[1:]}" for note in notes[:_MOST_NOTES]]
    if len(notes) > _MOST_NOTES:
        told.append(f"- and {len(notes) - _MOST_NOTES} more, in the report")
    text = "\n\n".join([done["summary"], *([chr(10).join(told)] if told else [])])
    way = settings.value_of("report")
    if done["report"] and way == settings.ASK:
        return dialogs.agrees(f"{text}\n\nOpen the report?")
    dialogs.tell(text)
    return bool(done["report"]) and way == "open"
