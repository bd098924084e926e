"""A site joined with its profiles: which devices hang where, what they are asked, what it costs.

Everything that can be wrong before anything runs is found here. Opens nothing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from drivers.line import Line
from drivers.modbus import ModbusDevice
from drivers.modbus_unit import ModbusBus
from drivers.profile.bus import MODBUS
from drivers.profile.plan import Range, demand, serial_cost, tcp_cost
from drivers.window import WIDTH_MAX, Window
from gateway.agent.demand import of as demand_of
from gateway.core.errors import ConfigError, LinkError
from gateway.core.reading import BULK, CRIT, Point
from gateway.core.record import Record

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from drivers.profile.map import Map
    from drivers.profile.model import Profile
    from drivers.profile.plan import Cost
    from gateway.agent.demand import Demand
    from gateway.site import Bus, Device, Site

    # "device digest" → [table, address, count] of each range the device refuses.
    Refused = dict[str, list[list[Any]]]

# Modbus over Serial Line V1.02 §2.5.1: 9600 baud; most sensors are sold as 8N1, not as 8E1.
LINE: dict[str, Any] = {"baud": 9600, "parity": "none", "data": 8, "stop": 1}
TCP = "tcp"  # the framing of Modbus TCP; the others are a serial line's
MODBUS_PORT = 502


class Wired(Record):
    """A device of the site with its profile's `map` and `digest`."""

    __slots__ = ("device", "digest", "map")

    def __init__(self, device: Device, digest: bytes, map_: Map) -> None:
        self.device = device
        self.digest = digest
        self.map = map_

    @property
    def unit(self) -> int:
        """Its address: the site's word, else the one the maker sells it with."""
        return self.map.profile.unit if self.device.unit is None else self.device.unit

    @property
    def points(self) -> list[Point]:
        """The value streams of the device, in the profile's order."""
        return [
            Point(
                f"{self.device.name}/{channel.id}",
                channel.kind,
                channel.unit,
                CRIT if channel.id in self.device.alarm else BULK,
                max(channel.every_ms, 0),
            )
            for channel in self.map.channels
            if channel.readable
        ]


class WiredBus(Record):
    """A bus of the site: its `line` (baud, parity, data, stop) agreed on, and its devices."""

    __slots__ = ("bus", "line", "wired")

    def __init__(self, bus: Bus, line: dict[str, Any], wired: list[Wired]) -> None:
        self.bus = bus
        self.line = line
        self.wired = wired

    @property
    def serial(self) -> bool:
        return "://" not in self.bus.port

    @property
    def width(self) -> int:
        """How many exchanges may be in flight: the least of what the site and each profile say."""
        if self.bus.framing != TCP:
            return 1
        unsaid = self.bus.window or 1
        said: list[int] = [one.map.profile.line.get("window", unsaid) for one in self.wired]
        return min(said + [self.bus.window or WIDTH_MAX])

    @property
    def address(self) -> tuple[str, int]:
        """Host and port of a bus behind TCP."""
        host, _, port = self.bus.port.split("://", 1)[1].partition(":")
        return host, int(port or MODBUS_PORT)

    @property
    def cost(self) -> Cost:
        """What a request takes on this bus; behind a serial server it is the serial line's."""
        if self.bus.framing == TCP:
            return tcp_cost()
        return serial_cost(self.bus.framing, self.line["baud"], char_bits(self.line))

    def devices(self, line: Line | Window, refused: Refused | None = None) -> list[ModbusDevice]:
        """Return the devices, ready to be polled over `line`; `refused` is what they once were."""
        known = refused or {}
        whole = not self.serial and self.bus.framing != TCP
        bus = ModbusBus(self.bus.name, line, self.bus.framing, self.cost, whole)
        return [
            ModbusDevice(
                one.device.name,
                bus,
                one.map,
                one.unit,
                [Range(*place) for place in known.get(f"{one.device.name} {one.digest.hex()}", [])],
            )
            for one in self.wired
        ]


