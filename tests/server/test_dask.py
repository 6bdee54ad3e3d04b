"""Songs mapped to a cluster's workers: the same model and the same tables as on one machine."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from analysis_server import models
from analysis_server.verbs import evaluate, learn
from core.errors import Cancelled, InputError
from tests.expected_errors import raises_error
from tests.server.conftest import running

distributed = pytest.importorskip(
    "distributed", reason="NOT TESTED: the extra dask is missing; pip install -e '.[test]'"
)

pytestmark = pytest.mark.filterwarnings("default")


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    with distributed.LocalCluster(
        n_workers=2,
        threads_per_worker=1,
        processes=True,
        host="127.0.0.1",
        dashboard_address=None,
        local_directory=str(tmp_path_factory.mktemp("dask")),
    ) as cluster:
        yield cluster.scheduler_address


def _difference(here: object, there: object) -> float:
    """Return the largest difference of two results' numbers; everything else must be the same."""
    if isinstance(here, float) and isinstance(there, float):
        return abs(here - there)
    if isinstance(here, dict) and isinstance(there, dict):
        assert here.keys() == there.keys()
        return max((_difference(here[key], there[key]) for key in here), default=0.0)
    if isinstance(here, list) and isinstance(there, list):
        assert len(here) == len(there)
        return max((_difference(a, b) for a, b in zip(here, there, strict=True)), default=0.0)
    assert here == there
    return 0.0


@pytest.mark.parametrize(("preset", "features"), [("default", "condition3"), ("paper", "condition2")])
def test_learning_gives_the_same_model(home: Path, short_songs: Path, cluster: str, preset: str, features: str) -> None:
    def request(name: str, dask: str | None) -> learn.LearnRequest:
        return learn.LearnRequest(songs=[str(short_songs)], model=name, preset=preset, features=features, dask=dask)

    learn.run(request("here", None))
    learn.run(request("there", cluster))
    here, there = (msgspec.to_builtins(models.find(name).songs) for name in ("here", "there"))
    assert len(here) == 3
    assert _difference(here, there) <= 1e-9
    coefficients = [models.find(name).named_coefficients() for name in ("here", "there")]
    assert _difference(*coefficients) <= 1e-9


@pytest.mark.parametrize(("preset", "features"), [("default", "condition3"), ("paper", "condition1")])
def test_evaluating_gives_the_same_tables(short_songs: Path, cluster: str, preset: str, features: str) -> None:
    def request(dask: str | None) -> evaluate.EvaluateRequest:
        return evaluate.EvaluateRequest(dataset=str(short_songs), preset=preset, features=features, dask=dask)

    here, there = (msgspec.to_builtins(evaluate.run(request(dask))) for dask in (None, cluster))
    assert here["songs"].keys() == {"one", "two", "three"}
    assert _difference(here, there) <= 1e-9


def test_the_server_uses_the_cluster_too(home: Path, short_songs: Path, cluster: str) -> None:
    request = learn.LearnRequest(songs=[str(short_songs)], model="served", dask=cluster)
    with running(home, n_workers=1) as server, server.client() as client:
        result = client.run("learn", request, result_type=learn.LearnResult)
    assert result.learned == ["one", "three", "two"]


def test_a_song_that_the_cluster_cannot_read_is_reported_as_in_a_local_run(
    home: Path, short_songs: Path, tmp_path: Path, cluster: str
) -> None:
    (tmp_path / "set" / "bad").mkdir(parents=True)
    (tmp_path / "set" / "bad" / "drums.wav").write_bytes(b"no audio")
    messages = []
    for dask in (None, cluster):
        with pytest.raises(InputError) as raised:
            learn.run(learn.LearnRequest(songs=[str(tmp_path / "set")], model="bad", dask=dask))
        messages.append(str(raised.value))
    assert messages[0] == messages[1]


def test_progress_is_reported_and_work_can_be_cancelled(home: Path, short_songs: Path, cluster: str) -> None:
    def cancel(fraction: float, stage: str) -> None:
        raise Cancelled(f"{fraction} {stage}")

    with pytest.raises(Cancelled, match="cluster"):
        learn.run(learn.LearnRequest(songs=[str(short_songs)], model="x", dask=cluster), cancel)


def test_an_address_without_a_scheduler_is_reported(
    home: Path, short_songs: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("analysis_server.training._ANSWER_S", 0.5)
    with raises_error(option="--dask tcp://127.0.0.1:9"):
        learn.run(learn.LearnRequest(songs=[str(short_songs)], model="x", dask="tcp://127.0.0.1:9"))
