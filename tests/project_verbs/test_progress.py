"""Progress of verbs on a project: reported from start to end, never decreasing."""

from __future__ import annotations

import shutil
from itertools import pairwise
from pathlib import Path

import pytest

from analysis_server.verbs import learn, match, mix
from tests.project_verbs.sessions import moving_gains, render

Updates = list[tuple[float, str]]


def work(verb: str, project: Path, out: Path) -> Updates:
    """Return all progress updates of a verb on a project."""
    updates: Updates = []

    def add(fraction: float, stage: str) -> None:
        updates.append((fraction, stage))

    if verb == "mix":
        mix.run(mix.MixRequest(song=str(project), out=str(out)), add)
    elif verb == "match":
        match.run(match.MatchRequest(song=str(project), out=str(out)), add)
    else:
        songs = [str(project), str(shutil.copyfile(project, project.with_name("Other.RPP")))]
        learn.run(learn.LearnRequest(songs=songs, model="mine", truth="faders", dry_run=True), add)
    return updates


@pytest.mark.parametrize("verb", ["mix", "match", "learn"])
def test_progress_moves_while_media_are_summed_and_never_goes_back(small: Path, tmp_path: Path, verb: str) -> None:
    render(small.with_name("mix.wav"), moving_gains(24 * 44_100))
    updates = work(verb, small, tmp_path / "out")
    summing = [fraction for fraction, stage in updates if stage == "Summing media of Song"]
    assert len(set(summing)) > 3
    assert all(later >= earlier for (earlier, _), (later, _) in pairwise(updates))
    assert updates[-1][0] == pytest.approx(1.0)
