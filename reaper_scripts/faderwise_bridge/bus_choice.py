"""Which tracks are the buses: asked on first use in a project and whenever the application is unsure."""

from __future__ import annotations

from typing import Any, Generator

from faderwise_bridge import dialogs, following, settings
from faderwise_bridge.application import Application
from faderwise_bridge.job import Job
from faderwise_bridge.trouble import Stopped, Trouble

_FURTHER = "Further buses: role = track; ..."


def plan_of(application: Application, job: Job, asks_model: bool) -> Generator[None, None, dict[str, Any]]:
    """Return the plan with its buses settled: chosen before in this project, or chosen now.

    Raises
    ------
    Stopped
        The user closed the dialog.
    Trouble
        The project has no bus that could be mixed.
    """
    plan = (yield from following.answered(application, job, "plan"))["plan"]
    while not plan["settled"]:
        if plan["problem"]:
            dialogs.tell(plan["problem"])
        given = _asked(plan, job, asks_model)
        plan = (yield from following.answered(application, job, "plan", **given))["plan"]
    if asks_model:
        model = job.asked["settings"]["model"]
        settings.keep("model", "" if model == plan["default_model"] else model)
    job.asked["buses"] = {bus["role"]: [track["guid"] for track in bus["tracks"]] for bus in plan["buses"]}
    return plan


def confirm(plan: dict[str, Any]) -> None:
    """Let the user stop where something would be heard otherwise than meant: missing media, soloed tracks."""
    if plan["cautions"] and not dialogs.agrees("\n\n".join([*plan["cautions"], "Go on like this?"])):
        raise Stopped


def way_with_existing(plan: dict[str, Any]) -> str:
    """Return whether automation that stands on the buses is combined with the new gains, or replaced."""
    kept = settings.value_of("existing")
    if not plan["automated"] or kept != settings.ASK:
        return settings.REPLACE if kept == settings.ASK else kept
    combines = dialogs.choice(
        f"Volume automation stands on {', '.join(plan['automated'])}.\n\n"
        "Yes: keep its moves, on top of the new gains.\nNo: replace it. Revert brings it back."
    )
    return settings.COMBINE if combines else settings.REPLACE


def _asked(plan: dict[str, Any], job: Job, asks_model: bool) -> dict[str, Any]:
    """Show the dialog; return what the job is to be asked with next."""
    if not plan["fields"]:
        raise Trouble(plan["problem"] or "The project has no tracks, so there is nothing to do. Open a session first.")
    fields = [(f"{field['role'].capitalize()}: track", field["text"]) for field in plan["fields"]]
    fields.append((_FURTHER, plan["further"]))
    if asks_model:
        fields.append(
            (f"Model: {' / '.join(plan['models'])}"[:60], job.asked["settings"]["model"] or plan["default_model"])
        )
    given = dialogs.inputs("which tracks are the buses? (name or number; none: leave it empty)", fields)
    answers = {field["role"]: text for field, text in zip(plan["fields"], given)}
    chosen = {**job.asked["settings"], **({"model": given[-1]} if asks_model else {})}
    return {"answers": {"roles": answers, "further": given[len(answers)]}, "settings": chosen}
