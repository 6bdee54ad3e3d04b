"""An evaluation as an HTML page, and the paper's tables and figures as files.

No window system, no pyplot, and nothing of the user's own matplotlib settings: what matplotlib keeps (its list of
fonts) is in Faderwise's folder, unless `MPLCONFIGDIR` names another: `evaluate` sets it before this import.

Per song: the true and the predicted gains (`<song>-gains`), and where its audio is known the average spectra of the
human and the automatic mix (`<song>-spectra`), each as PNG and PDF; for all songs `tables.csv`.

Source: the figures and tables of Zafrin & Chudwick (2015), section 5.
"""

from __future__ import annotations

import csv
import io
import logging
import re
import unicodedata
import warnings
from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache, partial
from pathlib import Path
from typing import Any

import numpy as np
from markupsafe import Markup
from matplotlib import font_manager
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator, NullLocator

from analysis_server import MADE_BY
from analysis_server.report import charts
from analysis_server.report.content import MISSING, gain_text, median_gain_db, with_minus_signs
from analysis_server.report.page import environment, template_file
from core.audio.framing import FRAME_S, HOP_S
from core.automation.render import MixSpectra, in_bands, mix_spectra
from core.decibels import FloatArray, gain_to_db
from core.files import replacing, write_text
from core.models.comparison import LEAST_SONGS
from core.models.evaluate import Evaluation, EvaluationSong, Scores
from core.progress import ProgressCallback, part_of

logging.getLogger("matplotlib").setLevel(logging.ERROR)  # it warns while it lists the fonts for the first time

PAGE, TABLE = "evaluate.html", "tables.csv"
TRUTH, PREDICTION, QUIET = "#000000", "#d62728", "#666666"
_DPI = 150
_SIZE = 9.0
_OTHER_SCRIPTS = ("Noto Sans CJK JP", "Hiragino Sans", "Yu Gothic", "Microsoft YaHei", "Arial Unicode MS", "Unifont")
_LONGEST_TITLE = 70
_LONGEST_NAME_BYTES = 120
"""Leaves room in 255 bytes for what follows: the figure's name and the time at which an old file is set aside."""
_LOWEST_HZ, _HIGHEST_HZ = 20.0, 20_000.0
_TICKS_HZ = (20, 50, 100, 200, 500, 1000, 2000, 5000, 10_000, 20_000)
_SHOWN_DB = 100.0
"""How far below the loudest frequency the axis goes at most."""
_with_minus_signs = partial(with_minus_signs, has_names=False)


def sheet(title: str, width_in: float, height_in: float) -> Figure:
    """Return an empty figure of that size in inches, with its title."""
    figure = Figure(figsize=(width_in, height_in), dpi=_DPI, layout="constrained", facecolor="white")
    shown = " ".join("".join(sign if sign.isprintable() else " " for sign in title).split())
    shown = shown if len(shown) <= _LONGEST_TITLE else f"{shown[: _LONGEST_TITLE - 1]}…"
    figure.suptitle(shown, fontsize=_SIZE + 2, fontfamily=list(_families()), parse_math=False)
    return figure


def dress(axes: Axes, *, x_label: str, y_label: str, title: str = "") -> None:
    """Give a panel its labels, a quiet grid and no box."""
    axes.set_xlabel(x_label, fontsize=_SIZE)
    axes.set_ylabel(y_label, fontsize=_SIZE)
    if title:
        axes.set_title(title, fontsize=_SIZE + 0.5, loc="left", fontfamily=list(_families()), parse_math=False)
    axes.tick_params(labelsize=_SIZE - 1)
    axes.grid(visible=True, color="#dddddd", linewidth=0.6)
    axes.set_axisbelow(True)
    axes.spines[["top", "right"]].set_visible(False)


def add_legend(figure: Figure, axes: Axes) -> None:
    """Name the lines of `axes` once, below the figure's panels."""
    handles, labels = axes.get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=len(labels), frameon=False, fontsize=_SIZE)


def save(figure: Figure, beginning: Path) -> list[Path]:
    """Write `figure` as PNG and PDF, names beginning with `beginning`, and return their paths.

    The same figure gives the same bytes.
    """
    png, pdf = (beginning.with_name(f"{beginning.name}{suffix}") for suffix in (".png", ".pdf"))
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Glyph", category=UserWarning)  # a title no font here can write
        with replacing(png) as temporary:
            figure.savefig(temporary, format="png", backend="agg")
        with replacing(pdf) as temporary:
            figure.savefig(temporary, format="pdf", backend="pdf", metadata={"CreationDate": None})
    return [png, pdf]


