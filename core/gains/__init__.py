"""Gain curves: estimated from a mixdown, stored and smoothed."""
