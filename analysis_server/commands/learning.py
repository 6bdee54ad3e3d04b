"""`faderwise learn`, `evaluate`, `estimate`, `features` and `models`: models and the numbers that they are made of."""

from __future__ import annotations

import shlex
from argparse import Namespace
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from analysis_server import models
from analysis_server.commands import options
from analysis_server.commands.mixing import print_assignment, print_earlier_copies
from analysis_server.paths import plain_path
from analysis_server.terminal import Terminal, lag_text
from core.errors import InputError
from core.wording import count, decibels, first_few

if TYPE_CHECKING:
    from analysis_server.verbs.evaluate import BaselineScores, EvaluateResult
    from core.models.model import Model

# learn


def add_learn(parser: options.Parser) -> None:
    """Add the options of `faderwise learn`."""
    parser.set_command(
        _learn,
        "learn SongA SongB --model mine",
        "learn AllMySongs --model mine",
        "learn rock.npz --model rock --preset paper --features condition1",
        "learn Session.RPP --from faders --model mine",
        "learn Song-faderwise.RPP --from edits --model mine",
        'learn SongA SongB --model mine --album "Night Drive"',
    )
    kinds = "SONG_DIR|SESSION.RPP|DATASET_DIR|MATRICES.npz"
    parser.add_argument("songs", nargs="+", type=options.path, metavar=kinds, help="songs with their mixdowns")
    text = "the model to create, or to add songs to"
    model = parser.add_argument("--model", required=True, metavar="NAME|FILE", help=text)
    options.complete(model, "models")
    options.add_shared(parser, "--preset", "--features", "--bus", "--stems", "--mixdown")
    parser.add_argument(
        "--from",
        dest="truth",
        choices=("mixdown", "faders", "edits"),
        default="mixdown",
        help="the source of the true gains: the mixdown (default); the faders and envelopes of a project, which are "
        "exact; or your own edits of a run, in a project or in a folder that mix wrote",
    )
    parser.add_argument(
        "--level",
        choices=("buses", "tracks"),
        default="buses",
        help="with --from faders: learn from the faders of the buses, or of each single track (default: buses)",
    )
    parser.add_argument(
        "--album",
        default="",
        metavar="NAME",
        help="the album of these songs: sessions of one album are related and together count less than unrelated ones",
    )
    options.add_shared(parser, "--mixed-by")
    parser.add_argument("--fresh", action="store_true", help="replace a model of that name instead of adding to it")
    options.add_shared(parser, "--dry-run", "--dask")


def _learn(arguments: Namespace, terminal: Terminal) -> None:
    from analysis_server.verbs import learn
    from core.models.model import songs_in_words

    request = options.request_of(learn.LearnRequest, arguments, **options.song_fields(arguments, *arguments.songs))
    learn.check(request)
    known = models.find(arguments.model).buses if models.path_of(arguments.model).is_file() else ()
    for path in arguments.songs:
        print_assignment(arguments, terminal, path, None, known)
    result = options.perform(request, learn.run, terminal)
    learned, contains = ("Would learn", "would then contain") if arguments.dry_run else ("Learned", "now contains")
    replaced = f" (replaced: {first_few(result.replaced, 6)})" if result.replaced else ""
    songs = f"{count(len(result.learned), 'song')}{replaced}"
    terminal.say(f"{learned} {songs}; {result.model} {contains} {songs_in_words(result.songs)}.")
    if arguments.truth == "edits":
        terminal.say(f"Stored in the model as {', '.join(result.learned)}.")
    if result.against_default_db:
        difference = _differences(result.against_default_db) or "every bus the same"
        songs = songs_in_words(result.songs)
        terminal.say(f"From {songs}: compared with the default model, {result.model} sets {difference}.")
    _print_next_song(result.next_song_percent, terminal)
    _print_track_habits(result.tracks_db, terminal)
    terminal.note_all(result.notes)
    terminal.warn_all(result.warnings)
    if arguments.dry_run:
        terminal.say("Dry run: nothing was written.")
    else:
        terminal.say(f"Model: {result.file}")
        name = shlex.quote(arguments.model)
        terminal.say_next(
            (f"mix NextSong --model {name}", "mix a song with it"),
            (f"models show {name}", "what it has learned, and from which songs"),
        )
    terminal.give(result, exact=True)


