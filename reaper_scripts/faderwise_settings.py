# @description Faderwise: Settings
# @version 0.1.0
# @author Faderwise contributors
# @about
#   Chooses the model, the loudness, what happens to existing volume automation, and what is reported.
"""Faderwise: Settings."""

import sys
from pathlib import Path

VENDOR = str(Path(sys.path[0]) / "vendor")  # REAPER puts the script's folder first
if VENDOR not in sys.path:
    sys.path.insert(1, VENDOR)

from faderwise_bridge import actions

actions.run("settings")
