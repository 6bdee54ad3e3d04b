# @description Faderwise: Audit bus automation
# @version 0.1.0
# @author Faderwise contributors
# @about
#   Shows what Faderwise wrote on the bus tracks, why, how sure it was, and what was changed since.
#   Nothing in the session is changed.
"""Faderwise: Audit bus automation."""

import sys
from pathlib import Path

VENDOR = str(Path(sys.path[0]) / "vendor")  # REAPER puts the script's folder first
if VENDOR not in sys.path:
    sys.path.insert(1, VENDOR)

from faderwise_bridge import actions

actions.run("audit_bus_automation")