_RULES: Mapping[str, str] = {
    "tone": "for each dB that its RMS level exceeds its loudness (deep bass), relative to the other buses",
    "covered": "for each dB that the other buses cover its spectrum, relative to the other buses",
    "presence": "if it plays throughout and the other buses never do",
    "moment": "while it is 1 dB louder than its own mean, relative to the buses that play with it",
    "covered_moment": "while it is covered by 1 dB more than in its own mean",
}
"""When a bus is changed by a coefficient of condition 3, in dB."""
_UNITS: Mapping[str, str] = {
    "centroid": "per Hz",
    "rms": "per full scale",
    "slope": "per 1/Hz",
    "spread": "per Hz²",
    "loudness": "per unit",
    "crossings": "per crossing",
}
_UNITS_OF_DEFAULT: Mapping[str, str] = {**_UNITS, "spread": "per Hz", "loudness": "per LU", "crossings": "per 1/s"}
"""Units of the coefficients of the paper's features, in either preset (docs/reference/method.md)."""


def _print_model(model: Model, terminal: Terminal) -> None:
    """Print what a model has learned, and its songs."""
    from core.models.model import songs_in_words

    of_songs = (
        f"learned from {songs_in_words(song.title for song in model.songs)}"
        if model.songs
        else "a fixed rule without songs"
    )
    terminal.say(
        f"{model.name}: {of_songs}; preset {model.preset}, features {model.feature_set}, made by {model.made_by}."
    )
    if model.feature_set == "condition3":
        _print_balance(model, terminal)
    else:
        _print_regression(model, terminal)
    if model.songs:
        terminal.say("Songs:")
        rows = [
            (
                song.title,
                f"{song.duration_s:.0f} s",
                f"mixdown, fit {100 * song.fit:.0f} %" if song.source == "mixdown" else song.source,
                ", ".join(song.triangles)
                + (f"; album {song.album}" if song.album else "")
                + ("; mixed by others" if song.by_others else "")
                + (f"; counts as {song.weight:g} songs" if song.weight != 1.0 else ""),
            )
            for song in model.songs
        ]
        terminal.table(("song", "length", "gains from", "buses"), rows, "lrll")


def _print_balance(model: Model, terminal: Terminal) -> None:
    """Print the levels of a model of condition 3, and the rules that all its buses share."""
    from core.roles import PAPER_BUSES

    buses = model.buses or PAPER_BUSES
    fit = model.balance_fit
    coefficients = fit.coefficients_of(buses)
    levels_db = coefficients[:, 0] - coefficients[:, 0].mean()
    against_db = models.against_default_db(model)
    heads = ("bus", "songs", "level", *(("against default",) if against_db else ()))
    terminal.table(
        heads,
        [
            (
                bus,
                str(sum(bus in song.triangles for song in model.songs)),
                f"{level_db:+.1f} dB",
                *((f"{against_db[bus]:+.1f} dB",) if against_db else ()),
            )
            for bus, level_db in zip(buses, levels_db.tolist(), strict=True)
        ],
    )
    terminal.say("Level: the loudness that a bus gets, relative to the mean of these buses, before the rules.")
    if against_db:
        terminal.say("Against default: the difference from the default model, relative to the median of these buses.")
        _print_next_song(model.next_song_percent(), terminal)
    _print_track_habits(model.track_habits_db(), terminal)
    shared = dict(zip(_RULES, coefficients[0, 1:].tolist(), strict=True))
    rules = [(f"{value:+.2f} dB", _RULES[name], name) for name, value in shared.items() if abs(value) >= 0.005]
    if rules:
        terminal.say("Rules for every bus:")
        terminal.table(("change", "when", "feature"), rules, "rll")


def _print_regression(model: Model, terminal: Terminal) -> None:
    """Print the coefficients of a model of the paper's features."""
    units = _UNITS if model.preset == "paper" else _UNITS_OF_DEFAULT
    by_bus = model.named_coefficients()
    names = list(next(iter(by_bus.values()), {}))
    if names:
        terminal.say("The linear gain of a bus is the sum of its features, each times its coefficient:")
        heads = ("bus", *(f"{name} ({units[name]})" for name in names))
        terminal.table(heads, [(bus, *(f"{row[name]:.3g}" for name in names)) for bus, row in by_bus.items()])


def _print_next_song(next_song_percent: float, terminal: Terminal) -> None:
    if next_song_percent:
        percent = f"{next_song_percent:.0f} %"
        terminal.say(
            f"One more song would move the balance roughly {percent} of the way to that song (single buses differ)."
        )


