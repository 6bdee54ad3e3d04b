# @description Faderwise: Compare with and without bus automation
# @version 0.1.0
# @author Faderwise contributors
# @about
#   Bypasses the volume envelopes that Faderwise has written, and activates them when it is run again.
"""Faderwise: Compare with and without bus automation."""

import sys
from pathlib import Path

VENDOR = str(Path(sys.path[0]) / "vendor")  # REAPER puts the script's folder first
if VENDOR not in sys.path:
    sys.path.insert(1, VENDOR)

from faderwise_bridge import actions

actions.run("compare_bus_automation")
