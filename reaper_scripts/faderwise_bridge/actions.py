"""The entry point of the actions: `run`, which each action's file calls."""

from __future__ import annotations

import warnings


def run(name: str) -> None:
    """Run the action of that name in `flows`."""
    try:
        with warnings.catch_warnings():  # reapy 0.10.0 has an invalid escape; a warning can crash REAPER on macOS
            warnings.simplefilter("ignore")
            import reapy  # noqa: F401, PLC0415 - where it is missing, the user gets a message
            from reapy import reascript_api  # noqa: F401, PLC0415
    except ImportError:
        from reaper_python import RPR_ShowMessageBox  # noqa: PLC0415 - only REAPER has it

        text = (
            "reapy, which Faderwise's scripts need, is missing from their folder. Run `python3 install.py` in "
            "Faderwise's folder, then start the action again."
        )
        RPR_ShowMessageBox(text, "Faderwise", 0)
        return
    from faderwise_bridge import flows, scheduler  # noqa: PLC0415 - they import reapy

    scheduler.start(getattr(flows, name)())