@lru_cache(maxsize=1)
def _families() -> tuple[str, ...]:
    """Return the fonts to look for a title's letters in."""
    known = {font.name for font in font_manager.fontManager.ttflist}
    return ("DejaVu Sans", *(family for family in _OTHER_SCRIPTS if family in known))


def file_names(titles: Sequence[str]) -> list[str]:
    """Return a name for each title: no separators or signs that some system refuses, no two alike in any case."""
    names: dict[str, str] = {}
    for title in titles:
        allowed = re.sub(r"[^\w .,+&()'-]+", "_", unicodedata.normalize("NFC", title))
        name = plain = allowed.encode()[:_LONGEST_NAME_BYTES].decode(errors="ignore").strip(" .") or "song"
        number = 2
        while name.casefold() in names:
            name = f"{plain}-{number}"
            number += 1
        names[name.casefold()] = name
    return list(names.values())


def gain_panels(song: EvaluationSong, predicted: FloatArray, mse: Mapping[str, float]) -> Figure:
    """Return one panel per bus: gains in dB over time, the true one black, the predicted one red, the MSE in the title.

    `predicted` has the shape of the song's gains (n_frames, n_buses); `mse` is that of each bus. All panels have one
    scale.
    """
    figure = sheet(song.title, 8.0, 0.9 + 1.6 * len(song.buses))
    panels = figure.subplots(len(song.buses), 1, sharex=True, squeeze=False)[:, 0]
    time_s, curves = _curves_db(song, predicted)
    gain = charts.axis_of_gains(np.stack(curves))
    for i, (bus, axes) in enumerate(zip(song.buses, panels, strict=True)):
        axes.plot(time_s, curves[0][:, i], color=TRUTH, linewidth=1.1, label="true gain (from the mixdown)")
        axes.plot(time_s, curves[1][:, i], color=PREDICTION, linewidth=1.1, label="predicted gain")
        axes.set_xlim(0.0, time_s[-1] + HOP_S)
        axes.set_ylim(gain.low, gain.high)
        dress(axes, x_label="", y_label="gain (dB)", title=f"{bus}: MSE {mse[bus]:.4f}")
    panels[-1].set_xlabel("time (s)", fontsize=_SIZE)
    figure.align_ylabels(panels)
    add_legend(figure, panels[0])
    return figure


def _curves_db(song: EvaluationSong, predicted: FloatArray) -> tuple[FloatArray, list[FloatArray]]:
    """Return the frames' centres in seconds, and the true and the predicted gains in dB, NaN where a bus is silent."""
    time_s = np.arange(len(song.gains), dtype=np.float64) * HOP_S + FRAME_S / 2
    return time_s, [np.where(song.active, gain_to_db(gains), np.nan) for gains in (song.gains, predicted)]


def score_table(scores: Scores, others: Mapping[str, Scores]) -> str:
    """Return one row per song, then their mean and standard deviation (n - 1): MSE per bus and balance errors in dB.

    The last columns are the balance errors of the other methods, by name. A cell is empty where a song lacks the bus,
    or has none that is active.
    """
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")

    def write(name: str, mse: Mapping[str, float], balances_db: Iterable[float]) -> None:
        values = [*(mse.get(bus, np.nan) for bus in scores.buses), *balances_db]
        writer.writerow([name, *("" if np.isnan(value) else repr(value) for value in values)])

    writer.writerow(
        ["song", *(f"mse_{bus}" for bus in scores.buses), "balance_db", *(f"balance_db of {name}" for name in others)]
    )
    methods = [scores, *others.values()]
    for title, row in scores.mse.items():
        write(title, row, [one.balance_db.get(title, np.nan) for one in methods])
    write("mean", scores.mean_mse(), [one.mean_balance_db() for one in methods])
    write("std", scores.std_mse(), [one.std_balance_db() for one in methods])
    return text.getvalue()


