"""`faderwise audit`, `edit`, `revert`, `compare` and `runs`: inspect, change and undo earlier runs."""

from __future__ import annotations

import shlex
import time
from argparse import Namespace
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from analysis_server.commands import options
from analysis_server.commands.mixing import print_earlier_copies
from analysis_server.models import DEFAULT_MODEL
from analysis_server.paths import command_path, is_project, plain_path
from analysis_server.terminal import Terminal
from core.errors import InputError
from core.files import require_folder
from core.roles import bus_of
from core.wording import count, decibels, decimal, listed

if TYPE_CHECKING:
    from analysis_server.runs.kept_runs import KeptRun
    from analysis_server.verbs.audit import AuditEdit

_DAY_S = 86_400.0


# audit


def add_audit(parser: options.Parser) -> None:
    """Add the options of `faderwise audit`."""
    parser.set_command(_audit, "audit Song-faderwise.RPP", "audit MySong-faderwise --open")
    parser.add_argument("target", type=options.path, metavar="SESSION.RPP|OUT_DIR", help=options.RUN_HELP)
    options.add_out(parser, "the folder for the page (default: the audited folder, or next to the project)")
    parser.add_argument("--stems", metavar="SONG_DIR", help="the stems of a project, to hear the present mix")
    parser.add_argument("--no-sound", dest="sound", action="store_false", help="make the page without sound")
    text = "also play the difference of the two mixes"
    parser.add_argument("--difference", action="store_true", help=text)
    text = "add the curves of each track to the JSON result, a value per frame"
    parser.add_argument("--curves", action="store_true", help=text)
    options.add_shared(parser, "--open", "--dry-run")


def _audit(arguments: Namespace, terminal: Terminal) -> None:
    from analysis_server.verbs import audit

    with terminal.progress() as progress:
        result = audit.run(options.request_of(audit.AuditRequest, arguments), progress)
    terminal.say(f"{result.title}: {result.summary[:1].lower()}{result.summary[1:]}")
    rows: list[tuple[str, str, str]] = []
    tracks = list(zip(audit.track_labels(result), result.tracks, strict=True))
    sums = audit.sums_of(result)
    for label, track in tracks:
        gain = decibels(track.gain_now_db)
        if result.is_edited:
            gain = f"{decibels(track.gain_written_db)} → {gain}"
        if track.bus in sums and all(row[0] != track.bus for row in rows):
            rows.append((track.bus, "", audit.loudness_text(result.buses[track.bus])))
        rows.append((label, gain, audit.loudness_text(track)))
    kind = _kind(track.bus for track in result.tracks)
    terminal.table((kind, "gain written → now" if result.is_edited else "gain", "loudness"), rows, align="ll")
    if result.moves:
        terminal.say("Largest moves:")
    for move in result.moves[:5]:
        why = f"; {move.why}" if move.why else ""
        terminal.say(
            f"  {move.track}, {audit.move_span_text(move, decimal)} s: "
            f"{decimal(move.start_db, signed=True)} → {decibels(move.end_db)}{why}"
        )
    for label, track in tracks:
        if track.lift_db:
            terminal.say(f"  {label}: the whole curve was moved by hand by {decibels(track.lift_db)}")
        for edit in track.edits:
            terminal.say(f"  {label}: {_edit_text(edit)}")
    terminal.note_all(result.notes)
    terminal.warn_all(result.warnings)
    _print_files(result.files, terminal)
    target = shlex.quote(arguments.target)
    steps = [(f"edit {target} --offset {kind.upper()}=DB", f"change a {kind} (also --depth, --limit, --smooth)")]
    if is_project(arguments.target) or len(result.runs) > 1:
        steps.append((f"revert {target}", "restore the automation from before"))
    terminal.say_next(*steps)
    if arguments.open:
        terminal.open(*result.files.values())
    terminal.give(result)


def _kind(roles: Iterable[str]) -> str:
    """Return what the gains of a run are for, as the head of a column: its buses, or single tracks."""
    return "track" if any(bus_of(role) != role for role in roles) else "bus"


