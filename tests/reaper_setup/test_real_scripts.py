"""The scripts the application really carries: what they register, and that all versions agree."""

from __future__ import annotations

import re

from analysis_server.reaper_setup.keymap import actions_in
from analysis_server.reaper_setup.scripts import bundled_scripts, script_files
from core import __version__


def test_every_action_is_named_and_of_this_version() -> None:
    actions = actions_in(bundled_scripts())
    assert {action.description for action in actions} == {
        "Faderwise: Auto-mix buses",
        "Faderwise: Learn mix model from this session",
        "Faderwise: Match buses to a mixdown",
        "Faderwise: Audit bus automation",
        "Faderwise: Edit bus automation",
        "Faderwise: Revert bus automation",
        "Faderwise: Settings",
        "Faderwise: Check this REAPER",
        "Faderwise: Auto-mix again",
        "Faderwise: Auto-mix selected tracks",
        "Faderwise: Compare with and without bus automation",
    }
    assert {action.version for action in actions} == {__version__}


def test_every_script_beside_the_bridge_is_an_action() -> None:
    files = {name.rpartition("/")[2] for name in script_files(bundled_scripts()) if name.count("/") == 1}
    assert files == {action.file for action in actions_in(bundled_scripts())}


def test_commands_are_words_that_reaper_takes() -> None:
    for action in actions_in(bundled_scripts()):
        assert re.fullmatch(r"FADERWISE_[A-Z_]+", action.command)
