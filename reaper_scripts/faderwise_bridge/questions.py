"""What the actions ask before the work starts; the answers go into the job."""

from __future__ import annotations

from typing import Any, Dict, Generator

from faderwise_bridge import BridgeError, UserCancelled, apply_result, dialogs, reaper_api, settings
from faderwise_bridge.application import Job
from faderwise_bridge.scheduler import Worker

Plan = Dict[str, Any]
_TRUTHS = ("faders", "mixdown", "edits")
_ENGINEERS = ("me", "others")
_MAX_FIELDS = 16
_OTHER_BUSES = "Other buses: role = track; ..."
_OPTIONS = (
    ("level", "Level: buses / tracks"),
    ("part", "Part: all / a region (empty: selection)"),
    ("like", "Balance like: session or run (?: choose)"),
    ("depth", "Depth in percent (empty: 100)"),
    ("keep", "Keep: bus or track; ..."),
    ("ride", "Ride: bus = percent; ..."),
    ("target", "Write to: volume / pre-fx / trim / fader"),
)
"""How to mix; with them, the model, the other buses and at most 7 buses the dialog is full."""
_CHOOSE = "?"
_EDIT = (
    ("depth", "Depth in percent (100: as predicted)"),
    ("moves", "Moves in percent (0: a static mix)"),
    ("smooth", "Smoothing in s (0: none)"),
    ("limit", "At most this many dB apart (empty: any)"),
    ("freeze", "Buses that do not change"),
)


def plan_with_buses(worker: Worker, asks_model: bool) -> Generator[None, None, Plan]:
    """Return the plan of a job whose buses were chosen: earlier in this project, or now.

    For a mix the dialog is always shown, with what was chosen last.

    Raises
    ------
    UserCancelled
        The user closed the dialog.
    BridgeError
        The project has no track that could be mixed.
    """
    job = worker.job
    plan = (yield from worker.run("plan", asks=asks_model))["plan"]
    while not plan["settled"]:
        if plan["problem"]:
            dialogs.show(plan["problem"])
        plan = (yield from worker.run("plan", **_ask_buses(plan, job, asks_model)))["plan"]
    if asks_model:
        model = job.asked["settings"]["model"]
        settings.store("model", "" if model == plan["default_model"] else model)
    return plan  # type: ignore[no-any-return]


def settled(plan: Plan) -> dict[str, Any]:
    """Return what a settled plan adds to the job: buses, how to mix, and the part of the project."""
    buses = {bus["role"]: [track["guid"] for track in bus["tracks"]] for bus in plan["buses"]}
    chosen = {name: plan[name] for name in ("options", "way", "selection_s")}
    return {"buses": buses, **chosen}


def existing_without_asking(plan: Plan) -> str:
    """Return what happens to existing automation: as the settings or the last answer say, by default it is replaced."""
    stored, last = settings.value_of("existing"), plan["options"]["existing"]
    if stored != settings.ASK:
        return stored
    return last if last in (settings.COMBINE, settings.REPLACE) else settings.REPLACE


def confirm_cautions(plan: Plan) -> None:
    """Let the user stop where something may sound different than intended: missing media, soloed tracks."""
    if plan["cautions"] and not dialogs.agrees("\n\n".join([*plan["cautions"], "Continue anyway?"])):
        raise UserCancelled


def before_mix(plan: Plan, _job: Job) -> dict[str, Any]:
    """Ask whether existing automation is combined with the new gains, or replaced."""
    stored = settings.value_of("existing")
    if not plan["automated"] or stored != settings.ASK:
        return {"existing": existing_without_asking(plan)}
    combines = dialogs.choice(
        f"There is volume automation on {', '.join(plan['automated'])}.\n\n"
        "Yes: keep its moves, on top of the new gains.\nNo: replace it. Revert restores it."
    )
    plan["options"]["existing"] = settings.COMBINE if combines else settings.REPLACE
    return {"existing": plan["options"]["existing"]}


def before_match(plan: Plan, _job: Job) -> dict[str, Any]:
    """Ask for the mixdown, and whether existing automation may be replaced."""
    mixdown = _mixdown(plan)
    automated = ", ".join(plan["automated"])
    if automated and not dialogs.agrees(
        f"There is volume automation on {automated}. The mixdown's moves replace it; Revert restores it. Continue?"
    ):
        raise UserCancelled
    return {"mixdown": mixdown, "existing": settings.REPLACE}


def before_learn(plan: Plan, job: Job) -> dict[str, Any]:
    """Ask for the model's name, what to learn from, and how much the session counts."""
    captions = [
        "The model's name",
        "Learn from: faders / mixdown / edits",
        "Album (empty: none)",
        "Mixed by: me / others",
    ]
    values = [job.asked["title"], "faders", "", "me"]
    while True:
        values = dialogs.inputs("learn a mix model from this session", list(zip(captions, values)))
        name, truth, album, mixed_by = values
        if name and truth in _TRUTHS and mixed_by in _ENGINEERS:
            mixdown = _mixdown(plan) if truth == "mixdown" else None
            return {"model_name": name, "truth": truth, "mixdown": mixdown, "album": album, "mixed_by": mixed_by}
        dialogs.show(
            "Give the model a name. The second field is faders, mixdown or edits, and the last one me or others."
        )
        values = [name, truth if truth in _TRUTHS else "faders", album, mixed_by if mixed_by in _ENGINEERS else "me"]


