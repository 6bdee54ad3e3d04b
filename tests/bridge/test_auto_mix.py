"""Auto-mix buses in a simulated REAPER."""

from __future__ import annotations

from tests.bridge.studio import Studio


def test_envelopes_stand_on_the_buses(studio: Studio) -> None:
    studio.choose_buses()
    studio.decline_report("mixed with the model")
    studio.run("auto_mix_buses")
    for track in studio.host.project.tracks:
        assert len(track.envelope("VOLENV2").points) > 3
