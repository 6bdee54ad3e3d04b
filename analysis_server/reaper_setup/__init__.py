"""Install Faderwise's actions in REAPER and remove them again.

REAPER's files are changed while REAPER is closed, with only Python's standard library, so that install.py can do it
before anything is installed.
"""
