"""A sensor whose profile declares its frames: it sends them by itself, or when it is asked.

The frames of the profile's tests are the pattern: numbers in them wander, the check sum is made
anew. Knows bytes; knows no line.
"""

from __future__ import annotations

import math
import re
from itertools import pairwise
from typing import TYPE_CHECKING

from drivers.frames import Frames
from drivers.profile.image import Image
from drivers.profile.map import places
from drivers.protocol import checksum
from drivers.protocol.frame import Shape, Splitter
from gateway.core.decimal import Decimal
from gateway.core.errors import BadReply, ConfigError, Refused
from gateway.core.reading import GOOD
from gateway.core.record import Record
from tools.sim.waves import STEP_S, Wave, is_number, legal, place_of, raw_value

if TYPE_CHECKING:
    from typing import Any

    from drivers.profile.cases_cpython import Case
    from drivers.profile.model import Profile
    from drivers.profile.slot import Place

_NUMBER = re.compile(rb"[-+]?[0-9]+(?:\.[0-9]+)?")


class Spot(Record):
    """Where one place stands in a frame: bytes `start` to `end`."""

    __slots__ = ("end", "place", "start")

    def __init__(self, place: Place, start: int, end: int) -> None:
        self.place = place
        self.start = start
        self.end = end


class FrameSensor:
    """A device of a profile with frames; `streams` are the messages it sends by itself.

    ConfigError if no test shows a frame of a message, as then nobody knows what it looks like.
    """

    def __init__(
        self, profile: Profile, cases: list[Case], chosen: dict[str, Any], seed: int, still: bool
    ) -> None:
        self.profile = profile
        self._map = profile.device(chosen)
        self._frames = Frames(profile, self._map.settings)
        self._sent = _sent(cases)
        self._scripts = self._read(cases, seed)
        self._still = still
        self._held: dict[str, Any] = {}
        asked = {request.message for request in self._frames.asks()}
        self.streams = [name for name in self._scripts if name not in asked]

    def frame(self, message: str, now_s: float) -> bytes:
        """Return the frame of a message as it is at `now_s`."""
        script = self._scripts[message]
        if self._still:
            return script.with_raw(self._held)
        at_s = math.floor(now_s / STEP_S) * STEP_S
        raw = {wave.place.id: wave.raw(at_s) for wave in script.waves}
        return script.with_raw({**raw, **self._held})

    def hold(self, name: str, value: Any) -> None:
        """Set a channel to `value` (profile's unit) for good; ConfigError if it cannot be."""
        place = place_of(self._map, name, self._known())
        raw = raw_value(place, value)
        script = next((one for one in self._scripts.values() if one.spot(name)), None)
        if script is None:
            raise ConfigError(f"no frame of the tests holds {name}")
        script.with_raw({name: raw})  # ConfigError if it does not fit
        self._held[name] = raw

    def sends(self, now_s: float) -> list[tuple[bytes, str]]:
        """Return the frames it sends by itself each period, and what they are called."""
        return [(self.frame(name, now_s), _called(name)) for name in self.streams]

    def answer(self, got: bytes, now_s: float) -> tuple[bytes, str] | None:
        """Return the answer to the request that `got` ends with, None as long as there is none."""
        for sent, message in self._sent.items():
            if got.endswith(sent) and message in self._scripts:
                return self.frame(message, now_s), _called(message)
        for start in range(len(got)):
            for request in self._frames.asks():
                if not request.refusal(got[start:]):
                    if request.message not in self._scripts:
                        return b"", f"no test shows message {request.message!r}"
                    return self.frame(request.message, now_s), _called(request.message)
        return None

    def _known(self) -> dict[str, Any]:
        known: dict[str, Any] = {}
        for message in self._scripts:
            image = Image()
            self._frames.put(image, self.frame(message, 0.0), message=message)
            self._map.decode(image, known)
        return known

    def _read(self, cases: list[Case], seed: int) -> dict[str, _Script]:
        best: dict[str, tuple[int, bytes]] = {}
        for case in cases:
            for _, data in () if case.gives_nothing else case.received:
                for message, frame in self._cut(data, case.message):
                    told = sum(value is not None for value in self._decoded(message, frame))
                    if message not in best or told > best[message][0]:
                        best[message] = told, frame
        if not best:
            raise ConfigError("no test of the profile shows a frame: there is nothing to play")
        rows = {row["id"]: row for row in self.profile.messages}
        return {
            message: _Script(self, message, frame, rows[message], seed)
            for message, (_, frame) in best.items()
        }

    def _cut(self, data: bytes, message: str | None) -> list[tuple[str, bytes]]:
        rows = [row for row in self.profile.messages if message in (None, row["id"])]
        shapes = [Shape(row) for row in rows]
        for row, shape in zip(rows, shapes, strict=True):
            if not shape.refusal(data):
                return [(row["id"], data)]
        splitter = Splitter([shape for shape in shapes if shape.bounded])
        return [(rows[number]["id"], frame) for number, frame in splitter.feed(data)]

    def _decoded(self, message: str, frame: bytes) -> list[Any]:
        return [value for _, value, _ in self.rows(message, frame)]

    def rows(self, message: str, frame: bytes) -> list[tuple[str, Any, str]]:
        """Return what the profile makes of a frame, as Map.decode does."""
        image = Image()
        try:
            self._frames.put(image, frame, message=message)
        except (BadReply, Refused):
            return []
        return self._map.decode(image, {})

    def spots(self, message: str, frame: bytes, row: dict[str, Any]) -> list[Spot]:
        """Return where the profile's places stand in a frame of `message`."""
        image = Image()
        self._frames.put(image, frame, message=message)
        columns = _columns(frame, row) if "as" in row else []
        found = []
        for place in places(self.profile):
            channel = place.channel
            if place.address is None or not channel.readable:
                continue
            if channel.layout.take(image, channel.table, place.address) is None:
                continue
            if "as" in row:
                found.append(_text_spot(place, frame, columns))
            else:
                start = place.address if place.address >= 0 else len(frame) + place.address
                found.append(Spot(place, start, start + channel.count))
        return found