class Plan(Record):
    """A whole site joined: its `buses`, and `demands`: what each is asked for.

    `problems` and `warnings` are (device or bus name, sentence).
    """

    __slots__ = ("buses", "demands", "problems", "warnings")

    def __init__(
        self,
        buses: list[WiredBus],
        problems: list[tuple[str, str]],
        warnings: list[tuple[str, str]],
        demands: list[Demand],
    ) -> None:
        self.buses = buses
        self.problems = problems
        self.warnings = warnings
        self.demands = demands

    @property
    def points(self) -> list[Point]:
        """All value streams of the site."""
        return [point for bus in self.buses for one in bus.wired for point in one.points]


def make(site: Site, find: Callable[[str], Profile]) -> Plan:
    """Join `site` with the profiles: `find` loads one by name, anew each time, or ConfigError."""
    problems: list[tuple[str, str]] = []
    buses = [_bus(bus, find, problems) for bus in site.buses]
    demands = [_demand(bus) for bus in buses]
    problems += [(one.bus, one.problem()) for one in demands if one.problem()]
    fit = [one for one in demands if not one.problem()]
    warnings = [(one.bus, one.warning()) for one in fit if one.warning()]
    return Plan(buses, problems, warnings, demands)


def load_us(devices: list[ModbusDevice]) -> int:
    """Return how many microseconds of every second the devices need their bus."""
    return sum([demand(device.loads()) for device in devices], 0)


def is_refused(found: Any) -> bool:
    """Return whether `found`, from a file anyone may have damaged, has the form of Refused."""
    if not isinstance(found, dict):
        return False
    for name in found:
        if not isinstance(found[name], list):
            return False
        for place in found[name]:
            if not isinstance(place, list) or [type(part) for part in place] != [str, int, int]:
                return False
    return True


def char_bits(line: dict[str, Any]) -> int:
    """Return the bits of a character on the wire: start, data, parity, stop."""
    parity = int(line["parity"] != "none")
    return 1 + int(line["data"]) + parity + int(line["stop"])


def _bus(bus: Bus, find: Callable[[str], Profile], problems: list[tuple[str, str]]) -> WiredBus:
    wired: list[Wired] = []
    for device in bus.devices:
        try:
            wired.append(_wire(bus, device, find(device.profile)))
        except ConfigError as error:
            problems.append((device.name, str(error)))
    _check_units(wired, problems)
    return WiredBus(bus, _agreed_line(bus, wired, problems), wired)


def _demand(bus: WiredBus) -> Demand:
    return demand_of(bus.bus.name, bus.devices(Line(closed)), bus.width)


def _wire(bus: Bus, device: Device, profile: Profile) -> Wired:
    if profile.bus != MODBUS:
        told = f"speaks {profile.bus}, which this version decodes, but does not poll yet"
        raise ConfigError(f"profile {device.profile} {told}")
    profile.line.update(bus.line)  # the site knows the line better than the profile …
    profile.line.update(device.line)  # … and the device in its place better still
    profile.max = device.max or profile.max
    digest = profile.digest.hex()
    if device.pin and device.pin != digest:
        raise ConfigError(f"profile {device.profile} is {digest}, pinned is {device.pin}")
    map_ = profile.device(device.settings, device.every_ms or None)
    known = [channel.id for channel in map_.channels]
    for name in device.alarm:
        if name not in known:
            raise ConfigError(f"alarm channel {name!r} is not in {device.profile}")
    return Wired(device, profile.digest, map_)


def _check_units(wired: list[Wired], problems: list[tuple[str, str]]) -> None:
    taken: dict[int, str] = {}
    for one in wired:
        if one.unit in taken:
            text = f"unit {one.unit} is {taken[one.unit]!r} already: addresses are unique on a bus"
            problems.append((one.device.name, text))
        taken[one.unit] = one.device.name


def _agreed_line(bus: Bus, wired: list[Wired], problems: list[tuple[str, str]]) -> dict[str, Any]:
    """Return the line the profiles agree on, with the usual values where they say nothing."""
    line = dict(LINE)
    if bus.framing == TCP:
        return line
    for key in sorted(LINE):
        first = None
        for one in wired:
            value = one.map.profile.line.get(key, LINE[key])
            if first is None:
                first = one.device.name
                line[key] = value
            elif value != line[key]:
                text = f"{first} wants {key} {line[key]}, {one.device.name} wants {value}: "
                problems.append((one.device.name, text + f"set {key} on bus {bus.name}"))
    return line


async def closed() -> Any:
    """Stand for a transport where only plans and costs are wanted."""
    raise LinkError("a plan opens no transport")
