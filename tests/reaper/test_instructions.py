"""What must change in an open project so that it becomes the one a verb wrote."""

from __future__ import annotations

from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from analysis_server.reaper.instructions import envelopes_to_restore, ext_state_to_change, points_to_write
from core.rpp.parser import parse
from core.rpp.project import Project, project_of

Pairs = list[tuple[float, float]]
times = st.integers(0, 12).map(float)
envelopes = st.none() | st.lists(st.tuples(times, st.sampled_from([0.25, 0.5, 1.0])), min_size=1, max_size=9)


def project(points: Pairs | None, *ext_state: str) -> Project:
    lines = [f"      PT {time_s:g} {gain:g} 0" for time_s, gain in sorted(points or [], key=lambda pair: pair[0])]
    block = ["    <VOLENV2", "      ACT 1 -1", *lines, "    >"] if points is not None else []
    state = ["  <EXTSTATE", "    <FADERWISE", *(f"      {line}" for line in ext_state), "    >", "  >"]
    text = ["<REAPER_PROJECT 0.1", "  <TRACK {A}", "    NAME x", *block, "  >", *(state if ext_state else []), ">", ""]
    return project_of(parse("\n".join(text).encode(), Path("x.rpp")))


def points(pairs: Project) -> Pairs:
    envelope = pairs.tracks[0].envelopes.get("VOLENV2")
    return [(point.time_s, point.gain) for point in envelope.points] if envelope else []


@given(envelopes, envelopes)
def test_the_bridge_gets_from_the_old_points_to_the_new_ones(old: Pairs | None, new: Pairs | None) -> None:
    before, after = project(old), project(new)
    changes = points_to_write(before, after)
    if new is None or points(before) == points(after):
        assert changes == []
        return
    write = changes[0].write
    assert write is not None
    start_s, end_s = write.start_s, write.end_s
    left = [
        pair for pair in points(before) if start_s is not None and end_s is not None and not start_s <= pair[0] <= end_s
    ]
    written = [(time_s, gain) for time_s, gain, _, _ in write.points]
    assert not {time_s for time_s, _ in left} & {time_s for time_s, _ in written}
    assert sorted([*left, *written], key=lambda pair: pair[0]) == points(after)


def test_only_the_stretch_that_differs_is_written() -> None:
    before = project([(0, 1.0), (5, 0.5), (9, 0.25), (12, 1.0)])
    (change,) = points_to_write(before, project([(0, 1.0), (5, 0.5), (8, 1.0), (9, 1.0), (12, 1.0)]))
    assert change.write is not None
    assert (change.write.start_s, change.write.end_s) == (8.0, 9.0)
    assert change.write.points == [(8.0, 1.0, 0, 0.0), (9.0, 1.0, 0, 0.0)]


def test_an_envelope_to_restore_is_its_whole_text_or_none() -> None:
    (change,) = envelopes_to_restore(project([(0, 1.0)]), project([(3, 0.5)]))
    assert change.restore is not None
    assert change.restore.chunk == "<VOLENV2\nACT 1 -1\nPT 3 0.5 0\n>\n"
    (gone,) = envelopes_to_restore(project([(0, 1.0)]), project(None))
    assert gone.restore is not None
    assert gone.restore.chunk is None


def test_only_runs_are_set_and_deleted_in_the_ext_state() -> None:
    before = project(None, "RUN_0001_01 a", "RUN_0002_01 b", "BUSES c")
    changes = ext_state_to_change(before, project(None, "RUN_0001_01 a", "RUN_0003_01 d", "EXTSTATE_WAS_EMPTY 1"))
    assert changes.set == {"RUN_0003_01": "d"}
    assert changes.delete == ["RUN_0002_01"]
