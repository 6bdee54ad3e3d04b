"""Measurements of audio: levels, loudness, spectra, features and Gram matrices."""
