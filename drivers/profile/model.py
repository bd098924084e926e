"""A device profile as the agent holds it, loaded from its compiled form (deterministic CBOR).

Knows what a profile says; knows no bus, no unit number and no site. Arrays stay folded here.
"""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

from drivers.profile import bus, sound
from drivers.profile.decode import ORDERS, Layout
from drivers.profile.folded import CHANNELS_MAX, length
from drivers.profile.image import BIT_TABLES, HOLDING, LATEST, TABLES, Field, Image, Send, Step
from drivers.profile.map import Map
from drivers.profile.plain import plain
from drivers.profile.slot import NEVER, NOTHING, ONCE
from gateway.core import cbor
from gateway.core.errors import BadReply, ConfigError

if TYPE_CHECKING:
    from typing import Any

__all__ = ["NEVER", "ONCE", "Channel", "Field", "Image", "Map", "Profile", "Send", "Step", "load"]

FORMAT = 1  # of the compiled form; a reader refuses any other
DIGEST_BYTES = 8
PLACES_MAX = 8 * CHANNELS_MAX  # with their alternatives


def load(data: bytes) -> Profile:
    """Return the profile in compiled form `data`; BadReply if it is not one."""
    document = cbor.decode(data)
    if not isinstance(document, dict) or document.get("tidegate") != FORMAT:
        raise BadReply("not a compiled profile of this format", data[:16])
    try:
        return Profile(document, hashlib.sha256(data).digest()[:DIGEST_BYTES])
    except (ConfigError, KeyError, TypeError, ValueError, IndexError, AttributeError) as error:
        raise BadReply(f"a compiled profile is broken: {error}", data[:16])


class Profile:
    """What is the same for every device of a model.

    `name`, `maker`, `category` (device category or ""), `digest` (8 bytes), `every_ms`, `bus`,
    `line` (baud parity data stop timeout_ms pause_ms wake sleep window, as far as it names them),
    `unit` (factory address), `max` registers per request or 0, readable `gap`, `messages` (rows
    with `id` and what a frame looks like), `ble` and `driver` (what their sections say).
    """

    def __init__(self, document: dict[str, Any], digest: bytes) -> None:
        sound.check_profile(document)
        self.digest = digest
        self.name: str = document["name"]
        self.maker: str = document.get("maker", "")
        self.category: str = document.get("kind", "")
        self.every_ms: int = document["every"]
        self.bus: str = document["bus"]
        if self.bus not in bus.BUSES:
            raise ConfigError(f"unknown bus {self.bus!r}")
        self.line: dict[str, Any] = document.get("line", {})
        self.messages: list[dict[str, Any]] = document.get("messages", [])
        self.ble: dict[str, Any] = document.get("ble", {})
        self.driver: dict[str, Any] = document.get("driver", {})
        self.unit: int = document.get("unit", 1)
        self.max: int = document.get("max", 0)
        self.gap: int = document.get("gap", 0)
        self.rules: list[Any] = document.get("identify", [])
        self.settings = [Setting(one, self.bus) for one in document.get("settings", [])]
        self.setup: list[dict[str, Any]] = document.get("setup", [])
        self.groups = [(one["step"], one["of"]) for one in document.get("groups", [])]
        layouts: dict[str, Layout] = {}
        self.channels = [Channel(one, self, layouts) for one in document["channels"]]
        _bounded(self)

    def text(self, table: str) -> bool:
        """Return whether a message holds text; LATEST does if all do."""
        if self.bus in bus.TEXT:
            return True
        found = [row for row in self.messages if table in (row["id"], LATEST)]
        return bool(found) and not [row for row in found if "as" not in row]

    def device(self, chosen: dict[str, Any] | None = None, every_ms: int | None = None) -> Map:
        """Return the profile with a site's choice of settings; ConfigError if it is not legal."""
        return Map(self, chosen or {}, self.every_ms if every_ms is None else every_ms)