def _print_track_habits(tracks_db: Mapping[str, float], terminal: Terminal) -> None:
    """Print how a model sets single tracks (`--level tracks`), if it has learned that from any song."""
    if tracks_db:
        settings = _differences(tracks_db) or "every role as its bus"
        terminal.say(f"Single tracks, compared with the rule for tracks: {settings}.")


def _differences(changes_db: Mapping[str, float]) -> str:
    """Return the changes of at least 0.05 dB as a phrase, the largest first."""
    return ", ".join(
        f"{name} {abs(change):.1f} dB {'higher' if change > 0.0 else 'lower'}"
        for name, change in sorted(changes_db.items(), key=lambda item: -abs(item[1]))
        if abs(change) >= 0.05
    )


# evaluate


def add_evaluate(parser: options.Parser) -> None:
    """Add the options of `faderwise evaluate`."""
    parser.set_command(
        _evaluate,
        "evaluate AllMySongs",
        "evaluate SongA SongB SongC",
        "evaluate Rock --test-on Pop --out tables",
        "evaluate rock_condition1.npz",
    )
    kinds = "DATASET_DIR|MATRICES.npz"
    parser.add_argument(
        "dataset",
        nargs="+",
        type=options.path,
        metavar=f"SONG_DIR|{kinds}",
        help="songs with their mixdowns, or folders of them; each is tested on what learn makes of the others",
    )
    parser.add_argument("--test-on", metavar=kinds, help="learn from the first dataset, test on this one")
    options.add_shared(parser, "--preset", "--features")
    parser.set_defaults(preset=None)
    options.add_shared(parser, "--mixed-by")
    options.add_out(parser, "write a page, tables and figures into this folder")
    text = "also print the mean squared error of each bus, as in the paper (always with --preset paper)"
    parser.add_argument("--mse", action="store_true", help=text)
    options.add_shared(parser, "--open", "--dask")


def _evaluate(arguments: Namespace, terminal: Terminal) -> None:
    """Evaluate, for the paper preset in both of its conditions unless one is named, and print the tables."""
    from analysis_server.verbs import evaluate

    if arguments.open and arguments.out is None:
        raise InputError("there is no page to open", option="--open", remedy="give --out DIR as well")
    request = options.request_of(evaluate.EvaluateRequest, arguments)
    results = [options.perform(one, evaluate.run, terminal) for one in evaluate.by_condition(request)]
    for result in results:
        _print_evaluation(result, terminal, explains=result is results[0])
        if arguments.mse or result.preset == "paper":
            _print_squared_errors(result, terminal)
        _print_end_of_evaluation(result, terminal, opens=arguments.open)
    terminal.give(evaluate.together(results), exact=True)


def _print_evaluation(result: EvaluateResult, terminal: Terminal, *, explains: bool) -> None:
    from analysis_server.verbs.evaluate import DEFAULT, FIXED_RULE, LEARNED, comparison_texts, summary

    for sentence in (result.verdict, *result.remarks, summary(result)):
        terminal.say(sentence)
    terminal.say()
    terminal.say(
        "Balance error: how far the buses' levels are from the producer's on average, without the common gain, in dB."
    )
    columns = {name: result.balance_db_of[name] for name in (DEFAULT, FIXED_RULE) if name in result.balance_db_of}
    terminal.table(
        ("song", LEARNED, *columns),
        [
            (title[:38], _db(error_db), *(_db(errors[title]) for errors in columns.values()))
            for title, error_db in result.balance_db.items()
        ],
    )
    terminal.say()
    terminal.say(
        f"Methods, means over the songs. Closer by: how much closer {LEARNED} is than the method. Significant: below "
        "5 % by Student's t over the songs, corrected for the number of methods (Holm); intervals are not corrected."
    )
    others = _compared_scores(result)
    plain = {name: scores for name, scores in others.items() if not name.endswith(", gated")}
    texts = comparison_texts(result)
    terminal.table(
        ("method", "balance error", "closer by", "95 % interval", "significant"),
        [
            (LEARNED, _db(_mean(result.balance_db.values())), "", "", ""),
            *((name, _db(scores.balance_db), *texts.get(name, ("", "", ""))) for name, scores in plain.items()),
        ],
    )
    for name in (LEARNED, *plain) if explains else ():
        terminal.say(f"  {name}: {result.methods[name]}.")


def _compared_scores(result: EvaluateResult) -> dict[str, BaselineScores]:
    from analysis_server.verbs.evaluate import DEFAULT

    return {**({DEFAULT: result.default} if result.default else {}), **result.baselines}


