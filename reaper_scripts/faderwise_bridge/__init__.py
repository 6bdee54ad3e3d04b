"""The part of Faderwise that runs inside REAPER: dialogs, rendering of stems, writing of envelopes.

Only the standard library and reapy, on Python 3.8 to 3.13. Nothing here computes or reads a project file: the
application does that in separate processes. How they work together: docs/development/bridge.md.
"""
