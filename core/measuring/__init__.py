"""What a pass over a song finds: levels, loudness, spectra, features and products of samples."""
