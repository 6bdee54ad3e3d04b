# @description Faderwise: Learn mix model from this session
# @version 0.1.0
# @author Faderwise contributors
# @about
#   Learns a mix model from this session: from its own faders and envelopes, or from its mixdown.
#   Auto-mix buses then mixes other sessions with it. Nothing in the session is changed.
"""Faderwise: Learn mix model from this session."""

import sys
from pathlib import Path

VENDOR = str(Path(sys.path[0]) / "vendor")  # REAPER puts the script's folder first
if VENDOR not in sys.path:
    sys.path.insert(1, VENDOR)

from faderwise_bridge import actions

actions.run("learn_mix_model")
