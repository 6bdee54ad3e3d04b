"""REAPER projects as songs, and the copies that hold our envelopes."""
