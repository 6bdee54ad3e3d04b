"""The entry points of the actions; each one is called by the file of its name."""

from __future__ import annotations

import warnings


def auto_mix_buses() -> None:
    """Mix the session's buses with a model."""
    _run("auto_mix_buses")


def auto_mix_selected_tracks() -> None:
    """Mix the selected tracks with a model."""
    _run("auto_mix_selected_tracks")


def auto_mix_again() -> None:
    """Mix the session's buses again, without a dialog."""
    _run("auto_mix_again")


def compare_bus_automation() -> None:
    """Bypass the written envelopes, or restore them."""
    _run("compare_bus_automation")


def learn_mix_model() -> None:
    """Learn a model from the session."""
    _run("learn_mix_model")


def match_buses() -> None:
    """Recover the fader moves of a mixdown."""
    _run("match_buses")


def audit_bus_automation() -> None:
    """Show what was written, and why."""
    _run("audit_bus_automation")


def edit_bus_automation() -> None:
    """Write the last run's envelopes again with other settings."""
    _run("edit_bus_automation")


def revert_bus_automation() -> None:
    """Restore the envelopes from before a run."""
    _run("revert_bus_automation")


def settings() -> None:
    """Change the settings that are stored in REAPER."""
    _run("settings")


def check_reaper() -> None:
    """Check what Faderwise relies on in this REAPER."""
    _run("check_reaper")


def _run(name: str) -> None:
    try:
        with warnings.catch_warnings():  # reapy 0.10.0 has an invalid escape; a warning can crash REAPER on macOS
            warnings.simplefilter("ignore")
            import reapy  # noqa: F401, PLC0415 - where it is missing, the user gets a message
            from reapy import reascript_api  # noqa: F401, PLC0415
    except ImportError:
        _show_missing_reapy()
        return
    from faderwise_bridge import flows, scheduler  # noqa: PLC0415 - they import reapy

    scheduler.start(getattr(flows, name)())


def _show_missing_reapy() -> None:
    from reaper_python import RPR_ShowMessageBox  # noqa: PLC0415 - only REAPER has it

    RPR_ShowMessageBox(
        "reapy, which Faderwise's scripts need, is missing from their folder. Run `python3 install.py` in Faderwise's "
        "folder, then start the action again.",
        "Faderwise",
        0,
    )
