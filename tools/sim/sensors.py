"""A simulated sensor from any profile: registers that start as in its tests and wander slowly.

The profile's own tests are the device: no second description of it. Knows no line and no fault.
"""

from __future__ import annotations

import asyncio
import math
from itertools import pairwise
from typing import TYPE_CHECKING

from drivers.profile.bus import MODBUS
from drivers.profile.check_cpython import check_text
from drivers.profile.compile_cpython import find
from drivers.profile.decode import split_type, words
from drivers.profile.image import BIT_TABLES, HOLDING, TABLES, Image
from drivers.profile.map import places
from drivers.profile.model import load
from drivers.profile.slot import NEVER, ONCE
from gateway.core import cbor
from gateway.core.errors import ConfigError
from gateway.core.reading import GOOD
from tools.profile.proof.exchange import picture
from tools.sim.modbus import Slave
from tools.sim.waves import STEP_S, Wave, is_number, legal, place_of, raw_value

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from pathlib import Path
    from typing import Any

    from drivers.profile.check_cpython import Checked
    from drivers.profile.model import Profile
    from drivers.profile.slot import Place

_TABLES = {3: "holding", 4: "input"}  # function → table; single bits are never special
_FILLER = "SIM"  # a text no test names


class Sensor:
    """One device: `tables` are its registers and bits as they are after `refresh`.

    What can be written keeps what was written. The same seed gives the same values.
    """

    def __init__(
        self, profile: Profile, images: Iterable[Image], chosen: dict[str, Any], seed: int
    ) -> None:
        self.profile = profile
        self.tables: dict[str, dict[int, int]] = {table: {} for table in TABLES}
        self._map = profile.device(chosen)
        self._places = [one for one in places(profile) if one.address is not None]
        # Some registers mean something else when they are read alone, as only a scanner does.
        self.alone: dict[tuple[str, int, int], bytes] = {}
        for image in sorted(images, key=self._told, reverse=True):
            for place in self._places:
                data = image.take(*_spot(place))
                self._fill(place, data)
                if data and place.channel.every_ms == NEVER and _alone(place, image):
                    self.alone[_spot(place)] = data
        for place in self._places:
            self._fill(place, _filler(place))
        for table, address in _written_to(profile):
            self.tables[table].setdefault(address, 0)
        for cells in self.tables.values():
            for low, high in list(pairwise(sorted(cells))):
                if high - low - 1 <= profile.gap:
                    cells.update(dict.fromkeys(range(low + 1, high), 0))
        self._waves = self._wandering(seed)
        self._next_s = -math.inf
        self.refresh(0.0)

    def refresh(self, now_s: float) -> None:
        """Bring the tables to what they hold at `now_s`."""
        if now_s >= self._next_s:
            self._next_s = math.floor(now_s / STEP_S) * STEP_S + STEP_S
            for wave in self._waves:
                self._put(wave.place, wave.packed(wave.raw(self._next_s - STEP_S)))

    def hold(self, name: str, value: Any) -> None:
        """Set a channel to `value` (profile's unit) for good; ConfigError if it cannot be."""
        known: dict[str, Any] = {}
        self._map.decode(self.image(), known)
        place = place_of(self._map, name, known)
        self._put(place, place.channel.layout.pattern(raw_value(place, value)))
        self._waves = [wave for wave in self._waves if wave.place.id != name]

    def image(self) -> Image:
        """Return the tables as a poll of everything would bring them."""
        image = Image()
        for place in self._places:
            table, address, count = _spot(place)
            cells = [self.tables[table][address + i] for i in range(count)]
            image.put(table, address, _data(table, cells))
        return image

    def _told(self, image: Image) -> int:
        known: dict[str, Any] = {}
        self._map.decode(image, known)
        return sum(value is not None for value in known.values())

    def _fill(self, place: Place, data: bytes | None) -> None:
        if data is not None:
            table, address, _ = _spot(place)
            for shift, cell in enumerate(_cells(table, data)):
                self.tables[table].setdefault(address + shift, cell)

    def _put(self, place: Place, data: bytes) -> None:
        table, address, _ = _spot(place)
        self.tables[table].update(enumerate(_cells(table, data), address))

    def _wandering(self, seed: int) -> list[Wave]:
        """Return the waves of what may change: alone in its registers, and legal at both ends."""
        slots = {channel.id: channel.every_ms for channel in self._map.channels}
        image = self.image()
        found = []
        for place in self._places:
            shared = any(_overlap(place, other) for other in self._places)
            if slots.get(place.id, ONCE) == ONCE or shared or not is_number(place):
                continue
            value, quality = place.channel.layout.value(image.take(*_spot(place)) or b"")
            if quality == GOOD:
                found.append(Wave(place, float(value or 0), seed))

        def shown(turn: float) -> list[tuple[str, Any, str]]:
            for wave in found:
                self._put(wave.place, wave.packed(wave.at(turn)))
            rows = self._map.decode(self.image(), {})
            for place in self._places:
                self._put(place, image.take(*_spot(place)) or b"")
            return rows

        return legal(found, shown)