def before_edit(plan: Plan, _job: Job) -> dict[str, Any]:
    """Ask for the settings of an edit; the fields show those of the last one."""
    now = plan["edit"]
    fields = [(caption, now[name]) for name, caption in _EDIT]
    roles = list(now["offsets"])[: _MAX_FIELDS - len(fields)]
    fields += [(f"{role.capitalize()}: offset in dB", now["offsets"][role]) for role in roles]
    given = dialogs.inputs("edit the last run (in the time selection, if there is one)", fields)
    values = dict(zip([name for name, _ in _EDIT], given))
    return {"edit": {**values, "offsets": {**now["offsets"], **dict(zip(roles, given[len(_EDIT) :]))}}}


def before_revert(plan: Plan, _job: Job) -> dict[str, Any]:
    """Ask which runs to revert."""
    runs = plan["runs"]
    last = runs[-1]
    listed = "\n".join(f"{run['number']}: {run['description']}" for run in reversed(runs[-12:]))
    if len(runs) == 1:
        if not dialogs.agrees(f"Restore the envelopes from before this run?\n\n{listed}"):
            raise UserCancelled
        return {"run": last["number"]}
    if dialogs.choice(f"Revert the last run? (No: choose an earlier one)\n\n{listed}"):
        return {"run": last["number"]}
    known = {str(run["number"]): run["number"] for run in runs}
    while True:
        (given,) = dialogs.inputs("back to before which run?", [("Run number (this and later runs)", min(known))])
        if given in known:
            return {"run": known[given]}
        dialogs.show(f"There is no run {given or 'without a number'}; the runs are {', '.join(known)}.")


def change_settings() -> None:
    """Let the user change the settings; ask again for an invalid value."""
    forget = "This project: ask for the buses again: yes / no"
    values = [settings.value_of(one.key) for one in settings.SETTINGS] + ["no"]
    while True:
        captions = [one.caption for one in settings.SETTINGS] + [forget]
        values = dialogs.inputs("settings", list(zip(captions, values)))
        problems = [text for one, value in zip(settings.SETTINGS, values) for text in settings.problems_of(one, value)]
        if not problems:
            break
        dialogs.show("\n".join(problems))
    for one, value in zip(settings.SETTINGS, values):
        settings.store(one.key, value)
    if values[-1].lower() == "yes":
        with reaper_api.undo_block("Faderwise: Forget the buses"):
            apply_result.store_keys({"set": {}, "delete": ["BUSES"]})


def chosen_settings() -> dict[str, str]:
    """Return the settings that the application needs."""
    return {key: settings.value_of(key) for key in ("model", "target_lufs")}


def _ask_buses(plan: Plan, job: Job, asks_model: bool) -> dict[str, Any]:
    """Show the dialog of buses; return the changes of the job."""
    if not plan["fields"]:
        raise BridgeError(plan["problem"] or "The project has no tracks. Open a session first.")
    fields = [(f"{field['role'].capitalize()}: track", field["text"]) for field in plan["fields"]]
    fields.append((_OTHER_BUSES, plan["further"]))
    if asks_model:
        model = job.asked["settings"]["model"] or plan["default_model"]
        fields.append((f"Model: {' / '.join(plan['models'])}"[:60], model))
        fields += [(caption, plan["options"][name]) for name, caption in _OPTIONS]
    given = dialogs.inputs("which tracks are the buses? (name or number; none: leave it empty)", fields)
    n_buses = len(plan["fields"])
    answers = {
        "roles": {field["role"]: text for field, text in zip(plan["fields"], given)},
        "further": given[n_buses],
    }
    if not asks_model:
        return {"answers": answers}
    options = {**plan["options"], **dict(zip([name for name, _ in _OPTIONS], given[n_buses + 2 :]))}
    if options["like"] == _CHOOSE:
        options["like"] = dialogs.file("a session, or a file of a song folder or run", "", "RPP")
    return {
        "answers": answers,
        "settings": {**job.asked["settings"], "model": given[n_buses + 1]},
        "options": options,
    }


def _mixdown(plan: Plan) -> str:
    """Return the mixdown's file: the one that was found, or another one."""
    found = plan["mixdown"]
    if found and dialogs.choice(f"Is this the mixdown?\n\n{found}\n\n(No: choose another file)"):
        return str(found)
    path = dialogs.file("the mixdown", str(found or ""))
    if not path:
        raise BridgeError("No mixdown was chosen. Run the action again.")
    return path
