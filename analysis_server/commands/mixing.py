"""`faderwise mix`, `match`, `demo` and `buses`: set or recover the faders of a song."""

from __future__ import annotations

import math
import shlex
from argparse import Namespace
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from analysis_server import models
from analysis_server.commands import options
from analysis_server.paths import command_path, plain_path
from analysis_server.terminal import Terminal, lag_text
from core.wording import count, decibels, first_few, loudness_change

if TYPE_CHECKING:
    from analysis_server.report.mix import BusResult
    from analysis_server.verbs.mix import MixResult
    from core.audio.song import Song

_NO_BUS = "no bus"
_RECOVERED = "how certain each gain is, and what was changed since"
_MOST_NAMES = 6
"""The most file names printed for one bus."""


def add_mix(parser: options.Parser) -> None:
    """Add the options of `faderwise mix`."""
    parser.set_command(
        _mix,
        "mix MySong",
        "mix MySong --model mine --target-lufs -16 --out mixed",
        "mix MySong --bus vocals=lead.wav --range 0:45-2:10",
        "mix MySong --like OtherSong --ride vocals=60 --keep drums",
        "mix MySession.RPP --bus 'vocals=Lead Vox' --bus 'vocals=Harmonies'",
        "mix RawTracks --level tracks",
    )
    options.add_song_options(parser)
    text = f"the model to mix with (default: {models.DEFAULT_MODEL})"
    model = parser.add_argument("--model", default=models.DEFAULT_MODEL, metavar="NAME|FILE", help=text)
    options.complete(model, "models")
    text = "only this part, in seconds or m:ss-m:ss"
    parser.add_argument("--range", dest="range_s", type=options.range_s, metavar="A:B", help=text)
    text = "the loudness of the mix (default: that of the plain sum)"
    parser.add_argument("--target-lufs", type=options.lufs, metavar="X", help=text)
    text = "take over the relative loudness of the buses of a finished session, song folder or run"
    parser.add_argument("--like", metavar="SONG_DIR|SESSION.RPP|RUN", help=text)
    text = "how much of the predicted balance to apply, 0 to 200 percent (default: 100)"
    parser.add_argument("--depth", dest="depth_percent", type=options.percent, default=100.0, metavar="P", help=text)
    text = "even out the loudness of a bus relative to the others, 0 to 100 percent (may be repeated)"
    ride = parser.add_argument(
        "--ride", dest="ride_percent", type=options.ride, action="append", default=[], metavar="BUS=P", help=text
    )
    options.complete(ride, "buses", "=")
    text = "do not change this bus, and place the others relative to it (may be repeated)"
    keep = parser.add_argument("--keep", action="append", default=[], metavar="BUS", help=text)
    options.complete(keep, "buses")
    parser.add_argument(
        "--level",
        choices=("buses", "tracks"),
        default="buses",
        help="predict a gain for each bus, or for each single file or track (default: buses)",
    )
    parser.add_argument(
        "--existing",
        choices=("combine", "replace"),
        default="replace",
        help="your own volume moves in a project: keep them on top of the new gains, or replace them (default)",
    )
    text = "add an excerpt of every bus to the report, for solo and mute"
    parser.add_argument("--stems-in-report", action="store_true", help=text)


def add_match(parser: options.Parser) -> None:
    """Add the options of `faderwise match`."""
    parser.set_command(_match, "match MySong", "match MySong --mixdown rough.wav --out matched")
    options.add_song_options(parser)
    options.add_shared(parser, "--mixdown")


def add_demo(parser: options.Parser) -> None:
    """Add the options of `faderwise demo`."""
    parser.set_command(_demo, "demo", "demo --out my-demo")
    options.add_shared(parser, "--open")
    options.add_out(parser, "the folder to write to (default: demo-out)", "demo-out")


def add_buses(parser: options.Parser) -> None:
    """Add the options of `faderwise buses`."""
    parser.set_command(_buses, "buses MySong", "buses Session.RPP --json")
    parser.add_argument("song", type=options.path, metavar="SONG_DIR|SESSION.RPP", help=options.PROJECT_HELP)


def _mix(arguments: Namespace, terminal: Terminal) -> None:
    from analysis_server.verbs import mix

    fields = {**options.song_fields(arguments, arguments.song), "ride_percent": dict(arguments.ride_percent)}
    request = options.request_of(mix.MixRequest, arguments, **fields)
    song = mix.check(request)
    print_assignment(arguments, terminal, arguments.song, song, models.find(arguments.model).buses)
    result = options.perform(request, mix.run, terminal)
    _print_mix(result, terminal, opens=arguments.open, depth_percent=request.depth_percent)


def _demo(arguments: Namespace, terminal: Terminal) -> None:
    from analysis_server.paths import bundled_song
    from analysis_server.verbs import mix

    terminal.say("Mixing Caesium by Software-Entwicklungskit (CC0): 24 s, four buses.")
    request = mix.MixRequest(song=str(bundled_song()), out=arguments.out)
    _print_mix(options.perform(request, mix.run, terminal), terminal, opens=arguments.open)