class SensorSlave(Slave):
    """Sensors by unit number on one line; `clock` gives seconds, by default the loop's."""

    def __init__(
        self, sensors: dict[int, Sensor], clock: Callable[[], float] | None = None
    ) -> None:
        super().__init__({unit: dict(sensor.tables) for unit, sensor in sensors.items()})
        self.sensors = sensors
        self._clock = clock or (lambda: asyncio.get_running_loop().time())

    def answer(self, unit: int, message: bytes) -> bytes | None:
        """Return the reply PDU to a request PDU; None if there is no such unit."""
        found = self.sensors.get(unit)
        if found is None:
            return super().answer(unit, message)
        found.refresh(self._clock())
        place = int.from_bytes(message[1:3], "big"), int.from_bytes(message[3:5], "big")
        alone = found.alone.get((_TABLES.get(message[0], ""), *place))
        if alone:
            return bytes((message[0], len(alone))) + alone
        return super().answer(unit, message)


def sensor(profile: str | Path, chosen: dict[str, Any] | None = None, seed: int = 0) -> Sensor:
    """Return a sensor of the profile named "maker/model" or in a file; ConfigError if broken."""
    path = find(profile) if isinstance(profile, str) else profile
    return sensor_of(check_text(path.read_text(), str(path)), chosen, seed)


def sensor_of(checked: Checked, chosen: dict[str, Any] | None = None, seed: int = 0) -> Sensor:
    """Return a sensor of a profile that was checked; ConfigError if it is broken."""
    checked.report.require()
    profile = load(cbor.encode(checked.document))
    if profile.bus != MODBUS:
        raise ConfigError(f"{profile.name} is a {profile.bus} device: it has no registers")
    pictures = [picture(case, profile, checked.report) for case in checked.cases]
    return Sensor(profile, [image for image in pictures if image], chosen or {}, seed)


def _spot(place: Place) -> tuple[str, int, int]:
    assert place.address is not None
    return place.channel.table, place.address, place.channel.count


def _alone(place: Place, image: Image) -> bool:
    table, address, count = _spot(place)
    longer = image.take(table, address - 1, count + 1) or image.take(table, address, count + 1)
    return longer is None


def _overlap(place: Place, other: Place) -> bool:
    table, start, count = _spot(place)
    other_table, other_start, other_count = _spot(other)
    apart = start + count <= other_start or other_start + other_count <= start
    return table == other_table and not apart and _spot(place) != _spot(other)


def _filler(place: Place) -> bytes:
    """Return something legal for registers that no test names."""
    channel = place.channel
    layout = channel.layout
    if channel.table in BIT_TABLES or layout.base in ("bool", "hex") or channel.flags:
        return bytes(channel.count if channel.table in BIT_TABLES else 2 * channel.count)
    if layout.base == "str":
        return layout.pattern(_FILLER[: layout.size])
    raw = 1.0
    if channel.map:
        raw = min(channel.map)
    elif channel.valid and None not in channel.valid and not channel.calc:
        middle = (float(channel.valid[0]) + float(channel.valid[1])) / 2
        raw = (middle - float(channel.offset)) / float(channel.scale)
    return layout.pattern(raw if layout.base == "f" else round(raw))


def _written_to(profile: Profile) -> list[tuple[str, int]]:
    """Return (table, address) of what only writing touches."""
    rows = list(profile.setup)
    for channel in profile.channels:
        rows += (channel.write or {}).get("steps", ())
    found = []
    for row in rows:
        count = words(*split_type(row.get("type", "u16")))
        found += [(row.get("in", HOLDING), row["at"] + i) for i in range(count)]
    for setting in profile.settings:
        if setting.at is not None:
            found += [(setting.table, setting.at + i) for i in range(setting.layout.count)]
    return found


def _cells(table: str, data: bytes) -> list[int]:
    if table in BIT_TABLES:
        return list(data)
    return [data[at] << 8 | data[at + 1] for at in range(0, len(data), 2)]


def _data(table: str, cells: list[int]) -> bytes:
    if table in BIT_TABLES:
        return bytes(cells)
    return b"".join(cell.to_bytes(2, "big") for cell in cells)
