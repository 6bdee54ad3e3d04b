# @description Faderwise: Auto-mix buses
# @version 0.1.0
# @author Faderwise contributors
# @about
#   Sets the faders of the song's buses (drums, bass, melody, vocals and further ones) as a model learned,
#   and writes them as volume envelopes on the bus tracks: in the time selection, or in the whole song.
#   One undo step. The sound is measured before the faders, which stay where they are.
"""Faderwise: Auto-mix buses."""

import sys
from pathlib import Path

VENDOR = str(Path(sys.path[0]) / "vendor")  # REAPER puts the script's folder first
if VENDOR not in sys.path:
    sys.path.insert(1, VENDOR)

from faderwise_bridge import actions

actions.run("auto_mix_buses")
