"""The seven actions. Each one is called by the file of its name, and may be called again in the same REAPER."""

from __future__ import annotations


def auto_mix_buses() -> None:
    """Mix the session's buses with a model."""
    _run("auto_mix_buses")


def learn_mix_model() -> None:
    """Learn a model from the session."""
    _run("learn_mix_model")


def match_buses() -> None:
    """Recover a mixdown's fader moves."""
    _run("match_buses")


def audit_bus_automation() -> None:
    """Show what was written, and why."""
    _run("audit_bus_automation")


def edit_bus_automation() -> None:
    """Write a run's gains again with other settings."""
    _run("edit_bus_automation")


def revert_bus_automation() -> None:
    """Bring back what stood there before a run."""
    _run("revert_bus_automation")


def settings() -> None:
    """Choose what is kept in REAPER's settings."""
    _run("settings")


def _run(name: str) -> None:
    try:
        import reapy  # noqa: F401, PLC0415 - its absence is told in a sentence
    except ImportError:
        _tell_of_missing_reapy()
        return
    from faderwise_bridge import running, stories  # noqa: PLC0415 - they import reapy

    running.start(getattr(stories, name)())


def _tell_of_missing_reapy() -> None:
    from reaper_python import RPR_ShowMessageBox  # noqa: PLC0415 - only REAPER has it

    RPR_ShowMessageBox(
        "reapy, which Faderwise's scripts use, is not beside them. Run `python3 install.py` in the folder that "
        "Faderwise came in, then start the action again.",
        "Faderwise",
        0,
    )