def _edit_text(edit: AuditEdit) -> str:
    """Return which points were edited by hand, with the time of each (of the first four)."""
    from analysis_server.verbs.edit import span_text

    if not edit.points:
        return f"{count(len(edit.gone), 'point')} deleted by hand {span_text(edit.start_s, edit.end_s)}"
    times = ", ".join(f"{time_s:.1f}" for time_s, _ in edit.points[:4])
    more = f" and {len(edit.points) - 4} more" if len(edit.points) > 4 else ""
    return f"{count(len(edit.points), 'point')} edited by hand, at {times} s{more}"


# edit


def add_edit(parser: options.Parser) -> None:
    """Add the options of `faderwise edit`."""
    parser.set_command(
        _edit,
        "edit Song-faderwise.RPP --depth 50",
        "edit MySong-faderwise --offset vocals=1.5",
        "edit MySong-faderwise --smooth 4 --ignore 1:10-1:25 --freeze drums",
        "edit MySong-faderwise --from-prediction       the original prediction, with your edits",
    )
    options.add_run_options(parser)
    add = parser.add_argument
    text = "how much of the whole predicted balance, 0 to 200 %%; also where mix --depth applied only a part of it"
    add("--depth", dest="depth_percent", type=options.percent, metavar="P", help=text)
    text = "depth of the moves around each bus's level, 0 to 200 %%"
    add("--moves", dest="moves_percent", type=options.percent, metavar="P", help=text)
    text = "make this bus louder or quieter by this many dB"
    offset = add("--offset", dest="offset_db", action="append", type=options.offset, metavar="BUS=DB", help=text)
    text = "even out the loudness of this bus relative to the others, 0 to 100 percent"
    ride = add("--ride", dest="ride_percent", action="append", type=options.ride, metavar="BUS=P", help=text)
    for option in (offset, ride):
        options.complete(option, "buses", "=")
    text = "the largest distance of a bus from the common gain, in dB"
    add("--limit", dest="limit_db", type=options.decibels, metavar="DB", help=text)
    add("--smooth", dest="smooth_s", type=options.seconds, metavar="S", help="smooth moves of less than S seconds")
    text = "change only this part, in seconds or m:ss-m:ss"
    add("--range", dest="range_s", type=options.range_s, metavar="A:B", help=text)
    freeze = add(
        "--freeze",
        action="append",
        metavar="BUS",
        help="do not change this bus; its --offset and --ride have no effect",
    )
    options.complete(freeze, "buses")
    text = "ignore the prediction in this passage, and interpolate the gain across it"
    add("--ignore", dest="ignore_s", action="append", type=options.range_s, metavar="A:B", help=text)
    add("--from-prediction", "--afresh", action="store_true", help="drop the settings of earlier edits")
    add("--render", action="store_true", help="render a folder's mix.wav again (default: it stays as it is)")


def _edit(arguments: Namespace, terminal: Terminal) -> None:
    from analysis_server.report.content import bus_labels
    from analysis_server.verbs import edit

    offsets = dict(arguments.offset_db) if arguments.offset_db else None
    rides = dict(arguments.ride_percent) if arguments.ride_percent else None
    with terminal.progress() as progress:
        request = options.request_of(edit.EditRequest, arguments, offset_db=offsets, ride_percent=rides)
        result = edit.run(request, progress)
    settings = ", ".join(result.in_words) or "as predicted"
    edited = "edited" if request.has_settings else "no setting was changed"
    terminal.say(f"{result.title}: run {result.edited}, {edited}: {settings}. The edit is run {result.run}.")
    labels = bus_labels([(track.bus, track.track) for track in result.tracks])
    gains = [f"{decibels(track.before_db)} → {decibels(track.after_db)}" for track in result.tracks]
    rows = zip(labels, gains, strict=True)
    span_s = result.settings.range_s
    where = f" from {span_s[0]:g} to {span_s[1]:g} s" if span_s else ""
    terminal.table((_kind(track.bus for track in result.tracks), f"gain{where}"), rows)
    for sentence in edit.own_changes(result):
        terminal.say(f"  {sentence}")
    terminal.note_all(result.notes)
    terminal.warn_all(result.warnings)
    _print_files(result.files, terminal)
    target = next((command_path(path) for path in result.files.values() if is_project(path)), arguments.target)
    quoted = shlex.quote(target)
    if not arguments.dry_run:
        terminal.say_next(
            (f"audit {quoted}", "a page that shows what was changed"),
            (f"revert {quoted}", "restore the automation from before"),
        )
    terminal.give(result)


