"""REAPER project files: read, summed, and written again without touching a byte that need not change.

`document` knows lines and nesting, `project` what they mean, `buses` which tracks the buses are, `summing` what
they sound like before their faders, `envelope_writing` how a gain curve becomes a volume envelope.
docs/guides/project-files.md says what is read, what is left out, and where each fact comes from.
"""