class Channel:
    """One channel, or array of channels, of a profile: its compiled keys with defaults filled in.

    `id` holds # where the suffix of its array goes and % where that of its group goes.
    """

    def __init__(self, row: dict[str, Any], profile: Profile, layouts: dict[str, Layout]) -> None:
        sound.check_channel(row, profile.bus)
        self.id: str = row["id"]
        self.of: Any = row.get("of")
        self.step: int = row.get("step", 0)
        self.group: int = row.get("group", -1)
        self.at: int | None = row.get("at")
        modbus = profile.bus == bus.MODBUS
        self.table: str = row.get("in", HOLDING if modbus else LATEST)
        if (self.table in TABLES) != modbus:
            raise ConfigError(f"unknown table {self.table!r}")
        if profile.text(self.table):
            from drivers.profile.text import Text  # boards are small: loaded where it is needed

            none, says = row.get("none", []), row.get("says", [])
            self.layout: Layout = Text(row.get("type", ""), row.get("match", ""), none, says)
        else:
            made = _layout(row, self.table, profile.bus)
            # Most channels lie like their neighbours: one layout serves them all.
            self.layout = layouts.setdefault(repr(made), made)
        self.count = self.layout.count
        self.scale: Any = row.get("scale", 1)
        self.offset: Any = row.get("offset", 0)
        odd = self.table in BIT_TABLES or "map" in row or "flags" in row or "round" in row
        self.plain = None if odd else plain(self.layout, self.scale, self.offset)
        self.linear = self.scale != 1 or self.offset != 0
        self.map: dict[int, Any] | None = row.get("map")
        self.flags: dict[int, str] | None = row.get("flags")
        self.calc: list[Any] = row.get("calc", NOTHING)
        self.when: list[Any] = row.get("if", NOTHING)
        self.round: int | None = row.get("round")
        self.valid: list[Any] | None = row.get("valid")  # [lowest or None, highest or None]
        self.every_ms: int | None = row.get("every")
        self.hidden: bool = row.get("hidden", False)
        self.kind: str = row.get("kind", "")
        self.unit: str = row.get("unit", "")  # on the wire
        self.convert: list[Any] | None = row.get("to")  # profile's unit to wire: (v + a) × b / c
        self.write: dict[str, Any] | None = row.get("write")
        self.writable = self.write is not None
        self.readable = self.write is None or not self.write.get("only", False)


class Setting:
    """What a technician chooses: a number by `name`, written to the device if it has `at`."""

    def __init__(self, row: dict[str, Any], bus_name: str = bus.MODBUS) -> None:
        sound.check_setting(row, bus_name)
        self.name: str = row["id"]
        self.at: int | None = row.get("at")
        self.table: str = row.get("in", HOLDING)
        self.layout = _layout(row, self.table, bus_name)
        self.scale: Any = row.get("scale", 1)
        self.offset: Any = row.get("offset", 0)
        self.map: dict[int, str] | None = row.get("map")
        self.default: Any = row.get("default")
        self.lowest: Any = row.get("min")
        self.highest: Any = row.get("max")
        self.secret: bool = row.get("secret", False)
        self.function: int = row.get("with", 0)


def _bounded(profile: Profile) -> None:
    # A map of a device is expanded on the device: a small file must not become a large one.
    count = 0
    for channel in profile.channels:
        if not -1 <= channel.group < len(profile.groups):
            raise ConfigError(f"channel {channel.id!r} is in no group")
        step, of = profile.groups[channel.group] if channel.group >= 0 else (0, None)
        count += length(of) * length(channel.of)
        if channel.at is not None:
            last = (length(of) - 1) * step + (length(channel.of) - 1) * channel.step
            end = channel.at + last + channel.count - 1
            modbus = profile.bus == bus.MODBUS
            if end > sound.ADDRESS_MAX or channel.at < 0 <= end or (modbus and channel.at < 0):
                raise ConfigError(f"channel {channel.id!r} ends beyond what it is read from")
    for setting in profile.settings:
        if setting.at is not None and setting.at + setting.layout.count - 1 > sound.ADDRESS_MAX:
            raise ConfigError(f"setting {setting.name!r} ends beyond {sound.ADDRESS_MAX}")
    if count > PLACES_MAX:
        raise ConfigError(f"{count} places for values are more than {PLACES_MAX}")


def _layout(row: dict[str, Any], table: str, bus_name: str) -> Layout:
    order = row.get("order", bus.default_order(bus_name))
    if order not in ORDERS:
        raise ConfigError(f"unknown order {order!r}")
    bits = row.get("bits")
    pair = (bits[0], bits[1]) if bits else None
    none = row.get("none", NOTHING)
    if bus_name != bus.MODBUS:
        return Layout(row.get("type", "u8"), order, pair, none, 1)
    name = row.get("type", "bool" if table in BIT_TABLES else "u16")
    return Layout(name, order, pair, none)
