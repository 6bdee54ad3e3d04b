"""Undamaged material: a session that uses many features of project files, and short audio in every format."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt
import soundfile

ROOT = Path(__file__).resolve().parents[2]
BUNDLED = ROOT / "examples" / "caesium"
PROJECTS = ROOT / "tests" / "projects"
ROLES = ("drums", "bass", "melody", "vocals")
AUDIO_FORMATS = (
    *(("wav", "WAV", "PCM_16"), ("wav", "WAV", "PCM_24"), ("wav", "WAV", "FLOAT"), ("wav", "WAVEX", "PCM_16")),
    *(("wav", "RF64", "PCM_16"), ("flac", "FLAC", "PCM_16"), ("ogg", "OGG", "VORBIS"), ("aiff", "AIFF", "PCM_16")),
    *(("aiff", "AIFF", "FLOAT"), ("mp3", "MP3", "MPEG_LAYER_III"), ("opus", "OGG", "OPUS"), ("caf", "CAF", "PCM_16")),
    *(("w64", "W64", "PCM_16"), ("au", "AU", "PCM_16")),
)
RATE = 44_100
_START_S, _LENGTH_S = 9.0, 1.25


def excerpt(role: str) -> npt.NDArray[np.float64]:
    """Return a second and a quarter of a bundled stem, or of the mix, shape (n_samples, 2)."""
    samples, _ = soundfile.read(BUNDLED / f"{role}.flac", int(_LENGTH_S * RATE), int(_START_S * RATE))
    return np.asarray(samples)


def write_song(folder: Path, gain: float = 1.0) -> Path:
    """Write a short song with its mixdown, all files times `gain`, and return its folder."""
    folder.mkdir(parents=True)
    for role in (*ROLES, "mix"):
        soundfile.write(folder / f"{role}.wav", gain * excerpt(role), RATE, "PCM_16")
    return folder


def write_formats(folder: Path) -> list[Path]:
    """Write the bass in every format and return the files."""
    folder.mkdir(parents=True)
    paths = []
    for number, (suffix, kind, subtype) in enumerate(AUDIO_FORMATS):
        paths.append(folder / f"{number}.{suffix}")
        rate = 48_000 if subtype == "OPUS" else RATE
        soundfile.write(paths[-1], excerpt("bass"), rate, subtype, format=kind)
    return paths


SESSION = """<REAPER_PROJECT 0.1 "7.19/linux-x86_64" 1700000000
  TEMPO 120 4 4
  SAMPLERATE 44100 1 0
  PLAYRATE 1 0 0.25 4
  GLOBAL_AUTO -1
  MASTER_VOLUME 1 0 -1 -1 1
  <TEMPOENVEX
    ACT 1 -1
    PT 0 120 1 262148
  >
  <TRACK {A0}
    NAME "DRUM BUS"
    VOLPAN 0.8 0 -1 -1 1
    MUTESOLO 0 0 0
    IPHASE 0
    ISBUS 1 1
    AUTOMODE 0
    NCHAN 2
    MAINSEND 1 0
    <VOLENV2
      EGUID {E0}
      ACT 1 -1
      VOLTYPE 1
      PT 0 1 0
      PT 0.5 0.5 5 1 0 0 0.3
      PT 1 1.5 2
    >
  >
  <TRACK {A1}
    NAME kick
    VOLPAN 1 -0.2 -1 -1 1
    MAINSEND 1 0
    <ITEM
      POSITION 0
      LENGTH 1.2
      LOOP 1
      FADEIN 1 0.01 0 1 0 0 0
      FADEOUT 3 0.1 0.05 3 0 0 0
      VOLPAN 1 0 0.9 -1
      SOFFS 0.1
      PLAYRATE 1.25 1 0 -1 0 0.0025
      CHANMODE 0
      <SOURCE WAVE
        FILE "drums.wav"
      >
      TAKE SEL
      NAME second
      TAKEVOLPAN 0 -0.5 -1
      SOFFS 0
      <SOURCE SECTION
        LENGTH 0.4
        STARTPOS 0.2
        <SOURCE WAVE
          FILE "drums.wav"
        >
      >
    >
  >
  <TRACK {A2}
    NAME snare
    ISBUS 2 -1
    AUXRECV 1 3 0.5 0 0 0 0 0 0 -1 '' ''
    MAINSEND 1 0
    <VOLENV
      ACT 1 -1
      PT 0 1 0
      PT 1 0.2 0
    >
  >
  <TRACK {A3}
    NAME "Bass Bus"
    VOLPAN 1.2 0 -1 -1 1
    AUTOMODE 1
    MAINSEND 1 0
    <VOLENV3
      ACT 1 -1
      PT 0 0.9 0
    >
    <FXCHAIN
      BYPASS 0 0 0
      <VST "VST: ReaEQ (Cockos)" reaeq.so 0 "" 1919247729
        cXNlcu5e7f4CAAAA
      >
    >
    <ITEM
      POSITION 0.1
      LENGTH 1.1
      <SOURCE WAVE
        FILE "bass.wav"
      >
    >
  >
  <TRACK {A4}
    NAME melody
    MAINSEND 1 0
    <ITEM
      POSITION 0
      LENGTH 1.2
      <SOURCE WAVE
        FILE "melody.wav"
      >
    >
  >
  <TRACK {A5}
    NAME vocals
    MAINSEND 1 0
    <ITEM
      POSITION 0
      LENGTH 1.2
      <SOURCE WAVE
        FILE "vocals.wav"
      >
    >
  >
>
"""
"""A session of the short song: folders, sends, envelopes, takes, sections, fades, plug-ins."""
