"""An evaluation's tables and the paper's figures, as files.

Per song: the true and the predicted gains (`<song>-gains`), and where its audio is known the average spectra of the
human and the automatic mix (`<song>-spectra`), each as PNG and PDF; for all songs `tables.csv`.

Source: the figures and tables of Zafrin & Chudwick (2015), section 5.
"""

from __future__ import annotations

from pathlib import Path

from analysis_server.figures.canvas import save
from analysis_server.figures.file_names import file_names
from analysis_server.figures.gain_panels import gain_panels
from analysis_server.figures.score_table import score_table
from analysis_server.figures.spectrum_panels import spectrum_panels
from analysis_server.showing.evaluation import Evaluation
from analysis_server.telling import Tell, part_of, stage
from core.automating.mix_spectra import mix_spectra
from core.files import write_text
from core.modelling.evaluation import EvaluationSong

TABLE = "tables.csv"


def draw(evaluation: Evaluation, folder: Path, tell: Tell) -> list[str]:
    """Write an evaluation's table and figures into `folder` and return the files' paths.

    Each file is written all or nothing; one of other content that stood in its place is set aside.

    Parameters
    ----------
    evaluation : what to show.
    folder : is made where it is missing.
    tell : is told how far it is; may raise to stop the work.

    Raises
    ------
    InputError
        The folder cannot be written to, or a song's audio is gone or damaged.
    """
    write_text(folder / TABLE, score_table(evaluation.scores))
    songs = evaluation.tested.songs
    names = file_names([song.title for song in songs])
    files = [folder / TABLE]
    for number, (song, name) in enumerate(zip(songs, names, strict=True)):
        part = part_of(tell, number / len(songs), (number + 1) / len(songs))
        files += _song_figures(evaluation, song, folder / name, part)
    return [str(file) for file in files]


def _song_figures(evaluation: Evaluation, song: EvaluationSong, beginning: Path, tell: Tell) -> list[Path]:
    drawing = stage(tell, f"drawing {song.title}", 0.0, 1.0)
    drawing(0.0)
    predicted = evaluation.predicted[song.title]
    figure = gain_panels(song, predicted, evaluation.scores.mse[song.title])
    files = save(figure, beginning.with_name(f"{beginning.name}-gains"))
    audio = evaluation.tested.audio.get(song.title)
    if audio is not None and audio.mixdown is not None:
        time_s = evaluation.tested.measurements[song.title].time_s
        spectra = mix_spectra(audio, time_s, predicted, progress=drawing)
        files += save(spectrum_panels(song.title, spectra), beginning.with_name(f"{beginning.name}-spectra"))
    return files
