"""The verbs as commands: arguments into a request, a result into lines."""

from __future__ import annotations

import argparse
from pathlib import Path

import msgspec

from analysis_server import examples, model_store
from analysis_server.command_line import tables
from analysis_server.command_line.performing import perform
from analysis_server.command_line.terminal import Terminal
from analysis_server.projects import is_project
from analysis_server.verbs import estimate as estimate_verb
from analysis_server.verbs import evaluate as evaluate_verb
from analysis_server.verbs import features as features_verb
from analysis_server.verbs import learn as learn_verb
from analysis_server.verbs import match as match_verb
from analysis_server.verbs import mix as mix_verb
from core.errors import InputError
from core.model import Model


def demo(arguments: argparse.Namespace, terminal: Terminal) -> None:
    """Mix the bundled song."""
    request = mix_verb.MixRequest(song=str(examples.bundled_song()), out=arguments.out)
    terminal.say("Caesium by Software-Entwicklungskit (CC0), 24 s, four buses: mixing ...")
    _mix(request, terminal)


def mix(arguments: argparse.Namespace, terminal: Terminal) -> None:
    """Run `faderwise mix`."""
    request = mix_verb.MixRequest(
        song=arguments.song,
        model=arguments.model,
        out=arguments.out,
        buses=_buses(arguments, arguments.song),
        range_s=arguments.range_s,
        target_lufs=arguments.target_lufs,
        dry_run=arguments.dry_run,
        stems=arguments.stems,
        tracks=_tracks(arguments, arguments.song),
    )
    _mix(request, terminal)


def match(arguments: argparse.Namespace, terminal: Terminal) -> None:
    """Run `faderwise match`."""
    request = match_verb.MatchRequest(
        song=arguments.song,
        mixdown=arguments.mixdown,
        out=arguments.out,
        buses=_buses(arguments, arguments.song),
        dry_run=arguments.dry_run,
        stems=arguments.stems,
        tracks=_tracks(arguments, arguments.song),
    )
    result = perform(request, match_verb.run, terminal)
    _warn(terminal, result.warnings)
    terminal.say(f"{result.title}: the gains explain {100 * result.fit:.1f} % of the mixdown ({result.reason}).")
    if result.lag_samples:
        terminal.say(f"The mixdown comes {result.lag_samples} samples after the stems; that was taken out.")
    if result.limiter_db > 0.0:
        terminal.say(f"A limiter takes up to {result.limiter_db:.1f} dB; that was told apart from the faders.")
    terminal.say(tables.gains(result.median_gain_db, result.n_points, result.n_frames))
    _say_files(terminal, result.files)
    terminal.give(result)


def learn(arguments: argparse.Namespace, terminal: Terminal) -> None:
    """Run `faderwise learn`."""
    request = learn_verb.LearnRequest(
        songs=arguments.songs,
        model=arguments.model,
        preset=arguments.preset,
        features=arguments.features,
        buses=_buses(arguments, *arguments.songs),
        fresh=arguments.fresh,
        dry_run=arguments.dry_run,
        dask=arguments.dask,
        truth=arguments.truth,
        mixdown=arguments.mixdown,
        stems=arguments.stems,
        tracks=_tracks(arguments, *arguments.songs),
    )
    result = perform(request, learn_verb.run, terminal)
    _warn(terminal, result.warnings)
    kept = "would now know" if arguments.dry_run else "now knows"
    terminal.say(f"{result.model} {kept} {len(result.songs)} songs, {len(result.learned)} of them just learned.")
    terminal.say(tables.coefficients(result.coefficients))
    terminal.say(f"  {result.file}")
    terminal.give(result)


def estimate(arguments: argparse.Namespace, terminal: Terminal) -> None:
    """Run `faderwise estimate`."""
    request = estimate_verb.EstimateRequest(
        song=arguments.song,
        out=arguments.out,
        preset=arguments.preset,
        domain=arguments.domain,
        buses=_by_role(arguments.buses),
        mixdown=arguments.mixdown,
    )
    result = perform(request, estimate_verb.run, terminal)
    _warn(terminal, result.warnings)
    terminal.say(f"{result.title}: fitted in the {result.domain} domain: {result.reason}.")
    terminal.say(f"Lag {result.lag_samples} samples, fit {100 * result.fit:.1f} %, {result.n_frames} frames.")
    terminal.say(tables.gains(result.median_gain_db))
    terminal.say(f"  {result.out}")
    terminal.give(result)


def features(arguments: argparse.Namespace, terminal: Terminal) -> None:
    """Run `faderwise features`."""
    request = features_verb.FeaturesRequest(
        song=arguments.song,
        out=arguments.out,
        preset=arguments.preset,
        features=arguments.features,
        buses=_by_role(arguments.buses),
    )
    with terminal.progress() as progress:
        result = features_verb.run(request, progress)
    _warn(terminal, result.warnings)
    terminal.say(f"{result.title}: {', '.join(result.feature_names)} of {', '.join(result.buses)}.")
    terminal.say(f"  {result.out}")
    terminal.give(result)


def evaluate(arguments: argparse.Namespace, terminal: Terminal) -> None:
    """Run `faderwise evaluate`; for the paper preset both of its conditions, unless one is named."""
    whole = evaluate_verb.EvaluateRequest(
        dataset=arguments.dataset,
        test_on=arguments.test_on,
        preset=arguments.preset,
        features=arguments.features,
        out=arguments.out,
        dask=arguments.dask,
    )
    results = [perform(request, evaluate_verb.run, terminal) for request in evaluate_verb.by_condition(whole)]
    for result in results:
        _warn(terminal, result.warnings)
        terminal.say(tables.evaluation(result))
        for file in result.files:
            terminal.say(f"  {file}")
    terminal.give(evaluate_verb.together(results))


