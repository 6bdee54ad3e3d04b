"""The paper's first figure: true and predicted gain of each bus over the song's frames."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from matplotlib.figure import Figure

from analysis_server.figures.canvas import PREDICTION, TRUTH, add_legend, dress, sheet
from core.audio.frames import HOP_S
from core.decibels import FloatArray
from core.modelling.evaluation import EvaluationSong

_WIDTH_IN, _PANEL_HEIGHT_IN, _EDGES_IN = 8.0, 1.6, 0.9


def gain_panels(song: EvaluationSong, predicted: FloatArray, mse: Mapping[str, float]) -> Figure:
    """Return one panel a bus: the true gain black, the predicted one red, the MSE in the title.

    `predicted` has the shape of the song's gains (n_frames, n_buses); `mse` is each bus's.
    """
    figure = sheet(song.title, _WIDTH_IN, _EDGES_IN + _PANEL_HEIGHT_IN * len(song.buses))
    panels = figure.subplots(len(song.buses), 1, sharex=True, squeeze=False)[:, 0]
    frames = np.arange(len(song.gains))
    for i, (bus, axes) in enumerate(zip(song.buses, panels, strict=True)):
        axes.plot(frames, song.gains[:, i], color=TRUTH, linewidth=1.1, label="true gain (from the mixdown)")
        axes.plot(frames, predicted[:, i], color=PREDICTION, linewidth=1.1, label="predicted gain")
        axes.set_xlim(0, max(len(frames) - 1, 1))
        top = _top(song.gains[:, i], predicted[:, i])
        axes.set_ylim(-0.03 * top, top)
        dress(axes, x_label="", y_label="gain", title=f"{bus}: MSE {mse[bus]:.4f}")
    panels[-1].set_xlabel(f"frame (one every {HOP_S} s)", fontsize=9)
    figure.align_ylabels(panels)
    add_legend(figure, panels[0])
    return figure


def _top(*curves: FloatArray) -> float:
    highest = max(float(np.nanmax(curve, initial=0.0)) for curve in curves)
    return 1.06 * highest if highest > 0.0 else 1.0
