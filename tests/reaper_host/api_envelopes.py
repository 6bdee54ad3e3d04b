"""Envelopes: finding them, their attributes, their points, their value at a time."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from tests.reaper_host.envelope_points import Point
from tests.reaper_host.envelope_state import Envelope
from tests.reaper_host.fader_curve import from_mode, to_mode
from tests.reaper_host.project_state import Master
from tests.reaper_host.registry import Out, reascript
from tests.reaper_host.rpp_text import set_extension
from tests.reaper_host.track_state import Track

if TYPE_CHECKING:
    from tests.reaper_host.host import ReaperHost

_OWN, _FULL_LOOP = -1, 0x10000000
_ATTRIBUTES = {
    "ACTIVE": ("ACT", 0, "1 -1"),
    "VISIBLE": ("VIS", 0, "0 1 1"),
    "SHOWLANE": ("VIS", 1, "0 1 1"),
    "ARM": ("ARM", 0, "0"),
}


@reascript("CountTrackEnvelopes")
def count_track_envelopes(_host: ReaperHost, track: Track) -> int:
    return 0 if isinstance(track, Master) else len(track.envelopes)


@reascript("GetTrackEnvelope")
def get_track_envelope(_host: ReaperHost, track: Track, index: int) -> Envelope | None:
    return track.envelopes[index] if 0 <= index < len(track.envelopes) else None


@reascript("GetTrackEnvelopeByName")
def get_track_envelope_by_name(host: ReaperHost, track: Track, name: str) -> Envelope | None:
    """ "Volume" is the one after the plug-ins; the names depend on the language pack. [b: N782, N779, MEM]"""
    return next((envelope for envelope in track.envelopes if host.translated(envelope.name) == name), None)


@reascript("GetTrackEnvelopeByChunkName")
def get_track_envelope_by_chunk_name(host: ReaperHost, track: Track, name: str) -> Envelope | None:
    """The name needs its leading ``<``, or is a GUID; one that was never made is NULL. [b: NENV, N779, HDR, N782]"""
    return host.envelope_by_chunk_name(track, name)


@reascript("GetEnvelopeName")
def get_envelope_name(host: ReaperHost, envelope: Envelope, _buffer: str, _size: int) -> Out:
    return Out(1, host.translated(envelope.name))


@reascript("GetEnvelopeScalingMode")
def get_envelope_scaling_mode(_host: ReaperHost, envelope: Envelope) -> int:
    return envelope.mode


@reascript("ScaleToEnvelopeMode")
def scale_to_envelope_mode(_host: ReaperHost, mode: int, value: float) -> float:
    return to_mode(mode, value)


@reascript("ScaleFromEnvelopeMode")
def scale_from_envelope_mode(_host: ReaperHost, mode: int, value: float) -> float:
    return from_mode(mode, value)


@reascript("Envelope_FormatValue")
def envelope_format_value(_host: ReaperHost, envelope: Envelope, value: float, _buffer: str, _size: int) -> Out:
    """A gain in dB; 0.5 written raw under fader scaling shows as -inf dB. [b: N782]"""
    if not envelope.is_volume:
        return Out(None, f"{value:.2f}")
    gain = from_mode(envelope.mode, value)
    return Out(None, "-inf dB" if gain < 1e-7 else f"{20.0 * math.log10(gain):.2f} dB")


@reascript("GetEnvelopeInfo_Value")
def get_envelope_info_value(host: ReaperHost, envelope: Envelope, name: str) -> float:
    if name == "P_TRACK":
        return float(host.pointers.address_of("MediaTrack*", envelope.track))
    host.unsupported(f"GetEnvelopeInfo_Value {name!r}")
    return 0.0


@reascript("Envelope_GetParentTrack")
def envelope_get_parent_track(_host: ReaperHost, envelope: Envelope, _fx: int, _parameter: int) -> Out:
    return Out(envelope.track, -1, -1)


@reascript("GetSetEnvelopeInfo_String")
def get_set_envelope_info_string(host: ReaperHost, envelope: Envelope, name: str, value: str, is_set: int) -> Out:
    """ACTIVE, ARM, VISIBLE, SHOWLANE are "0" or "1"; the panels show it after TrackList_AdjustWindows. [b: HDR]"""
    if name == "GUID":
        return Out(int(not is_set), envelope.guid)
    if name.startswith("P_EXT:"):
        return _extension(envelope, name.removeprefix("P_EXT:"), value, is_set)
    if name not in _ATTRIBUTES:
        return host.unsupported(f"GetSetEnvelopeInfo_String {name!r}")
    line, place, defaults = _ATTRIBUTES[name]
    if is_set:
        envelope.block.set_word(line, place, "1" if value == "1" else "0", defaults)
        envelope.track.project.touched()
        host.panels_are_stale = host.panels_are_stale or name in ("VISIBLE", "SHOWLANE")
    return Out(1, str(int(envelope.block.number(line, place, float(defaults.split()[place])) != 0)))


def _extension(envelope: Envelope, key: str, value: str, is_set: int) -> Out:
    block = next(iter(envelope.block.blocks("EXT")), None)
    if is_set:
        set_extension(envelope.block, key, value)
        envelope.track.project.touched()
        return Out(1, value)
    found = block.line(key) if block else None
    return Out(int(found is not None), found[0] if found else "")


@reascript("GetEnvelopeStateChunk")
def get_envelope_state_chunk(_host: ReaperHost, envelope: Envelope, _buffer: str, _size: int, _is_undo: int) -> Out:
    return Out(1, envelope.get_chunk())


@reascript("SetEnvelopeStateChunk")
def set_envelope_state_chunk(host: ReaperHost, envelope: Envelope, text: str, _is_undo: int) -> int:
    """A chunk without points removes the envelope. [b: N762, SWS]"""
    is_set = envelope.set_chunk(text)
    if is_set:
        envelope.track.project.touched()
        if not envelope.points and not envelope.count_items():
            host.remove_envelope(envelope)
    return int(is_set)


@reascript("CountAutomationItems")
def count_automation_items(_host: ReaperHost, envelope: Envelope) -> int:
    return envelope.count_items()


@reascript("CountEnvelopePoints")
def count_envelope_points(_host: ReaperHost, envelope: Envelope) -> int:
    return len(envelope.points)


@reascript("CountEnvelopePointsEx")
def count_envelope_points_ex(host: ReaperHost, envelope: Envelope, item: int) -> int:
    return len(_points(host, envelope, item))


@reascript("GetEnvelopePoint")
def get_envelope_point(host: ReaperHost, envelope: Envelope, index: int, *_out: object) -> Out:
    return get_envelope_point_ex(host, envelope, _OWN, index)


@reascript("GetEnvelopePointEx")
def get_envelope_point_ex(host: ReaperHost, envelope: Envelope, item: int, index: int, *_out: object) -> Out:
    """The value is in the API's domain. [b: HDR, N779, N782]"""
    points = _points(host, envelope, item)
    if not 0 <= index < len(points):
        return Out(0)
    point = points[index]
    return Out(1, point.time, envelope.raw_of(point.value), point.shape, point.tension, int(point.is_selected))


