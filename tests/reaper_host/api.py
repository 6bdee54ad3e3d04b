"""All modules that implement REAPER's functions; importing this one registers them."""

from __future__ import annotations

from tests.reaper_host import (
    api_application,
    api_envelopes,
    api_items,
    api_projects,
    api_rendering,
    api_tracks,
    api_undo,
    api_windows,
)

MODULES = (api_application, api_envelopes, api_items, api_projects, api_rendering, api_tracks, api_undo, api_windows)
