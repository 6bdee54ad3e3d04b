"""Runs: records, restore, audit, edit, merge and compare."""