def spectrum_panels(title: str, spectra: MixSpectra) -> Figure:
    """Return both average magnitude spectra over a log axis, and below it how much louder the automatic mix is."""
    figure = sheet(title, 8.0, 5.6)
    above, below = figure.subplots(2, 1, sharex=True, height_ratios=(3, 2))
    audible = (spectra.frequency_hz >= _LOWEST_HZ) & (spectra.frequency_hz <= _HIGHEST_HZ)
    frequency_hz = spectra.frequency_hz[audible]
    human_db, automatic_db = gain_to_db(spectra.human[audible]), gain_to_db(spectra.automatic[audible])
    above.plot(frequency_hz, human_db, color=TRUTH, linewidth=1.0, label="human mix (the mixdown)")
    above.plot(frequency_hz, automatic_db, color=PREDICTION, linewidth=1.0, label="automatic mix")
    loudest_db = max(human_db.max(), automatic_db.max())
    above.set_ylim(max(min(human_db.min(), automatic_db.min()), loudest_db - _SHOWN_DB) - 3.0, loudest_db + 3.0)
    dress(above, x_label="", y_label="magnitude (dBFS)")
    _draw_difference(below, frequency_hz, automatic_db - human_db, spectra)
    figure.align_ylabels([above, below])
    add_legend(figure, above)
    return figure


def _draw_difference(axes: Axes, frequency_hz: FloatArray, difference_db: FloatArray, spectra: MixSpectra) -> None:
    centres_hz, automatic_db = in_bands(spectra.frequency_hz, spectra.automatic)
    _, human_db = in_bands(spectra.frequency_hz, spectra.human)
    axes.axhline(0.0, color=QUIET, linewidth=0.8)
    axes.plot(frequency_hz, difference_db, color=QUIET, linewidth=0.5, alpha=0.6)
    axes.plot(centres_hz, automatic_db - human_db, color=TRUTH, linewidth=1.3)
    title = "difference, and in bold its level in sixths of an octave"
    dress(axes, x_label="frequency (Hz)", y_label="automatic - human (dB)", title=title)
    axes.set_xscale("log")
    axes.set_xlim(_LOWEST_HZ, min(_HIGHEST_HZ, float(spectra.frequency_hz[-1])))
    axes.xaxis.set_major_locator(FixedLocator(_TICKS_HZ))
    axes.xaxis.set_major_formatter(lambda hz, _: f"{hz / 1000:g}k" if hz >= 1000 else f"{hz:g}")
    axes.xaxis.set_minor_locator(NullLocator())


def draw(evaluation: Evaluation, others: Mapping[str, Scores], folder: Path, progress: ProgressCallback) -> list[str]:
    """Write an evaluation's table and figures into `folder` and return the files' names.

    Each file is written completely or not at all; an existing file with other content is set aside.

    Parameters
    ----------
    evaluation, others : what to show, and the scores of the other methods, for the table.
    folder : is made where it is missing.
    progress : progress callback.

    Raises
    ------
    InputError
        The folder cannot be written to, or a song's audio is missing or damaged.
    """
    write_text(folder / TABLE, score_table(evaluation.scores, others))
    songs = evaluation.tested.songs
    files = [folder / TABLE]
    for number, (song, name) in enumerate(zip(songs, file_names([song.title for song in songs]), strict=True)):
        drawing = part_of(progress, number / len(songs), (number + 1) / len(songs), f"Drawing {song.title}")
        drawing(0.0)
        predicted = evaluation.predicted[song.title]
        files += save(gain_panels(song, predicted, evaluation.scores.mse[song.title]), folder / f"{name}-gains")
        audio = evaluation.tested.audio.get(song.title)
        if audio is not None and audio.mixdown is not None:
            time_s = evaluation.tested.measurements[song.title].time_s
            spectra = mix_spectra(audio, time_s, predicted, progress=drawing)
            files += save(spectrum_panels(song.title, spectra), folder / f"{name}-spectra")
    return [file.name for file in files]


