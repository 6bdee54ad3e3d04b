"""Media items, their takes and sources, as objects that have addresses."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.reaper_host.rpp_text import Block

if TYPE_CHECKING:
    from tests.reaper_host.project_state import Project
    from tests.reaper_host.track_state import Track


class MediaItem:
    """An item of a track; `take` is the one that plays."""

    def __init__(self, track: Track, block: Block) -> None:
        self.track, self.block = track, block
        self.take = MediaTake(self)

    @property
    def project(self) -> Project:
        """The project that contains it."""
        return self.track.project

    @property
    def parts(self) -> tuple[object, ...]:
        """It and what belongs to it: everything whose address goes with it."""
        return self, self.take, self.take.source


class MediaTake:
    """The take that plays."""

    def __init__(self, item: MediaItem) -> None:
        self.item = item
        self.source = MediaSource(self)

    @property
    def project(self) -> Project:
        """The project that contains it."""
        return self.item.project


class MediaSource:
    """What a take plays."""

    def __init__(self, take: MediaTake) -> None:
        self.take = take

    @property
    def project(self) -> Project:
        """The project it is used in."""
        return self.take.project