def _print_squared_errors(result: EvaluateResult, terminal: Terminal) -> None:
    from analysis_server.verbs.evaluate import LEARNED

    terminal.say()
    terminal.say(
        "MSE: mean squared error of the linear gain of each bus over all frames, as in the paper. A gated rule has "
        "gains of 0 while the bus is silent."
    )
    rows = [(title[:38], *(_mse(row.get(bus)) for bus in result.buses)) for title, row in result.songs.items()]
    rows.append(("mean", *(_mse(result.mean[bus]) for bus in result.buses)))
    rows.append(("std", *(_mse(result.std[bus]) for bus in result.buses)))
    terminal.table((f"MSE, {LEARNED}", *result.buses), rows)
    terminal.say()
    terminal.table(
        ("MSE, mean", *result.buses),
        [(name, *(_mse(one.mse.get(bus)) for bus in result.buses)) for name, one in _compared_scores(result).items()],
    )


def _print_end_of_evaluation(result: EvaluateResult, terminal: Terminal, *, opens: bool) -> None:
    terminal.note_all(result.notes)
    terminal.warn_all(result.warnings)
    page = next((file for file in result.files.values() if file.endswith(".html")), None)
    if page:
        terminal.say(f"Page: {plain_path(page)}")
        terminal.say(f"Results: {count(len(result.files) - 1, 'file')} next to it")
        others = (Path(file) for file in result.files.values() if file != page)
        print_earlier_copies(Path(page), terminal, *others)
        if opens:
            terminal.open(page)