def _print_files(files: Mapping[str, str], terminal: Terminal) -> None:
    from analysis_server.runs.kept_runs import dated_copies

    terminal.say("Written:" if files else "Dry run: nothing was written.")
    for path in files.values():
        terminal.say(f"  {plain_path(path)}")
    for path in filter(is_project, files.values()):
        print_earlier_copies(Path(path), terminal)
    if "run.json" not in files:
        return
    folder = plain_path(files["run.json"]).parent
    copies = dated_copies(folder)
    if copies:
        where = shlex.quote(command_path(folder))
        terminal.say(f"Earlier: {_copies(copies)} next to them; see faderwise runs list {where}")


# revert


def add_revert(parser: options.Parser) -> None:
    """Add the options of `faderwise revert`."""
    parser.set_command(
        _revert,
        "revert Song-faderwise.RPP            the automation from before Faderwise",
        "revert Song-faderwise.RPP --to 2     the automation after run 2",
        "revert MySong-faderwise              the automation and mix.wav from before the edits",
    )
    options.add_run_options(parser)
    text = "the run to revert to (default: 0, before all of them; in a folder, the first)"
    parser.add_argument("--to", type=options.run_number, metavar="RUN", help=text)
    text = "do not render a folder's mix.wav again where it is of another automation"
    parser.add_argument("--no-render", dest="render", action="store_false", help=text)


def _revert(arguments: Namespace, terminal: Terminal) -> None:
    from analysis_server.verbs import revert

    with terminal.progress() as progress:
        result = revert.run(options.request_of(revert.RevertRequest, arguments), progress)
    runs = listed([str(number) for number in result.taken_back])
    which = f"runs {runs}" if len(result.taken_back) > 1 else f"run {runs}"
    state = f"the state after run {result.to}" if result.to else "the state before Faderwise"
    verb = "would be reverted" if arguments.dry_run else "reverted"
    terminal.say(f"{result.title}: {which} {verb} to {state} ({', '.join(result.tracks)}).")
    terminal.note_all(result.notes)
    terminal.warn_all(result.warnings)
    _print_files(result.files, terminal)
    target = next((command_path(path) for path in result.files.values() if is_project(path)), arguments.target)
    quoted = shlex.quote(target)
    steps = [(f"audit {quoted}", "a page that shows the present state")]
    if not result.left:
        steps = [(f"mix {quoted}", "mix it again")]
    if not arguments.dry_run:
        terminal.say_next(*steps)
    terminal.give(result)


# compare


def add_compare(parser: options.Parser) -> None:
    """Add the options of `faderwise compare`."""
    parser.set_command(
        _compare,
        "compare mine equal-level --on MySong",
        "compare Song-faderwise.RPP#1 Song-faderwise.RPP",
        "compare rough.wav master.wav --on MySong",
        "compare MySong-faderwise master.wav --out comparison",
    )
    first = parser.add_argument(
        "first",
        metavar="A",
        help="a model (or model:NAME), a run (a project or folder; #N for run N) or a mixdown",
    )
    second = parser.add_argument("second", metavar="B", help="what to compare it with, of any of these kinds")
    for side in (first, second):
        options.complete(side, "models")
    parser.add_argument("--on", metavar="SONG_DIR", help=f"the stems: {options.SONG_HELP}")
    options.add_shared(parser, "--bus")
    options.add_out(parser, "write the comparison into this folder as a page, compare.html")
    options.add_shared(parser, "--open")


