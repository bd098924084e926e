"""One test as a page shows it: its frames byte by byte, and what came of them.

Knows the frames of Modbus; those of other buses are annotate_frame's business, decoding is that
of drivers.profile.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from drivers.profile import image as images
from drivers.profile.bus import MODBUS
from drivers.profile.image import BIT_TABLES
from drivers.protocol import pdu, rtu
from gateway.core.errors import ConfigError, Refused
from gateway.core.report_cpython import Report
from tools.profile.proof.exchange import picture
from tools.profile.telling.annotate_frame import Part, other_frames, part, standing, told_of

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from drivers.profile.cases_cpython import Case
    from drivers.profile.model import Profile
    from drivers.profile.slot import Place
    from tools.profile.given import Given

_READS = {images.COIL: 1, images.DISCRETE: 2, images.HOLDING: 3, images.INPUT: 4}
_TABLES = {code: table for table, code in _READS.items()}
_WORDS_MAX = 16  # registers of a frame made up for a page
_BITS_MAX = 32


@dataclass(slots=True)
class Example:
    """One test as a page shows it: (heading, parts) of each frame, and what came of it.

    `made` says that the test has no frames and these were put together from its registers.
    """

    case: Case
    frames: list[tuple[str, list[Part]]]
    readings: list[tuple[str, Any, str]]  # channel, value in the wire unit, quality
    made: bool = False


def example(given: Given) -> Example | None:
    """Return the test that shows most, with frames of a device if any test has them."""
    cases = given.checked.cases if given.checked else []
    told = [case for case in cases if case.gives and not case.write]
    told.sort(key=lambda case: (bool(case.received), _values(case)), reverse=True)
    for case in told:
        found = _example(given.profile, case)
        if found is not None:
            return found
    return None


def _values(case: Case) -> int:
    return sum(node.value is not None or bool(node.items) for node in case.gives.values())


def _example(profile: Profile, case: Case) -> Example | None:
    image = picture(case, profile, Report("", ""))
    if image is None:
        return None
    try:
        device = profile.device(case.settings)
    except ConfigError:
        return None
    known: dict[str, Any] = {}
    readings = device.decode(image, known)
    places = standing(profile, device, image, known)
    if profile.bus == MODBUS:
        frames, made = _modbus(profile, case, partial(_told, places, known))
    else:
        frames, made = other_frames(profile, case, places, known), False
    return Example(case, frames, readings, made) if frames else None


def _modbus(
    profile: Profile, case: Case, told: Callable[[str, int, int], str]
) -> tuple[list[tuple[str, list[Part]]], bool]:
    """The first request and its answer, put together from an image if the test has no frames."""
    if case.sent:
        sent, received = case.sent[0][1], case.received[0][1]
    elif case.images:
        sent, received = _made_up(profile, *case.images[0])
    else:
        return [], False
    asked = ("The gateway asks", _request(sent))
    return [asked, ("the device answers", _answer(sent, received, told))], not case.sent


def _made_up(profile: Profile, table: str, address: int, data: bytes) -> tuple[bytes, bytes]:
    """The read that brings the first registers of an image, and its answer."""
    count = min(len(data), _BITS_MAX) if table in BIT_TABLES else min(len(data) // 2, _WORDS_MAX)
    request = pdu.read(_READS[table], address, count)
    held = pdu.from_bits(list(data[:count])) if table in BIT_TABLES else data[: 2 * count]
    unit = profile.unit or 1
    return rtu.frame(unit, request.encode()), rtu.frame(unit, request.reply(held))


def _request(frame: bytes) -> list[Part]:
    request = pdu.Request.decode(frame[1:-2])
    table = _TABLES.get(request.function, "")
    what = "bits" if table in BIT_TABLES else "registers"
    return [
        part(frame[:1], f"address {frame[0]}"),
        part(frame[1:2], f"function {request.function}: read {table}"),
        part(frame[2:4], f"from {request.address}"),
        part(frame[4:6], f"{what}: {request.count}"),
        part(frame[-2:], "CRC"),
    ]


def _answer(sent: bytes, frame: bytes, told: Callable[[str, int, int], str]) -> list[Part]:
    request = pdu.Request.decode(sent[1:-2])
    head = [part(frame[:1], f"address {frame[0]}"), part(frame[1:2], f"function {frame[1] & 127}")]
    try:
        data = request.parse(frame[1:-2])
    except Refused as error:
        refused = [part(frame[2:3], f"refused: {error}")]
        return [head[0], part(frame[1:2], "function with the refusal bit"), *refused, _crc(frame)]
    table = _TABLES[request.function]
    parts = [*head, part(frame[2:3], f"bytes that follow: {frame[2]}")]
    step = 1 if table in BIT_TABLES else 2
    per_step = 8 if table in BIT_TABLES else 1
    for at in range(0, len(data), step):
        first = request.address + at // step * per_step
        means = told(table, first, per_step)
        if len(parts) > 3 and parts[-1].means == means:
            parts[-1] = parts[-1].with_more(data[at : at + step])
        else:
            parts.append(part(data[at : at + step], means))
    return [*parts, _crc(frame)]


def _crc(frame: bytes) -> Part:
    return part(frame[-2:], "CRC")


def _told(places: list[Place], known: dict[str, Any], table: str, first: int, count: int) -> str:
    """Return which channels have their bytes in some registers, with their values."""
    found = [
        told_of(place, known)
        for place in places
        if place.channel.table == table
        and (place.address or 0) < first + count
        and (place.address or 0) + place.channel.count > first
    ]
    return "; ".join(found) or "not used"
