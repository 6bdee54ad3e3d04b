# @description Faderwise: Match buses to a mixdown
# @version 0.1.0
# @author Faderwise contributors
# @about
#   Finds the fader moves of a mixdown (a bounced rough mix, say) and writes them as volume envelopes
#   on the bus tracks. One undo step.
"""Faderwise: Match buses to a mixdown."""

import sys
from pathlib import Path

VENDOR = str(Path(sys.path[0]) / "vendor")  # REAPER puts the script's folder first
if VENDOR not in sys.path:
    sys.path.insert(1, VENDOR)

from faderwise_bridge import actions

actions.run("match_buses")
