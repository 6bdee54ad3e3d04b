"""A strict simulated REAPER: it runs ReaScripts (Python) on real project files and refuses what REAPER refuses.

How a test uses it::

    with ReaperHost(tmp_path / "resource", project=tmp_path / "song.RPP") as host:
        host.dialogs.expect_message("OK", containing="4 buses")        # what the user will press
        script = host.run_script(tmp_path / "Auto-mix buses.py")        # the first run, synchronous
        host.run_to_end(timeout_s=60)                                   # its deferred code, at REAPER's pace
        assert script.error is None and host.complaints == []
        assert max(tick.script_s for tick in host.ticks) < 0.030        # render time does not count
        host.RPR.RPR_Undo_DoUndo2(0)                                    # the API itself, as reaper_python has it
        envelope = host.project.track_of("DRUMS").envelope("VOLENV2")   # what is there, without the API
        saved = host.save()                                             # bytes, untouched lines unchanged

Inside, `import reaper_python` and `import reapy` work as in REAPER. `host.switches` are facts no source settles: a
script has to be right with either value. `ReaperCrash`, `ModalHang` and `NotSimulated` are raised out of `run_script`,
`tick` and `run_until`, even if the script caught it; `host.violations` lists them. README.md lists what is unverified.
"""

from __future__ import annotations

from tests.reaper_host.errors import HostFault, HostViolation, ModalHang, NotSimulated, ReaperCrash
from tests.reaper_host.host import ReaperHost
from tests.reaper_host.switches import Switches

__all__ = ["HostFault", "HostViolation", "ModalHang", "NotSimulated", "ReaperCrash", "ReaperHost", "Switches"]
