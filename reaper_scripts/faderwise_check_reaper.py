# @description Faderwise: Check this REAPER
# @version 0.1.0
# @author Faderwise contributors
# @about
#   Opens an empty project tab, tries what Faderwise relies on in this REAPER (rendering, envelopes, undo, saving),
#   closes the tab again, and reports each fact. Your projects are not changed.
"""Faderwise: Check this REAPER."""

import sys
from pathlib import Path

VENDOR = str(Path(sys.path[0]) / "vendor")  # REAPER puts the script's folder first
if VENDOR not in sys.path:
    sys.path.insert(1, VENDOR)

from faderwise_bridge import actions

actions.run("check_reaper")