def evaluation_page(
    evaluation: Evaluation,
    others: Mapping[str, Scores],
    *,
    comparisons: Mapping[str, tuple[str, str, str]],
    methods: Mapping[str, str],
    by_song: Sequence[str],
    title: str,
    verdict: str,
    remarks: Sequence[str],
    summary: str,
    warnings: Sequence[str],
    notes: Sequence[str],
    files: Sequence[str],
) -> str:
    """Return an evaluation as one self-contained HTML page, with the gains in dB over time.

    Parameters
    ----------
    evaluation : the tested songs, the model's scores and its predictions.
    others : the scores of the other methods, by name.
    comparisons : of the model with each of them: how much closer it is, the interval, and whether this is significant.
    methods : what each method does, the model first.
    by_song : the methods that the songs' table compares the model with.
    title, verdict, remarks, summary : the page's title, which method is better, and what was trained on what.
    warnings, notes : sentences for the user: what may be a problem, and information.
    files : the names of the files next to the page.
    """
    scores, buses, ours = evaluation.scores, evaluation.scores.buses, next(iter(methods))
    ordered = [(ours, scores), *others.items()]
    ordered.sort(key=lambda method: np.nan_to_num(method[1].mean_balance_db(), nan=np.inf))
    plain = [(name, one.mean_balance_db()) for name, one in ordered if not name.endswith(", gated")]
    errors_db = np.nan_to_num([error_db for _, error_db in plain])
    songs = [
        _song_view(song, evaluation.predicted[song.title], scores.mse[song.title], number)
        for number, song in enumerate(evaluation.tested.songs)
    ]
    shown = [curve for song in songs for bus in song["buses"] for curve in bus["curves"]]
    gain = charts.axis_of_gains(np.concatenate(shown) if shown else np.zeros(1))
    for song in songs:
        for bus in song["buses"]:
            bus["plot"] = charts.compared_gains_plot(song["time_s"], *bus["curves"], time=song["time"], gain=gain)
    view = {
        "title": title,
        "verdict": _with_minus_signs(verdict),
        "remarks": _with_minus_signs(" ".join(remarks)),
        "summary": summary,
        "policy": "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'",
        "style": Markup(template_file("page.css")),  # noqa: S704 - our own file
        "made_by": MADE_BY,
        "warnings": warnings,
        "notes": notes,
        "titles": tuple(song["title"] for song in songs),
        "buses": buses,
        "ours": ours,
        "least_songs": LEAST_SONGS,
        "methods": [
            (_with_minus_signs(name), _decibels(error_db), *map(_with_minus_signs, comparisons.get(name, ("", "", ""))))
            for name, error_db in plain
        ],
        "bars": (errors_db / max(errors_db.max(initial=0.0), 1e-9)).tolist(),
        "meanings": [
            (_with_minus_signs(name), _with_minus_signs(text)) for name, text in methods.items() if name in dict(plain)
        ],
        "by_song": by_song,
        "song_rows": [
            (song_title, *(_decibels(one.balance_db[song_title]) for one in (scores, *(others[n] for n in by_song))))
            for song_title in scores.balance_db
        ],
        "mse_rows": [(song_title, *_mses(row, buses)) for song_title, row in scores.mse.items()],
        "mse_methods": [(_with_minus_signs(name), *_mses(one.mean_mse(), buses)) for name, one in ordered],
        "songs": songs,
        "gain": gain,
        "hues": dict(zip(buses, charts.hues_of(buses), strict=True)),
        "files": files,
    }
    return environment().get_template("evaluate.html.j2").render(view)


def _song_view(song: EvaluationSong, predicted: FloatArray, mse: Mapping[str, float], number: int) -> dict[str, Any]:
    """Return the values of a song's charts: gains in dB while each bus has signal, NaN elsewhere."""
    time_s, curves_db = _curves_db(song, predicted)
    buses = []
    for column, bus in enumerate(song.buses):
        active = song.active[:, column]
        curves = [gains_db[:, column] for gains_db in curves_db]
        true, found = (gain_text(median_gain_db(curve, active)) if active.any() else MISSING for curve in curves)
        buses.append({"name": bus, "curves": curves, "true": true, "predicted": found, "mse": f"{mse[bus]:.4f}"})
    time = charts.axis_of_time([float(time_s[-1]) if time_s.size else 0.0])
    return {"title": song.title, "number": number, "time": time, "time_s": time_s, "buses": buses}


def _mses(row: Mapping[str, float], buses: Sequence[str]) -> list[str]:
    return [f"{row[bus]:.4f}" if bus in row else MISSING for bus in buses]


def _decibels(value: float) -> str:
    return f"{value:.2f} dB" if np.isfinite(value) else MISSING
