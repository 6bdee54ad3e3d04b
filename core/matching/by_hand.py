"""The buses that a user chooses by name for files or tracks."""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Sequence

from core.errors import InputError
from core.matching.matcher import match_name
from core.roles import LEFT_OUT, SYNONYMS, bus_of, canonical_role, misspelled

_PLACEHOLDERS = ("bus", "role")


def by_bus(chosen: Iterable[tuple[str, str | Sequence[str]]]) -> dict[str, list[str]]:
    """Return the files or tracks of each bus from pairs of a role and its files or tracks, as `--bus` gives them.

    Raises
    ------
    InputError
        A role is empty, a mixdown's name, a misspelling of a bus, or a placeholder.

    Examples
    --------
    >>> by_bus([("Vox", "lead.wav"), ("vocals", ["double.wav"])])
    {'vocals': ['lead.wav', 'double.wav']}
    """
    found: dict[str, list[str]] = {}
    for role, names in chosen:
        bus = canonical_role(role)
        if bus in _PLACEHOLDERS:
            remedy = f"replace it with drums, bass, melody, vocals or another name, or with {LEFT_OUT}"
            raise InputError(f"{role.strip()} is a placeholder", option=f"--bus {role}=...", remedy=remedy)
        meant = misspelled(bus)
        if meant and match_name(bus).bus in (None, meant):
            raise _no_bus(role, meant)
        found.setdefault(bus, []).extend([names] if isinstance(names, str) else names)
    return found


def new_buses(chosen: Iterable[str], known: Iterable[str] = ()) -> list[str]:
    """Return the buses that are neither listed nor known.

    Parameters
    ----------
    chosen : the roles that files or tracks were chosen for.
    known : further buses, such as those of a model's songs.

    Raises
    ------
    InputError
        A role is a misspelling of a known bus, or named like a single track ("drums: kick").
    """
    learned = {bus_of(bus) for bus in known} - SYNONYMS.keys()
    buses = dict.fromkeys(map(canonical_role, chosen))
    new = [bus for bus in buses if bus not in learned and bus not in SYNONYMS and bus != LEFT_OUT]
    for bus in new:
        if bus_of(bus) != bus:
            problem = "a bus is not named like a single track"
            raise InputError(problem, option=f"--bus {bus}=...", remedy=f"use {bus_of(bus)}, or another name")
        meant = misspelled(bus, learned)
        if meant in learned:
            raise _no_bus(bus, meant)
    return new


def new_bus_notes(chosen: Iterable[str], known: Iterable[str], gain: str) -> list[str]:
    """Return a sentence for each new bus.

    Parameters
    ----------
    chosen, known : as for `new_buses`.
    gain : how the gain of a new bus is found.
    """
    notes = []
    for bus in new_buses(chosen, known):
        usual = match_name(bus).bus
        option = shlex.quote(f"{usual}=FILE")
        instead = f" (files of that name are otherwise in the {usual}: --bus {option})" if usual else ""
        notes.append(f"{bus} is a new bus{instead}: {gain}")
    return notes


def _no_bus(role: str, meant: str) -> InputError:
    remedy = f"did you mean {meant}? The name of a new bus must be less similar"
    return InputError(f"no bus {role.strip()}", option=f"--bus {role}=...", remedy=remedy)
