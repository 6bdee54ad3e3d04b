"""The part of Faderwise that runs inside REAPER: dialogs, rendering of stems, writing of envelopes.

Only the standard library and reapy, on Python 3.8 to 3.13. Nothing here computes or reads a project file: the
application does that in separate processes. How they work together: docs/development/bridge.md.
"""


class BridgeError(Exception):
    """A message for the user, with the remedy.

    `keeps_job` means that the job can be resumed: its stems are kept, and the next action offers to continue it.
    """

    def __init__(self, message: str, keeps_job: bool = False) -> None:
        super().__init__(message)
        self.keeps_job = keeps_job


class UserCancelled(Exception):  # noqa: N818 - not an error
    """The user closed a dialog or cancelled the job."""