@reascript("GetEnvelopePointByTime")
def get_envelope_point_by_time(host: ReaperHost, envelope: Envelope, time: float) -> int:
    return get_envelope_point_by_time_ex(host, envelope, _OWN, time)


@reascript("GetEnvelopePointByTimeEx")
def get_envelope_point_by_time_ex(host: ReaperHost, envelope: Envelope, item: int, time: float) -> int:
    """At or immediately before the time. [HDR]"""
    before = [index for index, point in enumerate(_points(host, envelope, item)) if point.time <= time]
    return before[-1] if before else -1


@reascript("InsertEnvelopePoint")
def insert_envelope_point(host: ReaperHost, envelope: Envelope, *values: float) -> Out:
    return insert_envelope_point_ex(host, envelope, _OWN, *values)


@reascript("InsertEnvelopePointEx")
def insert_envelope_point_ex(host: ReaperHost, envelope: Envelope, item: int, *values: float) -> Out:
    """Add a point; one that is there at that time stays, and times may be negative. [b: N782, HDR]"""
    points = _points(host, envelope, item)
    time, value, shape, tension, selected, no_sort = values
    _check_range(host, envelope, value)
    points.append(_point(envelope, time, value, shape, tension, selected))
    if no_sort:
        host.unsorted.add(envelope)
    else:
        envelope.sort()
    envelope.track.project.touched()
    return Out(1, no_sort)