def _mean(values: Iterable[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return sum(known) / len(known) if known else None


def _mse(value: float | None) -> str:
    return "-" if value is None else f"{value:.4f}"


def _db(value: float | None) -> str:
    return "-" if value is None else f"{value:.2f} dB"


# estimate and features


def add_estimate(parser: options.Parser) -> None:
    """Add the options of `faderwise estimate`."""
    parser.set_command(_estimate, "estimate MySong --out gains.csv", "estimate MySong --preset paper --out gains.npz")
    parser.add_argument("song", type=options.path, metavar="SONG_DIR", help=options.SONG_HELP)
    options.add_shared(parser, "--preset")
    domains = ("complex", "magnitude", "power")
    parser.add_argument("--domain", choices=domains, help="the kind of spectra to fit (default: the best fit)")
    options.add_shared(parser, "--mixdown", "--bus")
    parser.add_argument("--out", required=True, metavar="FILE.csv|.npz", help="the file to write")


def _estimate(arguments: Namespace, terminal: Terminal) -> None:
    from analysis_server.verbs import tables

    request = options.request_of(tables.EstimateRequest, arguments, buses=options.by_role(arguments.bus))
    result = options.perform(request, tables.estimate, terminal)
    terminal.say(f"{result.title}: {result.reason}.")
    terminal.say(f"{count(result.n_frames, 'frame')}; the mixdown is {lag_text(result.lag_samples)}.")
    terminal.table(("bus", "median gain"), [(bus, decibels(db)) for bus, db in result.median_gain_db.items()])
    terminal.note_all(result.notes)
    terminal.warn_all(result.warnings)
    _print_written(result.files, terminal)
    terminal.give(result, exact=True)


def _print_written(files: Mapping[str, str], terminal: Terminal) -> None:
    for path in files.values():
        terminal.say(f"Written: {plain_path(path)}")
        print_earlier_copies(Path(path), terminal)


def add_features(parser: options.Parser) -> None:
    """Add the options of `faderwise features`."""
    parser.set_command(
        _features,
        "features MySong --out features.csv",
        "features MySong --preset paper --features condition2 --out features.npz",
    )
    parser.add_argument("song", type=options.path, metavar="SONG_DIR", help=options.SONG_HELP)
    options.add_shared(parser, "--preset", "--features", "--bus")
    parser.add_argument("--out", required=True, metavar="FILE.csv|.npz", help="the file to write")


def _features(arguments: Namespace, terminal: Terminal) -> None:
    from analysis_server.verbs import tables

    request = options.request_of(tables.FeaturesRequest, arguments, buses=options.by_role(arguments.bus))
    with terminal.progress() as progress:
        result = tables.features(request, progress)
    terminal.say(f"{result.title}: {', '.join(result.feature_names)} of {', '.join(result.buses)}.")
    terminal.note_all(result.notes)
    terminal.warn_all(result.warnings)
    _print_written(result.files, terminal)
    terminal.give(result, exact=True)


# models


def add_models(parser: options.Parser) -> None:
    """Add the actions of `faderwise models`."""
    parser.set_command(
        _list,
        "models list",
        "models show mine",
        "models remove mine --song 'Old Song'",
        "models export mine mine.json",
        "models import mine.json --name ours",
    )
    actions = options.add_actions(parser, "list|show|remove|export|import")
    listing = options.add_action(actions, "list", _list, "list all models", example="models list --all")
    listing.add_argument(
        "--all", action="store_true", help="also list earlier versions and removed models; models import restores one"
    )
    text = "show what a model has learned, and from which songs"
    options.add_action(actions, "show", _show_model, text, "model", example="models show mine")
    text, example = "remove a model (kept as NAME.removed), or one of its songs", "models remove mine --song 'Old Song'"
    remove = options.add_action(actions, "remove", _remove, text, "model", example=example)
    remove.add_argument("--song", metavar="TITLE", help="remove only this song")
    text, example = "write a model to a file", "models export mine mine.json"
    options.add_action(actions, "export", _export, text, "model", "file", example=example)
    text, example = "add the model in a file", "models import mine.json --name ours"
    take_in = options.add_action(actions, "import", _import, text, "file", example=example)
    take_in.add_argument("--name", help="store it under this name")


def _list(arguments: Namespace, terminal: Terminal) -> None:
    earlier = models.earlier_versions()
    with_earlier = getattr(arguments, "all", False)  # not an option of `models` without an action
    files = {name: models.file_of(name) for name in models.names()}
    if with_earlier:
        files |= {path.name.removesuffix(models.SUFFIX): path for path in earlier}
    if terminal.as_json:
        terminal.give({"models": [_facts(name, models.find(str(file))) for name, file in files.items()]})
        return
    rows = []
    for name, file in files.items():
        header = models.read_header(str(file))
        origin = "bundled" if models.is_shipped(name) else str(file)
        rows.append((name, header.preset, header.features, count(header.n_songs, "song"), origin))
    terminal.table(("model", "preset", "features", "learned from", "file"), rows, align="lllrl")
    if earlier and with_earlier:
        terminal.say("To restore an earlier version or a removed model: faderwise models import FILE")
    elif earlier:
        terminal.say(f"{count(len(earlier), 'earlier or removed version')}: faderwise models list --all")


def _show_model(arguments: Namespace, terminal: Terminal) -> None:
    model = models.find(arguments.model)
    _print_model(model, terminal)
    terminal.give(stored_models([arguments.model]), exact=True)


def _remove(arguments: Namespace, terminal: Terminal) -> None:
    from core.models.model import songs_in_words

    if arguments.song is None:
        file = models.remove(arguments.model)
        terminal.say(f"{arguments.model} was removed; to restore it, import {file}")
    else:
        model, file = models.forget(arguments.model, arguments.song)
        terminal.say(
            f"Removed {arguments.song!r} from {arguments.model}, which now contains "
            f"{songs_in_words(song.title for song in model.songs)}."
        )
    terminal.give({"model": arguments.model, "file": str(file)})


def _export(arguments: Namespace, terminal: Terminal) -> None:
    file = Path(arguments.file)
    models.find(arguments.model).save(file)
    terminal.say(f"Wrote {arguments.model} to {file}")
    print_earlier_copies(file, terminal)
    terminal.give({"model": arguments.model, "file": str(file)})


def _import(arguments: Namespace, terminal: Terminal) -> None:
    file = models.take_in(Path(arguments.file), arguments.name)
    terminal.say(f"Stored {arguments.file} as {file}")
    terminal.give({"model": file.stem, "file": str(file)})


def stored_models(names: Iterable[str]) -> dict[str, object]:
    """Return what models contain as JSON content."""
    return {"models": [_facts(name, models.find(name)) for name in names]}


def _facts(name: str, model: Model) -> dict[str, object]:
    import msgspec

    return {
        "name": name,
        "preset": model.preset,
        "features": model.feature_set,
        "shipped": models.is_shipped(name),
        "made_by": model.made_by,
        "coefficients": model.named_coefficients(),
        "against_default_db": models.against_default_db(model),
        "next_song_percent": model.next_song_percent(),
        "tracks_db": model.track_habits_db(),
        "songs": [
            {key: value for key, value in msgspec.to_builtins(song).items() if key not in ("triangles", "tracks")}
            for song in model.songs
        ],
    }
