# @description Faderwise: Edit bus automation
# @version 0.1.0
# @author Faderwise contributors
# @about
#   Writes the last run's gains again with another depth, smoothing, limit or offset per bus,
#   without measuring again. One undo step.
"""Faderwise: Edit bus automation."""

import sys
from pathlib import Path

VENDOR = str(Path(sys.path[0]) / "vendor")  # REAPER puts the script's folder first
if VENDOR not in sys.path:
    sys.path.insert(1, VENDOR)

from faderwise_bridge import actions

actions.run("edit_bus_automation")
