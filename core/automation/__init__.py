"""Envelope points, rendered mixes and meters."""
