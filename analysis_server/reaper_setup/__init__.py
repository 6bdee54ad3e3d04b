"""Faderwise in REAPER: its actions, its scripts and ReaScript's Python, set up and taken back.

Changes REAPER's files while REAPER is closed, with only Python's standard library, so that install.py can use it
before anything is installed. `places` finds REAPER, `scripts` and `packages` say what belongs into it, `plan` compares
that with what is there, `carrying_out` does it, `undoing` takes back what the `record` says was added.
"""
