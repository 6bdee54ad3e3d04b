"""Set the stems of a song to equal loudness and write their mix, with soundfile and pyloudnorm only.

python benchmarks/plain_script.py SONG_DIR OUT.wav
"""

import sys
from pathlib import Path

import numpy as np
import pyloudnorm
import soundfile

folder, out = Path(sys.argv[1]), Path(sys.argv[2])
mix, rate = np.zeros(0), 44_100
for name in ("drums", "bass", "melody", "vocals"):
    samples, rate = soundfile.read(folder / f"{name}.wav")
    loudness = pyloudnorm.Meter(rate).integrated_loudness(samples)
    mix = (
        mix + pyloudnorm.normalize.loudness(samples, loudness, -23.0)
        if len(mix)
        else samples * 10 ** ((-23.0 - loudness) / 20.0)
    )
soundfile.write(out, mix / max(1.0, np.abs(mix).max()), rate)