def _print_mix(result: MixResult, terminal: Terminal, *, opens: bool, depth_percent: float = 100.0) -> None:
    subject = f"{result.title}{': ' if result.range_s is None and result.like is None else ', '}"
    _print_result(subject, result.headline, result.buses, terminal)
    whole = "Mix" if result.range_s is None else "Whole mix"
    source = f"model {result.model}"
    if result.like:
        source = f"balance of {result.like}, moves of the model {result.model}"
    terminal.say(
        f"{whole}: loudness {result.loudness_before_lufs:.1f} → {result.loudness_after_lufs:.1f} LUFS, "
        f"true peak {result.true_peak_dbtp:.1f} dBTP{_lowered_text(result)}; {source}."
    )
    terminal.note_all(result.notes)
    terminal.warn_all(result.warnings)
    only = next(iter(result.buses)) if len(result.buses) == 1 else None
    _print_next(result.files, terminal, opens=opens, only=only, depth_percent=depth_percent)
    terminal.give(result)


def _lowered_text(result: MixResult) -> str:
    """Return by how much the top of an envelope lowered all buses, or some of them."""
    lowered_db = result.lowered_db
    if not lowered_db:
        return ""
    least_db = min(lowered_db.values()) if len(lowered_db) == len(result.buses) else 0.0
    further = {bus: bus_db for bus, bus_db in lowered_db.items() if bus_db > least_db + 0.05}
    amounts = {**({"all buses": least_db} if least_db else {}), **further}
    return f"; lowered to fit an envelope: {', '.join(f'{what} {-by_db:.1f} dB' for what, by_db in amounts.items())}"


def _match(arguments: Namespace, terminal: Terminal) -> None:
    from analysis_server.report.content import full_sentence
    from analysis_server.verbs import match

    request = options.request_of(match.MatchRequest, arguments, **options.song_fields(arguments, arguments.song))
    print_assignment(arguments, terminal, arguments.song, match.check(request))
    result = options.perform(request, match.run, terminal)
    _print_result(f"{result.title}, ", result.headline, result.buses, terminal)
    terminal.say(
        f"mix.wav: loudness {result.loudness_after_lufs:.1f} LUFS (mixdown {result.mixdown_lufs:.1f} LUFS), "
        f"true peak {result.true_peak_dbtp:.1f} dBTP."
    )
    terminal.say(full_sentence(result.reason))
    if result.lag_samples:
        terminal.say(f"The mixdown is {lag_text(result.lag_samples)}; this was removed.")
    if result.limiter_db > 0.0:
        terminal.say(f"The mixdown's limiter, up to {result.limiter_db:.1f} dB, is not part of the fader moves.")
    terminal.note_all(result.notes)
    terminal.warn_all(result.warnings)
    _print_next(result.files, terminal, opens=arguments.open, audit_shows=_RECOVERED)
    terminal.give(result)


def _buses(arguments: Namespace, terminal: Terminal) -> None:
    from analysis_server.report.content import full_sentence
    from analysis_server.verbs import buses

    result = buses.run(buses.BusesRequest(song=arguments.song))
    if isinstance(result, buses.FileRoles):
        kind, rows = "file", [(row.file, row.bus or "-", row.role, row.reason) for row in result.files]
    else:
        rows = [(f"{row.track} {row.name}", row.bus or "-", row.role, row.reason) for row in result.tracks]
        kind = "track"
    terminal.table((kind, "bus", "role", "reason"), rows, align="llll")
    for note in result.notes:
        terminal.say(full_sentence(note))
    if isinstance(result, buses.FileRoles):
        terminal.warn_all(result.warnings)
    if result.suggestions:
        terminal.say("\nSome names were not recognised. To put one into a bus, for example:")
        for option in result.suggestions:
            terminal.say(f"  faderwise mix {shlex.quote(arguments.song)} --bus {shlex.quote(option)}")
    if result.options:
        what = f"to move a {kind}, change its bus"
        terminal.say(f"\nThe same assignment as options of mix, match and learn; {what}:")
        for option in result.options:
            terminal.say(f"  --bus {shlex.quote(option)}")
    terminal.give(result)


def print_assignment(
    arguments: Namespace, terminal: Terminal, path: str, song: Song | None, known: Iterable[str] = ()
) -> None:
    """Print the buses of a song with the files or tracks that are used, according to the names and the options.

    Nothing is printed with `--json`, or for a path that is not one song: the verb reports that.

    Parameters
    ----------
    arguments, terminal : the command's.
    path : the song's folder or project.
    song : the song, where it is open.
    known : buses that are not new although they are not listed.
    """
    if terminal.as_json:
        return
    from analysis_server.paths import is_project
    from analysis_server.sources.folder import layout_of, song_folders
    from analysis_server.verbs import buses
    from core.errors import InputError
    from core.matching import new_buses

    chosen = options.by_role(arguments.bus)
    only, mixdown = getattr(arguments, "only", ()), getattr(arguments, "mixdown", None)
    try:
        if song is None and not is_project(path):
            songs = song_folders([path])
            if len(songs) > 1:
                return
            path = str(songs[0])
        elif song is not None and (raw := layout_of(Path(path)).raw):
            path = str(raw) if any(row.path.parent == raw for row in song.assignment) else path
        rows = buses.used_in(path, song, chosen, only=only, mixdown=mixdown)
    except (InputError, OSError):
        return
    if rows:
        terminal.say(f"Buses of {Path(path).name or path} (faderwise buses {shlex.quote(path)} shows why):")
        new = new_buses(chosen, known)
        table = [
            (f"{bus} (new)" if bus in new else bus, first_few(names, _MOST_NAMES))
            for bus, names in _names_by_bus(rows).items()
        ]
        terminal.table(("bus", "tracks" if is_project(path) else "files"), table, align="ll")
        terminal.say()


