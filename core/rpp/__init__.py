"""Read REAPER projects, sum their stems, and write envelopes into copies of them.

`parser` reads lines and blocks, `project` their meaning; `buses` and `single_tracks` find what is mixed, `render` sums
stems, `write` writes envelopes, `ext_state` stores values. All other bytes are unchanged;
docs/guides/project-files.md describes what is read and what is left out.
"""