def serve(arguments: argparse.Namespace, terminal: Terminal) -> None:
    """Run `faderwise serve`."""
    from analysis_server.command_line import serving  # noqa: PLC0415 - the socket library loads only here

    serving.run(arguments, terminal)


class _Listed(msgspec.Struct, kw_only=True):
    models: list[dict[str, object]]


class _Moved(msgspec.Struct, kw_only=True):
    model: str
    file: str


def models_list(_arguments: argparse.Namespace, terminal: Terminal) -> None:
    """Run `faderwise models list`."""
    listed = [(name, model_store.find(name)) for name in model_store.names()]
    for name, model in listed:
        origin = "shipped" if model_store.is_shipped(name) else str(model_store.path_of(name))
        terminal.say(f"{name:<24} {model.preset:<8} {model.feature_set:<11} {len(model.songs):>3} songs  {origin}")
    terminal.give(_Listed(models=[_facts(name, model) for name, model in listed]))


def models_show(arguments: argparse.Namespace, terminal: Terminal) -> None:
    """Run `faderwise models show`."""
    model = model_store.find(arguments.name)
    terminal.say(f"{model.name}: preset {model.preset}, features {model.feature_set}, made by {model.made_by}")
    terminal.say(tables.coefficients(model.named_coefficients()))
    terminal.say(tables.training(model.songs))
    terminal.give(_Listed(models=[_facts(arguments.name, model)]))


def models_remove(arguments: argparse.Namespace, terminal: Terminal) -> None:
    """Run `faderwise models remove`: the whole model is moved aside, or one song taken out of it."""
    if arguments.song is None:
        file = model_store.remove(arguments.name)
        terminal.say(f"{arguments.name} is put away; to have it back, import {file}")
    else:
        if model_store.is_shipped(arguments.name):
            raise InputError(f"model {arguments.name!r} comes with Faderwise and stays")
        file = model_store.path_of(arguments.name)
        model = model_store.find(arguments.name).without_song(arguments.song)
        model.save(file)
        terminal.say(f"{arguments.name} has forgotten {arguments.song!r}; it knows {len(model.songs)} songs.")
    terminal.give(_Moved(model=arguments.name, file=str(file)))


def models_export(arguments: argparse.Namespace, terminal: Terminal) -> None:
    """Run `faderwise models export`."""
    file = Path(arguments.file)
    model_store.find(arguments.name).save(file)
    terminal.say(f"{arguments.name} is written to {file}")
    terminal.give(_Moved(model=arguments.name, file=str(file)))


def models_import(arguments: argparse.Namespace, terminal: Terminal) -> None:
    """Run `faderwise models import`."""
    file = model_store.take_in(Path(arguments.file), arguments.name)
    terminal.say(f"{arguments.file} is kept as {file}")
    terminal.give(_Moved(model=file.stem, file=str(file)))


def _mix(request: mix_verb.MixRequest, terminal: Terminal) -> None:
    result = perform(request, mix_verb.run, terminal)
    _warn(terminal, result.warnings)
    terminal.say(f"{result.title}, mixed with {result.model}:")
    terminal.say(tables.gains(result.median_gain_db, result.n_points, result.n_frames))
    terminal.say(
        f"Loudness {result.loudness_before_lufs:.1f} to {result.loudness_after_lufs:.1f} LUFS, "
        f"true peak {result.true_peak_dbtp:.1f} dBTP."
    )
    _say_files(terminal, result.files)
    terminal.give(result)


def _by_role(pairs: list[tuple[str, str]]) -> dict[str, str]:
    roles = [role for role, _ in pairs]
    twice = sorted({role for role in roles if roles.count(role) > 1})
    if twice:
        raise InputError(f"--bus {twice[0]}=... was given twice; a stem is one file, so sum them first")
    return dict(pairs)


def _buses(arguments: argparse.Namespace, *songs: str) -> dict[str, str]:
    """Return the files of `--bus`, where they mean files."""
    if arguments.buses and len({is_project(song) for song in songs}) > 1:
        raise InputError(
            "--bus means a file in a song's folder and a track in a project; learn from one kind at a time"
        )
    return {} if all(map(is_project, songs)) else _by_role(arguments.buses)


def _tracks(arguments: argparse.Namespace, *songs: str) -> dict[str, list[str]]:
    """Return the tracks of `--bus`, where they mean a project's tracks; a role may have several."""
    if not all(map(is_project, songs)):
        return {}
    tracks: dict[str, list[str]] = {}
    for role, track in arguments.buses:
        tracks.setdefault(role, []).append(track)
    return tracks


def _warn(terminal: Terminal, warnings: list[str]) -> None:
    for warning in warnings:
        terminal.warn(warning)


def _say_files(terminal: Terminal, files: dict[str, str]) -> None:
    for path in files.values():
        terminal.say(f"  {Path(path).resolve()}")


def _facts(name: str, model: Model) -> dict[str, object]:
    return {
        "name": name,
        "preset": model.preset,
        "features": model.feature_set,
        "shipped": model_store.is_shipped(name),
        "made_by": model.made_by,
        "coefficients": model.named_coefficients(),
        "songs": [
            {key: value for key, value in msgspec.structs.asdict(song).items() if key != "triangles"}
            for song in model.songs
        ],
    }
