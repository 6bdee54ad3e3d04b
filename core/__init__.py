"""The numbers: audio blocks in, gain curves out. No sockets, no live REAPER, no printing."""

__version__ = "0.1.0"
