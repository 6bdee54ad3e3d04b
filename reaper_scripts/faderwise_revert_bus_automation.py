# @description Faderwise: Revert bus automation
# @version 0.1.0
# @author Faderwise contributors
# @about
#   Restores the volume envelopes of the bus tracks from before a run of Faderwise.
#   One undo step.
"""Faderwise: Revert bus automation."""

import sys
from pathlib import Path

VENDOR = str(Path(sys.path[0]) / "vendor")  # REAPER puts the script's folder first
if VENDOR not in sys.path:
    sys.path.insert(1, VENDOR)

from faderwise_bridge import actions

actions.run("revert_bus_automation")
