"""What Faderwise does inside REAPER: asks, renders stems, hands a job over, writes what comes back.

Only the standard library and reapy, on Python 3.8 to 3.13. Nothing here computes or reads a project file: the
application does, in a process of its own. docs/development/bridge.md tells how the two work together.
"""
