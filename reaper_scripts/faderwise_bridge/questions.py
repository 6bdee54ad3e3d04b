"""What each action asks before the work starts; the answers go into the job."""

from __future__ import annotations

from typing import Any

from faderwise_bridge import bus_choice, dialogs, envelopes, reaper, settings
from faderwise_bridge.job import Job
from faderwise_bridge.trouble import Stopped, Trouble

_TRUTHS = ("faders", "mixdown", "edits")
_MOST_FIELDS = 16
_EDIT = (
    ("depth", "Depth in percent (100: as predicted)"),
    ("moves", "Moves in percent (0: a static mix)"),
    ("smooth", "Smoothing in s (0: none)"),
    ("limit", "At most this many dB apart (empty: any)"),
    ("freeze", "Buses to leave as they are"),
)


def none(_plan: dict[str, Any], _job: Job) -> dict[str, Any]:
    """Ask nothing."""
    return {}


def before_mix(plan: dict[str, Any], _job: Job) -> dict[str, Any]:
    """Ask what becomes of automation that is there."""
    return {"existing": bus_choice.way_with_existing(plan)}


def before_match(plan: dict[str, Any], _job: Job) -> dict[str, Any]:
    """Ask for the mixdown; say that automation is replaced."""
    mixdown = _mixdown(plan)
    automated = ", ".join(plan["automated"])
    if automated and not dialogs.agrees(
        f"Volume automation stands on {automated}. The mixdown's moves replace it; Revert brings it back. Go on?"
    ):
        raise Stopped
    return {"mixdown": mixdown, "existing": settings.REPLACE}


def before_learn(plan: dict[str, Any], job: Job) -> dict[str, Any]:
    """Ask for the model's name and where the truth is."""
    fields = [("The model's name", job.asked["title"]), ("Learn from: faders / mixdown / edits", "faders")]
    while True:
        name, truth = dialogs.inputs("learn a mix model from this session", fields)
        if name and truth in _TRUTHS:
            return {"model_name": name, "truth": truth, "mixdown": _mixdown(plan) if truth == "mixdown" else None}
        dialogs.tell("Give the model a name, and write faders, mixdown or edits into the second field.")
        fields = [(fields[0][0], name), (fields[1][0], "faders")]


def before_edit(plan: dict[str, Any], _job: Job) -> dict[str, Any]:
    """Ask for the edit's settings; what is in force stands in the fields."""
    now = plan["edit"]
    fields = [(caption, now[name]) for name, caption in _EDIT]
    roles = list(now["offsets"])[: _MOST_FIELDS - len(fields)]
    fields += [(f"{role.capitalize()}: offset in dB", now["offsets"][role]) for role in roles]
    given = dialogs.inputs("edit the last run (in the time selection, if there is one)", fields)
    settled = dict(zip([name for name, _ in _EDIT], given))
    return {"edit": {**settled, "offsets": {**now["offsets"], **dict(zip(roles, given[len(_EDIT) :]))}}}


def before_revert(plan: dict[str, Any], _job: Job) -> dict[str, Any]:
    """Ask which runs are taken back."""
    runs = plan["runs"]
    last = runs[-1]
    listed = "\n".join(f"{run['number']}: {run['told']}" for run in reversed(runs[-12:]))
    if len(runs) == 1:
        if not dialogs.agrees(f"Bring back what stood on the buses before this run?\n\n{listed}"):
            raise Stopped
        return {"run": last["number"]}
    if dialogs.choice(f"Take back the last run? (No: choose an earlier one)\n\n{listed}"):
        return {"run": last["number"]}
    known = {str(run["number"]): run["number"] for run in runs}
    while True:
        (given,) = dialogs.inputs("back to before which run?", [("Run number (it and later ones go)", min(known))])
        if given in known:
            return {"run": known[given]}
        dialogs.tell(f"There is no run {given or 'without a number'}; the runs are {', '.join(known)}.")


def settle_settings() -> None:
    """Let the user change the settings; a value that cannot be is asked for again."""
    forget = "This project: ask for the buses again: yes / no"
    values = [settings.value_of(one.key) for one in settings.SETTINGS] + ["no"]
    while True:
        captions = [one.caption for one in settings.SETTINGS] + [forget]
        values = dialogs.inputs("settings", list(zip(captions, values)))
        wrong = [told for one, value in zip(settings.SETTINGS, values) for told in settings.problem_of(one, value)]
        if not wrong:
            break
        dialogs.tell("\n".join(wrong))
    for one, value in zip(settings.SETTINGS, values):
        settings.keep(one.key, value)
    if values[-1].lower() == "yes":
        with reaper.undo_block("Faderwise: Forget the buses"):
            envelopes.keep_in_project({"set": {}, "delete": ["BUSES"]})


def chosen_settings() -> dict[str, str]:
    """Return the settings that the application needs."""
    return {key: settings.value_of(key) for key in ("model", "target_lufs")}


def _mixdown(plan: dict[str, Any]) -> str:
    """Return the mixdown's file: the one that was found, or another one."""
    found = plan["mixdown"]
    if found and dialogs.choice(f"Is this the mixdown?\n\n{found}\n\n(No: choose another file)"):
        return str(found)
    path = dialogs.file("the mixdown", str(found or ""))
    if not path:
        raise Trouble("No mixdown was chosen. Run the action again.")
    return path