def _compare(arguments: Namespace, terminal: Terminal) -> None:
    from analysis_server.verbs import compare

    if arguments.open and arguments.out is None:
        raise InputError("without --out no page is written", option="--open", remedy="add --out DIR")
    request = options.request_of(compare.CompareRequest, arguments, buses=options.by_role(arguments.bus))
    with terminal.progress() as progress:
        result = compare.run(request, progress)
    terminal.say(f"A is the {result.first.kind} {result.first.name}, B the {result.second.kind} {result.second.name}.")
    terminal.say(result.sentence)
    rows = [
        (
            bus.bus,
            decibels(bus.first_db, 2),
            decibels(bus.second_db - result.common_db, 2),
            decibels(result.shown_difference_db(bus), 2),
            f"{bus.moves_db:.2f} dB",
            decibels(bus.largest_db, 2) + ("" if result.is_equal else f" at {bus.largest_at_s:.1f} s"),
        )
        for bus in result.buses.values()
    ]
    terminal.table(("bus", "A", "B", "B - A", "moves", "largest"), rows)
    terminal.say("Moves: standard deviation of the difference over time. Largest: the largest difference, and when.")
    for side in (result.first, result.second):
        if side.buses_alone:
            terminal.say(f"Buses that only {side.name} has: {', '.join(side.buses_alone)}.")
        if side.songs_alone:
            starts = " (models that start from it use these without listing them)" if side.name == DEFAULT_MODEL else ""
            terminal.say(f"Songs that only the model {side.name} lists{starts}: {', '.join(side.songs_alone)}.")
    terminal.note_all(result.notes)
    terminal.warn_all(result.warnings)
    for page in result.files.values():
        terminal.say(f"Page: {plain_path(page)}")
    if arguments.open:
        terminal.open(*result.files.values())
    terminal.give(result)


# runs


def add_runs(parser: options.Parser) -> None:
    """Add the actions of `faderwise runs`."""
    parser.set_command(
        _list_runs,
        "runs list",
        "runs list MySong-faderwise",
        "runs clear --dry-run",
        "runs clear --older-than 7",
    )
    actions = options.add_actions(parser, "list|clear")
    text = "list the runs made from REAPER, or the earlier results of a song, oldest first, and their sizes"
    listed = options.add_action(actions, "list", _list_runs, text, example="runs list MySong-faderwise")
    text = "delete old runs; an audit of a project then has no sound"
    clear = options.add_action(actions, "clear", _clear_runs, text, example="runs clear --older-than 7")
    text = "a folder that mix or match wrote, for its earlier results (default: the runs made from REAPER)"
    for action in (listed, clear):
        action.add_argument("out_dir", nargs="?", metavar="OUT_DIR", help=text)
    text = "delete runs made or last edited this many days ago or earlier (default: 30; 0: all)"
    clear.add_argument("--older-than", type=options.days, default=30.0, metavar="DAYS", help=text)
    clear.add_argument("--dry-run", action="store_true", help="show what would be deleted")
    clear.add_argument("--yes", action="store_true", help="do not ask")


def stored_runs(out_dir: str | None) -> dict[str, object]:
    """Return the earlier runs of a run's folder (by default those of REAPER's actions) as JSON content."""
    folder, runs = _runs_of(out_dir)
    copies = _copies_of(out_dir)
    fields = {"folder": str(folder), "runs": [_run_fields(run) for run in runs], "copies": list(map(str, copies))}
    return {**fields, "bytes": _n_bytes(runs, copies)}


def _copies_of(out_dir: str | None) -> list[Path]:
    from analysis_server.runs import kept_runs

    return kept_runs.dated_copies(Path(out_dir)) if out_dir else []


def _copies(copies: Sequence[Path]) -> str:
    return f"{count(len(copies), 'dated file')} of earlier states, {_size([], copies)},"


def _runs_of(out_dir: str | None) -> tuple[Path, list[KeptRun]]:
    """Return the folder of runs that was asked for, and the runs in it."""
    from analysis_server.runs import kept_runs

    if out_dir is None:
        return kept_runs.folder(), kept_runs.kept_runs(kept_runs.folder())
    from analysis_server.runs import run_folder

    folder = Path(out_dir)
    if is_project(out_dir):
        remedy = f"see faderwise audit {shlex.quote(out_dir)}, or give a folder that mix or match wrote"
        raise InputError("is a project, which contains its runs", path=folder, remedy=remedy)
    require_folder(folder, "give a folder that mix or match wrote")
    found = kept_runs.earlier_runs(folder)
    if not found and not (folder / run_folder.NAME).is_file():
        run_folder.read_file(folder)  # reports what is missing
    return folder / kept_runs.NAME, found


