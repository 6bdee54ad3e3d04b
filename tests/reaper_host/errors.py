"""What the simulated REAPER raises where the real one would crash, hang, or do something that is not simulated.

They are no `Exception`, so that a script's own ``except Exception`` cannot hide them from the test.
"""

from __future__ import annotations


class HostViolation(BaseException):
    """A script did what no script may do; the host remembers it and raises it to the test."""


class ReaperCrash(HostViolation):
    """The real REAPER would have crashed: a stale pointer reached C, a buffer was overrun, another thread called."""


class ModalHang(HostViolation):
    """An unexpected window waits for the user, and blocks every deferred script. [a: N782]"""


class HostFault(HostViolation):
    """An error in the simulated host or in the test, never one of the script."""


class NotSimulated(HostViolation):
    """The function or command exists in REAPER, but the simulated host does not implement it."""
