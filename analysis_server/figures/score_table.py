"""An evaluation's scores as CSV, for a spreadsheet or a paper."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping

from core.modelling.evaluation import Scores


def score_table(scores: Scores) -> str:
    """Return a row a song, then their mean and spread (n - 1): MSE per bus and the balance error in dB.

    A cell is empty where a song lacks the bus, or has none that is active.
    """
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["song", *(f"mse_{bus}" for bus in scores.buses), "balance_db"])
    for title, row in scores.mse.items():
        writer.writerow(_row(title, scores, row, scores.balance_db[title]))
    writer.writerow(_row("mean", scores, scores.mean_mse(), scores.mean_balance_db()))
    writer.writerow(_row("spread", scores, scores.std_mse(), scores.std_balance_db()))
    return text.getvalue()


def _row(name: str, scores: Scores, mse: Mapping[str, float], balance_db: float) -> list[str]:
    return [name, *(_cell(mse.get(bus)) for bus in scores.buses), _cell(balance_db)]


def _cell(value: float | None) -> str:
    return "" if value is None or value != value else repr(value)  # noqa: PLR0124 - NaN alone differs from itself