@reascript("SetEnvelopePoint")
def set_envelope_point(host: ReaperHost, envelope: Envelope, index: int, *values: float) -> Out:
    return set_envelope_point_ex(host, envelope, _OWN, index, *values)


@reascript("SetEnvelopePointEx")
def set_envelope_point_ex(host: ReaperHost, envelope: Envelope, item: int, index: int, *values: float) -> Out:
    """Python cannot leave out the optional values, so all of them are set. [a: PY]"""
    points = _points(host, envelope, item)
    if not 0 <= index < len(points):
        return Out(0)
    time, value, shape, tension, selected, no_sort = values
    points[index] = _point(envelope, time, value, shape, tension, selected)
    if no_sort:
        host.unsorted.add(envelope)
    else:
        envelope.sort()
    envelope.track.project.touched()
    return Out(1)


@reascript("DeleteEnvelopePointEx")
def delete_envelope_point_ex(host: ReaperHost, envelope: Envelope, item: int, index: int) -> int:
    points = _points(host, envelope, item)
    if not 0 <= index < len(points):
        return 0
    del points[index]
    envelope.track.project.touched()
    return 1


@reascript("DeleteEnvelopePointRange")
def delete_envelope_point_range(host: ReaperHost, envelope: Envelope, start: float, end: float) -> int:
    return delete_envelope_point_range_ex(host, envelope, _OWN, start, end)


@reascript("DeleteEnvelopePointRangeEx")
def delete_envelope_point_range_ex(host: ReaperHost, envelope: Envelope, item: int, start: float, end: float) -> int:
    """The end is excluded [b: N782]; a point at exactly 0 survives (one source, so a switch of the host) [b: N779]."""
    points = _points(host, envelope, item)
    points[:] = [
        point
        for point in points
        if not start <= point.time < end or (point.time == 0.0 and host.switches.point_at_zero_survives)
    ]
    envelope.track.project.touched()
    return 1


@reascript("Envelope_SortPoints")
def envelope_sort_points(host: ReaperHost, envelope: Envelope) -> int:
    return envelope_sort_points_ex(host, envelope, _OWN)


@reascript("Envelope_SortPointsEx")
def envelope_sort_points_ex(host: ReaperHost, envelope: Envelope, item: int) -> int:
    _points(host, envelope, item)
    envelope.sort()
    host.unsorted.discard(envelope)
    return 1


@reascript("Envelope_Evaluate")
def envelope_evaluate(
    _host: ReaperHost, envelope: Envelope, time: float, rate: float, n_samples: int, *_out: object
) -> Out:
    """The value is in the API's domain. [b: HDR, N779]"""
    value = envelope.raw_at(time)
    step = envelope.raw_at(time + 1.0 / rate) - value if rate > 0 else 0.0
    return Out(n_samples, value, step, 0.0, 0.0)


def _points(host: ReaperHost, envelope: Envelope, item: int) -> list[Point]:
    if item & ~_FULL_LOOP != _OWN & ~_FULL_LOOP:
        host.unsupported("points of an automation item")
    return envelope.points


def _check_range(host: ReaperHost, envelope: Envelope, raw: float) -> None:
    """Complain of a gain above what the user's preferences let an envelope show. [b: USCFG volenvrange]"""
    if not math.isfinite(raw):
        host.complain(f"a point of value {raw} on {envelope.track.name}")
        return
    top_gain = 10.0 ** (host.switches.envelope_top_db / 20.0)
    if envelope.is_volume and envelope.value_of(raw) > top_gain * 1.003:
        host.complain(
            f"a point of gain {envelope.value_of(raw):.3f} on {envelope.track.name}, whose range ends at {top_gain}"
        )


def _point(envelope: Envelope, time: float, raw: float, *look: float) -> Point:
    shape, tension, selected = look
    value = envelope.value_of(max(raw, 0.0) if envelope.is_volume else raw)
    return Point(time, value, int(shape), tension, bool(selected))