def _names_by_bus(rows: Iterable[tuple[str, str | None]]) -> dict[str, list[str]]:
    from core.roles import in_order

    by_bus: dict[str, list[str]] = {}
    for name, bus in rows:
        by_bus.setdefault(bus or _NO_BUS, []).append(name)
    ordered = (*in_order(bus for bus in by_bus if bus != _NO_BUS), _NO_BUS)
    return {bus: by_bus[bus] for bus in ordered if bus in by_bus}


def _print_result(subject: str, headline: str, buses: Mapping[str, BusResult], terminal: Terminal) -> None:
    tracks = tuple(bus.partition(": ")[2] for bus in buses if ": " in bus)
    terminal.say(subject + (headline if headline.startswith(tracks) else f"{headline[:1].lower()}{headline[1:]}"))
    are_tracks = all(len(result.inputs) == 1 for result in buses.values()) and any(": " in bus for bus in buses)
    columns = ["bus", "source", "gain", "80 % band", "loudness by automation"]
    rows = []
    for bus, result in buses.items():
        files = result.inputs if len(result.inputs) < 3 else [result.inputs[0], f"{len(result.inputs) - 1} more"]
        band = "" if result.band_db is None else f"±{result.band_db:.1f} dB"
        gain = decibels(result.gain_db) if result.is_in_mix else "not in the mix"
        levels = (result.loudness_before_lufs, result.loudness_after_lufs)
        loudness = loudness_change(*(-math.inf if level is None else level for level in levels))
        rows.append([bus, ", ".join(files), gain, "kept" if result.is_kept else band, loudness])
    if are_tracks:  # their names are in the first column
        rows, columns = [[row[0], *row[2:]] for row in rows], ["track", *columns[2:]]
    at = columns.index("80 % band")
    if not any(row[at] for row in rows):  # with --like
        rows, columns = [row[:at] + row[at + 1 :] for row in rows], columns[:at] + columns[at + 1 :]
    terminal.table(columns, rows, align="l" if are_tracks else "ll")


def print_earlier_copies(path: Path, terminal: Terminal, *others: Path) -> None:
    """Print where the files are that were at `path`, and at the others, before and were set aside."""
    from analysis_server.runs.run_folder import earlier_copies

    earlier = [copy for one in (*others, path) for copy in earlier_copies(plain_path(one))]
    if len(earlier) == 1:
        terminal.say(f"Earlier: {earlier[0]}")
    elif earlier:
        them = "them" if others else "it"
        terminal.say(f"Earlier: {len(earlier)} copies next to {them}, the latest {earlier[-1]}")


def _print_next(
    files: Mapping[str, str],
    terminal: Terminal,
    *,
    opens: bool,
    only: str | None = None,
    depth_percent: float = 100.0,
    audit_shows: str = "why each gain was chosen",
) -> None:
    """Print where the results are and which commands can follow; open the report if asked to.

    `only` is the bus of a mix that has no other, and thus no balance that could be half as strong. `depth_percent` is
    the depth of the mix; that of an edit is relative to the whole prediction too.
    """
    from analysis_server.runs.kept_runs import earlier_runs

    if not files:
        terminal.say("Dry run: nothing was written.")
        return
    project = next((path for name, path in files.items() if name.lower().endswith(".rpp")), None)
    report = files.get("report.html")
    if report:
        folder = plain_path(report).parent
        names = [name for name, path in files.items() if path not in (report, project)]
        terminal.say(f"Report: {folder / 'report.html'}")
        terminal.say(f"Results: {folder} ({', '.join(names)})")
        earlier = earlier_runs(folder)
        if earlier:
            where = shlex.quote(command_path(folder))
            terminal.say(
                f"Earlier: {count(len(earlier), 'result')} in {folder / 'runs'}; see faderwise runs list {where}"
            )
    if project:
        terminal.say(f"Project: {plain_path(project)}")
        print_earlier_copies(Path(project), terminal)
    target = shlex.quote(command_path(project or Path(report or "").parent))
    strength = "half as strong" if depth_percent else "half of the predicted balance"
    terminal.say_next(
        (f"edit {target} --offset {shlex.quote(only)}=-3", "3 dB lower")
        if only
        else (
            f"edit {target} --depth {depth_percent / 2.0 or 50.0:g}",
            f"{strength} (also --offset, --limit, --smooth)",
        ),
        (f"audit {target}", audit_shows),
        *([(f"revert {target}", "the automation from before")] if project else []),
    )
    if opens and report:
        terminal.open(report)