class _Script:
    """One message: the frame of a test, where its values stand, and which of them wander."""

    def __init__(
        self, sensor: FrameSensor, message: str, frame: bytes, row: dict[str, Any], seed: int
    ) -> None:
        self._frame = frame
        self._row = row
        self._spots = sensor.spots(message, frame, row)
        candidates = [self._wave(spot, seed) for spot in self._alone() if is_number(spot.place)]
        waves = [wave for wave in candidates if wave is not None]

        def shown(turn: float) -> list[tuple[str, Any, str]]:
            raw = {wave.place.id: wave.at(turn) for wave in waves}
            return sensor.rows(message, self.with_raw(raw))

        self.waves = legal(waves, shown)

    def spot(self, name: str) -> Spot | None:
        """Return where a channel stands, None if not in this message."""
        return next((one for one in self._spots if one.place.id == name), None)

    def with_raw(self, raw: dict[str, Any]) -> bytes:
        """Return the frame with raw values by channel; ConfigError if one does not fit."""
        made = self._frame
        # From the end: a text may change its length.
        for spot in sorted(self._spots, key=lambda one: -one.start):
            if spot.place.id in raw:
                was = made[spot.start : spot.end]
                now = self._packed(spot.place, raw[spot.place.id], was)
                made = made[: spot.start] + now + made[spot.end :]
        return mend(made, self._row)

    def _packed(self, place: Place, raw: Any, was: bytes) -> bytes:
        layout = place.channel.layout
        if layout.base == "decimal":
            return _as_written(float(raw), was, "length" in self._row)
        if layout.base == "f" or isinstance(raw, str):
            return layout.pattern(raw)
        return layout.pattern(round(float(raw)))

    def _alone(self) -> list[Spot]:
        ordered = sorted(self._spots, key=lambda one: (one.start, one.end))
        shared = {
            spot.place.id
            for pair in pairwise(ordered)
            if pair[0].end > pair[1].start
            for spot in pair
        }
        return [one for one in ordered if one.place.id not in shared]

    def _wave(self, spot: Spot, seed: int) -> Wave | None:
        value, quality = spot.place.channel.layout.value(self._frame[spot.start : spot.end])
        fits = quality == GOOD and isinstance(value, (int, Decimal))
        return Wave(spot.place, float(value), seed) if fits and value is not None else None


def _called(message: str) -> str:
    return f"message {message}" if message else "the message"


def mend(frame: bytes, row: dict[str, Any]) -> bytes:
    """Return the frame with the check sum that its message wants."""
    check = row.get("check")
    if check is None:
        return frame
    text = "as" in row
    end = _end(row)
    body = frame[: len(frame) - len(end)]
    size = checksum.SIZES[check["is"]] * (2 if text else 1)
    before = body[: len(body) - size]
    covered = before[:-1] if text and before[-1:] in (b"*", b"\x03") else before
    found = checksum.compute(check["is"], covered[check.get("from", 0) :], check.get("seed", 0))
    return before + (found.hex().upper().encode() if text else found) + end


def _end(row: dict[str, Any]) -> bytes:
    usual = b"\n" if "as" in row and "length" not in row else b""
    end: bytes = row.get("end", usual)
    return end


def _columns(frame: bytes, row: dict[str, Any]) -> list[tuple[int, int]]:
    """Return where the columns of a text message stand."""
    text = frame[: len(frame) - len(_end(row))].decode("latin-1")
    if "check" in row:
        text = text[: len(text) - 2 * checksum.SIZES[row["check"]["is"]]].rstrip("*\x03")
    split = row.get("split", "")
    if split.strip():
        spans, at = [], 0
        for part in text.split(split):
            spans.append((at, at + len(part)))
            at += len(part) + len(split)
    else:
        spans = [one.span() for one in re.finditer(r"\S+" if split else r"(?s)\S.*\S|\S", text)]
    return [_stripped(text, *span) for span in spans]


def _stripped(text: str, start: int, end: int) -> tuple[int, int]:
    part = text[start:end]
    return start + len(part) - len(part.lstrip()), end - len(part) + len(part.rstrip())


def _text_spot(place: Place, frame: bytes, columns: list[tuple[int, int]]) -> Spot:
    assert place.address is not None
    start, end = columns[place.address]
    match = getattr(place.channel.layout, "match", None)
    if match is not None:
        found = match.search(frame[start:end].decode("latin-1"))
        if found:
            start, end = start + found.start(1), start + found.end(1)
    number = _NUMBER.search(frame[start:end])
    if number and place.channel.layout.base == "decimal":
        start, end = start + number.start(), start + number.end()
    return Spot(place, start, end)


def _as_written(value: float, was: bytes, fixed: bool) -> bytes:
    """Return a number in the style of another: sign, decimals, leading zeros."""
    text = was.decode()
    digits = text.lstrip("+-")
    decimals = len(digits.partition(".")[2])
    made = f"{abs(value):.{decimals}f}"
    if fixed or (digits[:1] == "0" and digits[1:2].isdigit()):
        made = made.zfill(len(digits))
    sign = "-" if value < 0 else "+" if text[:1] == "+" else ""
    return (sign + made).encode()


def _sent(cases: list[Case]) -> dict[bytes, str]:
    """Return the requests of tests that name their message."""
    found = {}
    for case in cases:
        for _, sent in case.sent:
            if case.message is not None:
                found[sent] = case.message
    return found
