"""The sounds to listen to, embedded in the page, and the transport that plays them against each other."""

from __future__ import annotations

import base64
from collections.abc import Sequence

from analysis_server.report.axes import Axis
from analysis_server.report.content import Player
from analysis_server.report.wording import clock_text, escape

LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"

_PLAY = (
    '<button type="button" class="play" data-does="play" aria-label="Play">'
    '<svg width="16" height="16" aria-hidden="true" focusable="false">'
    '<path class="when-still" d="M3 1l12 7-12 7z"/>'
    '<path class="when-playing" d="M2 1h4v14h-4zM10 1h4v14h-4z"/>'
    "</svg></button>"
)
_SWAP = (
    '<button type="button" class="swap" data-does="swap" aria-label="Swap to the next sound, same position">'
    '<svg width="18" height="16" aria-hidden="true" focusable="false">'
    '<path d="M1 5h15l-4-4M17 11h-15l4 4"/></svg></button>'
)


def listening_section(players: Sequence[Player], time: Axis) -> str:
    """Return the section of the players, or nothing without any."""
    if not players:
        return ""
    cards = "".join(_card(number, player) for number, player in enumerate(players))
    return (
        '<section class="listening" aria-labelledby="listening-title"><h2 id="listening-title">Listen</h2>'
        f'<div class="cards">{cards}</div>{_shortcuts(players)}</section>{_transport(players, time)}'
    )


def letter_of(number: int) -> str:
    """Return the key that chooses a player: ``A`` for the first; none after ``Z``."""
    return LETTERS[number] if number < len(LETTERS) else ""


def _card(number: int, player: Player) -> str:
    """Return one player: it works by itself, and under the transport once the script runs."""
    source = f"data:{escape(player.mime)};base64,{base64.b64encode(player.encoded).decode('ascii')}"
    name = f'<span class="letter">{letter_of(number)}</span> {escape(player.label)}'
    return (
        f'<div class="card"><h3 id="player-{number}">{name}</h3>'
        f'<p id="player-{number}-note">{escape(player.note)}</p>'
        f'<audio controls preload="auto" data-start="{player.start_s:.3f}" aria-labelledby="player-{number}" '
        f'aria-describedby="player-{number}-note" src="{source}"></audio></div>'
    )


def _transport(players: Sequence[Player], time: Axis) -> str:
    """Return the bar that stays in sight; the script shows it."""
    choices = "".join(
        f'<button type="button" data-player="{number}" aria-pressed="{"true" if number == 0 else "false"}">'
        f'<span class="letter">{letter_of(number)}</span> '
        f'<span class="label">{escape(player.label)}</span></button>'
        for number, player in enumerate(players)
    )
    chooser = f'<div class="choices" role="group" aria-label="Sound">{choices}</div>'
    position = (
        '<input type="range" class="position" aria-label="Position" '
        f'min="0" max="{time.high:.2f}" step="0.1" value="0">'
    )
    return (
        f'<div class="transport" role="group" aria-label="Transport" hidden>{_PLAY}'
        f"{(chooser + _SWAP) if len(players) > 1 else ''}{position}"
        f'<p class="clock"><span data-shows="position">0:00</span> / {clock_text(time.high)}</p></div>'
    )


def _shortcuts(players: Sequence[Player]) -> str:
    """Return what the keys do, with the switch that turns them off."""
    letters = [letter_of(number) for number in range(len(players)) if letter_of(number)]
    span = letters[0] if len(letters) == 1 else f"{', '.join(letters[:-1])} and {letters[-1]}"
    choose = f"; {span} choose the sound" if len(letters) > 1 else ""
    return (
        '<p class="shortcuts" hidden><label><input type="checkbox" data-does="shortcuts" checked> '
        f"Keys: Space plays and pauses{choose}. Click a chart to go to that moment.</label></p>"
    )
