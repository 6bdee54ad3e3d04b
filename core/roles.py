"""Buses' names: which role a file or a track of some name plays.

The four roles of Zafrin & Chudwick (2015) come first, in their order; the further ones follow, then names
all others, in alphabetical order.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from difflib import get_close_matches

from core.errors import InputError

SYNONYMS: dict[str, tuple[str, ...]] = {
    "drums": ("drums", "drum", "drumkit", "drum kit", "kit"),
    "bass": ("bass", "basses"),
    "melody": ("melody", "other", "music", "instruments", "instrumental"),
    "vocals": ("vocals", "vocal", "vox", "voice", "lead vocals", "lead vocal", "lead vox", "singer"),
    "percussion": ("percussion", "perc"),
    "guitars": ("guitars", "guitar", "lead guitar", "acoustic guitar", "electric guitar", "gtr", "gtrs"),
    "keys": ("keys", "keyboards", "keyboard", "piano", "organ", "rhodes"),
    "synths": ("synths", "synth", "synthesizer", "pads", "pad"),
    "strings": ("strings", "violins", "orchestra"),
    "brass": ("brass", "horns"),
    "winds": ("winds", "wind", "woodwinds", "saxophone", "sax"),
    "backing vocals": (
        *("backing vocals", "backing vocal", "backings", "background vocals", "harmony vocals", "harmonies"),
        *("bgv", "bgvs", "bvs", "choir"),
    ),
    "fx": ("fx", "sfx", "effects", "ambience"),
}
"""Names each role answers to, canonical name first; compared in any case."""

LEFT_OUT = "none"
"""The role of files and tracks that are left out on request."""
_MISSPELLED = 0.75
"""From this ratio of `difflib` on, a name is a misspelling of a listed one."""
MIXDOWN_NAMES = ("mix", "mixture", "master", "mixdown")
PAPER_BUSES = ("drums", "bass", "melody", "vocals")
MAIN_BUSES = ("drums", "bass", "vocals")
SUPPORTING = ("percussion", "backing vocals", "fx")
"""Roles with a separate place in the mix; all others share one, as the instruments of "melody"."""


def role_of(name: str) -> str | None:
    """Return the role that `name` is a listed name of, or None. ``role_of("Vox")`` is ``"vocals"``."""
    wanted = _plain(name)
    for role, names in SYNONYMS.items():
        if wanted in names:
            return role
    return None


def misspelled(name: str, further: Iterable[str] = ()) -> str | None:
    """Return the role whose listed name, or the one of `further`, a plain name is a misspelling of, or None.

    A listed name with a number or with further words, such as "vocals 2", is not a misspelling.

    Examples
    --------
    >>> misspelled("vocls"), misspelled("vocals 2")
    ('vocals', None)
    """
    known = {listed: role for role, names in SYNONYMS.items() for listed in names}
    known |= {role: role for role in further}
    if name in known or name == LEFT_OUT:
        return None
    words = set(re.split(r"[\s\d]+", name))
    near = get_close_matches(name, known, cutoff=_MISSPELLED)
    return None if any(words >= set(listed.split()) for listed in near) else next(map(known.get, near), None)


def canonical_role(role: str) -> str:
    """Return the listed role that `role` is a name of, or the name itself, plain.

    Raises
    ------
    InputError
        The name is empty, or a mixdown's.
    """
    plain = " ".join(role.split()).casefold()
    if not plain or plain in MIXDOWN_NAMES:
        raise InputError(
            "this is not a role of a bus",
            remedy="use drums, bass, melody, vocals or another name",
            option=f"--bus {role}=...",
        )
    return role_of(plain) or plain


def is_mixdown(name: str) -> bool:
    """Return whether `name` is that of a mixdown."""
    return _plain(name) in MIXDOWN_NAMES


def in_order(roles: Iterable[str]) -> tuple[str, ...]:
    """Return `roles` in the order buses have everywhere: the listed ones first, then the alphabet.

    Examples
    --------
    >>> in_order(["violin", "vocals", "drums"])
    ('drums', 'vocals', 'violin')
    """
    listed = list(SYNONYMS)
    return tuple(sorted(roles, key=lambda role: (listed.index(role) if role in listed else len(listed), role)))


_OF_BUS = ": "


def single_track(bus: str, name: str) -> str:
    """Return the role of a single track of a bus. ``single_track("drums", "Kick")`` is ``"drums: Kick"``."""
    return f"{bus}{_OF_BUS}{name}"


def bus_of(role: str) -> str:
    """Return the bus that a role is, or is a single track of. ``bus_of("drums: Kick")`` is ``"drums"``."""
    return role.partition(_OF_BUS)[0]


def place_of(bus: str) -> str:
    """Return the place in the mix that a bus shares with others of its kind.

    Two guitars and a piano share what would otherwise be one melody. An unlisted name is an instrument like them.
    """
    return bus if bus in (*MAIN_BUSES, *SUPPORTING) else "melody"


def sharing(buses: Sequence[str]) -> list[int]:
    """Return with how many of `buses`, itself included, each one shares its place in the mix."""
    places = [place_of(bus) for bus in buses]
    return [places.count(place) for place in places]


def _plain(name: str) -> str:
    return re.sub(r"[\s_\-.]+", " ", name).strip().casefold()
