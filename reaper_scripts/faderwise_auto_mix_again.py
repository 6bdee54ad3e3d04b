# @description Faderwise: Auto-mix again
# @version 0.1.0
# @author Faderwise contributors
# @about
#   Mixes the buses that were chosen before in this project again, with the stored settings and without a dialog:
#   for a toolbar button or a key. The summary is written to REAPER's console. One undo step.
"""Faderwise: Auto-mix again."""

import sys
from pathlib import Path

VENDOR = str(Path(sys.path[0]) / "vendor")  # REAPER puts the script's folder first
if VENDOR not in sys.path:
    sys.path.insert(1, VENDOR)

from faderwise_bridge import actions

actions.run("auto_mix_again")
