"""Frames of buses whose profile or protocol says how they are put together, byte by byte.

Knows marks, lengths, sums, columns and identifiers; knows no Modbus and decodes nothing.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from drivers.frames import Frames
from drivers.profile.bus import named_by_protocol
from drivers.profile.image import LATEST
from drivers.profile.map import places
from drivers.profile.write import chosen_settings
from drivers.protocol import checksum
from drivers.protocol.frame import Shape
from gateway.core.errors import TidegateError
from tools.profile.causes.diagnose import shown
from tools.profile.telling.trace import chosen

if TYPE_CHECKING:
    from typing import Any

    from drivers.profile.cases_cpython import Case
    from drivers.profile.image import Image
    from drivers.profile.map import Map
    from drivers.profile.model import Profile
    from drivers.profile.slot import Place

UNUSED = "not used"
_SHOWN_MAX = 64  # bytes of a telegram; what it holds follows


@dataclass(frozen=True, slots=True)
class Part:
    """Some bytes of a frame, in hex or as text, and what they are."""

    shown: str
    means: str
    size: int

    def with_more(self, data: bytes) -> Part:
        """Return the same with more bytes of the same meaning behind it."""
        return Part(f"{self.shown} {_hex(data)}", self.means, self.size + len(data))


def part(data: bytes, means: str) -> Part:
    """Return bytes with their meaning."""
    return Part(_hex(data), means, len(data))


def standing(profile: Profile, device: Map, image: Image, known: dict[str, Any]) -> list[Place]:
    """Return the place in `image` from which each channel of `known` has its value, or the lack."""
    names = dict.fromkeys(place.id for place in places(profile) if place.id in known)
    taken = [chosen(device, name, image, known, {}) for name in names]
    return [place for place, _ in filter(None, taken) if place.address is not None]


def told_of(place: Place, known: dict[str, Any]) -> str:
    """Return a channel with its value in the unit that is sent: "power 230 W"."""
    sent = place.on_the_wire(known[place.id])
    if sent is None:
        return f"{place.id} without a value"
    text = (sent or "none") if isinstance(sent, str) else shown(sent)
    return f"{place.id} {text} {place.channel.unit}".rstrip()


def other_frames(
    profile: Profile, case: Case, standing_at: list[Place], known: dict[str, Any]
) -> list[tuple[str, list[Part]]]:
    """Return the first frames of a test on a bus other than Modbus, each with its parts."""
    if not case.received:
        return []
    frame = case.received[0][1]
    found: list[tuple[str, list[Part]]] = []
    if case.sent:
        sent = case.sent[0][1]
        found.append(("The gateway asks", [Part(_text(sent), "request", len(sent))]))
    heading = "the device answers" if case.sent else "The device sends"
    if named_by_protocol(profile.bus, profile.ble.get("format", "")):
        parts = _telegram(profile, case, frame, standing_at, known)
    else:
        parts = _declared(profile, case, frame, standing_at, known)
    return [*found, (heading, parts)] if parts else []


def _declared(
    profile: Profile, case: Case, frame: bytes, standing_at: list[Place], known: dict[str, Any]
) -> list[Part]:
    row = _row(profile, case, frame)
    if row is None:
        return []
    mine = [place for place in standing_at if place.channel.table in (row["id"], LATEST)]
    if "as" in row:
        columns = Shape(row).parts(frame)
        return _columns([str(one) for one in columns], mine, known)
    means = [UNUSED] * len(frame)
    for first, size, word in _marks(row, frame):
        means[first : first + size] = [word] * size
    for place in mine:
        at = place.address or 0
        first = at if at >= 0 else len(frame) + at
        for index in range(first, first + place.channel.count):
            told = told_of(place, known)
            means[index] = f"{means[index]}; {told}" if means[index] != UNUSED else told
    return _joined(frame, means)


def _row(profile: Profile, case: Case, frame: bytes) -> dict[str, Any] | None:
    """The message a frame is, as the profile declares it; a driver's are whatever it says."""
    if not profile.messages:
        return {"id": case.message or LATEST}
    for row in profile.messages:
        if case.message in (None, row["id"]) and not Shape(row).refusal(frame):
            return row
    return None


def _marks(row: dict[str, Any], frame: bytes) -> list[tuple[int, int, str]]:
    found = [(0, len(one), "start") for one in row.get("start", []) if frame.startswith(one)]
    for at, fixed in row.get("bytes", []):
        found.append((at if at >= 0 else len(frame) + at, len(fixed), "fixed"))
    length = row.get("length")
    if isinstance(length, dict) and "at" in length:
        size = int(length.get("type", "u8")[1:]) // 8
        found.append((length["at"], size, "length"))
    end = len(frame) - len(row.get("end", b""))
    if end < len(frame):
        found.append((end, len(frame) - end, "end"))
    if "check" in row:
        size = checksum.SIZES[row["check"]["is"]]
        found.append((end - size, size, f"check sum {row['check']['is']}"))
    return found


def _joined(frame: bytes, means: list[str]) -> list[Part]:
    parts: list[Part] = []
    for index, word in enumerate(means):
        data = frame[index : index + 1]
        if parts and parts[-1].means == word:
            parts[-1] = parts[-1].with_more(data)
        else:
            parts.append(part(data, word))
    return parts


def _columns(columns: list[str], mine: list[Place], known: dict[str, Any]) -> list[Part]:
    found = []
    for index, text in enumerate(columns):
        here = [place for place in mine if place.address in (index, index - len(columns))]
        told = "; ".join(told_of(place, known) for place in here)
        found.append(Part(text, told or UNUSED, len(text)))
    return found


def _telegram(
    profile: Profile, case: Case, frame: bytes, standing_at: list[Place], known: dict[str, Any]
) -> list[Part]:
    """The whole frame, and each value under the identifier the protocol gives it."""
    try:
        telegram = Frames(profile, chosen_settings(profile.settings, case.settings)).telegram(
            frame, case.message
        )
    except TidegateError:
        return []
    if telegram is None:
        return []
    whole = frame[:_SHOWN_MAX]
    cut = f" and {len(frame) - len(whole)} bytes more" if len(frame) > len(whole) else ""
    parts = [Part(_text(whole), f"the whole frame{cut}", len(frame))]
    unused = 0
    for name, held in telegram.items:
        mine = [place for place in standing_at if place.channel.table == name]
        if isinstance(held, bytes):
            told = "; ".join(told_of(place, known) for place in mine)
            found = [Part(_hex(held), told or UNUSED, 0)]
        else:
            found = _columns(held, mine, known)
        unused += sum(one.means == UNUSED for one in found)
        used = [one for one in found if one.means != UNUSED]
        parts += [Part(one.shown, f"{name}: {one.means}" if name else one.means, 0) for one in used]
    return [*parts, Part("…", f"values that are {UNUSED}: {unused}", 0)] if unused else parts


def _text(data: bytes) -> str:
    """Bytes as text where they are one, with what cannot be seen as in the profile."""
    text = data.decode("ascii", "replace")
    if all(letter.isprintable() or letter in "\r\n" for letter in text) and "\ufffd" not in text:
        return text.replace("\r", "\\r").replace("\n", "\\n")
    return _hex(data)


def _hex(data: bytes) -> str:
    return data.hex(" ").upper()
