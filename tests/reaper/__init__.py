"""The bridge inside a simulated REAPER."""
