# @description Faderwise: Auto-mix selected tracks
# @version 0.1.0
# @author Faderwise contributors
# @about
#   Sets the faders of the selected tracks as a model learned, and writes them as volume envelopes on these tracks: in
#   the time selection, or in the whole song. All other tracks are not changed. One undo step.
"""Faderwise: Auto-mix selected tracks."""

import sys
from pathlib import Path

VENDOR = str(Path(sys.path[0]) / "vendor")  # REAPER puts the script's folder first
if VENDOR not in sys.path:
    sys.path.insert(1, VENDOR)

from faderwise_bridge import actions

actions.run("auto_mix_selected_tracks")