def _list_runs(arguments: Namespace, terminal: Terminal) -> None:
    from analysis_server.runs import kept_runs

    out_dir = getattr(arguments, "out_dir", None)  # not an argument of `runs` without an action
    if terminal.as_json:
        terminal.give(stored_runs(out_dir))
        return
    folder, runs = _runs_of(out_dir)
    _print_runs(runs, terminal)
    if out_dir is None:
        terminal.say(f"{count(len(runs), 'run')} from REAPER, {_size(runs)} in {folder}")
        terminal.say("The earlier results of a song: faderwise runs list OUT_DIR, a folder that mix or match wrote")
        return
    terminal.say(f"{count(len(runs), 'earlier result')}, {_size(runs)} in {folder}")
    present = kept_runs.KeptRun(folder.parent, 0.0, 0).summary
    if present:
        terminal.say(f"The present result: {present}")
    copies = _copies_of(out_dir)
    if copies:
        terminal.say(f"Next to it: {_copies(copies)} which runs clear deletes too")


def _clear_runs(arguments: Namespace, terminal: Terminal) -> None:
    from analysis_server.runs import kept_runs

    latest = time.time() - arguments.older_than * _DAY_S
    _, all_runs = _runs_of(arguments.out_dir)
    old = [run for run in all_runs if run.made_at <= latest and not run.is_being_written]
    _print_runs(old, terminal)
    noun = "run" if arguments.out_dir is None else "earlier result"
    all_copies = _copies_of(arguments.out_dir)
    copies = [path for path in all_copies if path.stat().st_mtime <= latest]
    number, size = _number(old, copies, noun), _size(old, copies)
    question = (
        f"Delete {number}, {size}? This deletes reports, mixes and sounds; your projects keep their history and can "
        "still be edited and reverted."
    )
    if not (all_runs or all_copies):
        terminal.say(f"There are no {noun}s to delete.")
    elif not (old or copies) and arguments.older_than:
        terminal.say(
            f"No {noun} is older than {arguments.older_than:g} days, so nothing is deleted "
            f"({_number(all_runs, all_copies, noun)} in all); --older-than 0 deletes all."
        )
    elif not (old or copies):
        terminal.say("Nothing is deleted: the only runs are being written.")
    elif arguments.dry_run:
        terminal.say(f"{number} would be deleted, {size}")
    elif not (arguments.yes or terminal.ask(question)):
        terminal.say(f"{number} kept, {size}")
    else:
        n_bytes = _n_bytes(old, copies)
        left = [str(path) for run in old for path in kept_runs.delete(run)]
        kept_runs.delete_files(copies)
        terminal.say(f"{number} deleted, {size}")
        terminal.warn_all(f"{path} was not created by Faderwise and is kept" for path in left)
        deleted = {"deleted": [_run_fields(run) for run in old], "copies": list(map(str, copies))}
        terminal.give({**deleted, "bytes": n_bytes, "left": left})
        return
    terminal.give({"deleted": [], "copies": [], "bytes": 0, "left": []})


def _number(runs: Sequence[KeptRun], copies: Sequence[Path], noun: str) -> str:
    return listed(
        [count(len(runs), noun)] * bool(runs or not copies) + [count(len(copies), "dated file")] * bool(copies)
    )


def _print_runs(runs: list[KeptRun], terminal: Terminal) -> None:
    for run in runs:
        summary = f"  {run.summary}" if run.summary else ""
        terminal.say(f"  {_day(run)}  {_size([run]):>9}  {run.folder.name}{summary}")


def _run_fields(run: KeptRun) -> dict[str, object]:
    return {"folder": str(run.folder), "written_at": _day(run), "bytes": run.n_bytes, "summary": run.summary}


def _day(run: KeptRun) -> str:
    return time.strftime("%Y-%m-%d", time.localtime(run.made_at))


def _size(runs: Sequence[KeptRun], copies: Sequence[Path] = ()) -> str:
    return f"{_n_bytes(runs, copies) / 1e6:.1f} MB"


def _n_bytes(runs: Sequence[KeptRun], copies: Sequence[Path] = ()) -> int:
    return sum(run.n_bytes for run in runs) + sum(path.stat().st_size for path in copies)
