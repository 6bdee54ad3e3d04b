"""Progress of verbs on a project: reported from start to end, never decreasing."""

from __future__ import annotations

import shutil
from itertools import pairwise
from pathlib import Path

import pytest

from analysis_server.verbs import learn, match, mix
from tests.project_verbs.sessions import moving_gains, render

Told = list[tuple[float, str]]


def work(verb: str, project: Path, out: Path) -> Told:
    """Return all progress updates of a verb on a project."""
    told: Told = []

    def tell(fraction: float, stage: str) -> None:
        told.append((fraction, stage))

    if verb == "mix":
        mix.run(mix.MixRequest(song=str(project), out=str(out)), tell)
    elif verb == "match":
        match.run(match.MatchRequest(song=str(project), out=str(out)), tell)
    else:
        songs = [str(project), str(shutil.copyfile(project, project.with_name("Other.RPP")))]
        learn.run(learn.LearnRequest(songs=songs, model="mine", truth="faders", dry_run=True), tell)
    return told


@pytest.mark.parametrize("verb", ["mix", "match", "learn"])
def test_progress_moves_while_media_are_summed_and_never_goes_back(small: Path, tmp_path: Path, verb: str) -> None:
    render(small.with_name("mix.wav"), moving_gains(24 * 44_100))
    told = work(verb, small, tmp_path / "out")
    summing = [fraction for fraction, stage in told if stage == "Summing media of Song"]
    assert len(set(summing)) > 3
    assert all(later >= earlier for (earlier, _), (later, _) in pairwise(told))
    assert told[-1][0] == pytest.approx(1.0)
