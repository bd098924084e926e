"""Values to writes, of registers or bytes: channels, settings and the setup of a device.

Knows limits, units and write functions; does not know whether a device took the value.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from drivers.profile import expr, number
from drivers.profile.bus import default_order
from drivers.profile.decode import Layout
from drivers.profile.image import BIT_TABLES, HOLDING, Field, Send, Step
from gateway.core.decimal import Decimal
from gateway.core.errors import ConfigError

if TYPE_CHECKING:
    from typing import Any

    from drivers.profile.image import Image
    from drivers.profile.model import Channel, Profile, Setting
    from drivers.profile.slot import Place

WRITE_COIL, WRITE_REGISTER, WRITE_COILS, WRITE_REGISTERS = 5, 6, 15, 16


def chosen_settings(settings: list[Setting], chosen: dict[str, Any]) -> dict[str, Any]:
    """Return every setting's value, labels turned into their numbers; ConfigError if illegal."""
    names = [setting.name for setting in settings]
    for name in sorted(chosen):
        if name not in names:
            known = ", ".join(names) or "none"
            raise ConfigError(f"unknown setting {name!r}; the profile has: {known}")
    found = {one.name: _chosen(one, chosen.get(one.name, one.default)) for one in settings}
    for one in settings:
        if one.at is not None and found[one.name] is not None:
            _setting_bytes(one, found[one.name])  # who chose it learns now that it does not fit
    return found


def channel_steps(
    profile: Profile, place: Place, value: Any, settings: dict[str, Any]
) -> list[Any]:
    """Return the steps (Step, or Send) that set one channel to `value`, given in its wire unit."""
    channel = place.channel
    how = channel.write or {}
    if not isinstance(value, (bool, int, Decimal, str)):
        raise ConfigError(f"channel {channel.id!r} cannot be set to {value!r}")
    profile_value = _from_wire(channel, value)
    _limits(channel.id, profile_value, how.get("min"), how.get("max"))
    raw = _raw(profile_value, channel.map, channel.scale, channel.offset, channel.layout)
    steps = how.get("steps")
    if steps is None:
        assert place.address is not None
        data = channel.layout.pattern(raw)
        function = how.get("with", 0)
        return [_step(channel.table, place.address, data, function, 0, channel.readable)]
    found: list[Any] = []
    for row in steps:
        if "send" in row:
            found.append(_send(profile, row, settings, {}, raw))
            continue
        shift = 0 if place.address is None else place.address - (channel.at or 0)
        item = expr.evaluate(row["value"], {}, settings, raw)
        found.append(_row_step(row, item, row["at"] + shift))
    return found


def setting_fields(settings: list[Setting]) -> list[Field]:
    """Return where the settings live in the device."""
    fields = []
    for setting in settings:
        if setting.at is not None:
            fields.append(Field(setting.table, setting.at, setting.layout.count, ()))
    return fields


def setup_steps(
    profile: Profile, settings: dict[str, Any], known: dict[str, Any], image: Image | None
) -> list[Any]:
    """Return the settings that `image` does not already hold, then the setup that applies."""
    steps: list[Any] = []
    for setting in profile.settings:
        value = settings[setting.name]
        if setting.at is None or value is None:
            continue
        data = _setting_bytes(setting, value)
        step = _step(setting.table, setting.at, data, setting.function, 0, True)
        held = image.take(setting.table, setting.at, setting.layout.count) if image else None
        if held != (bytes(step.values) if setting.table in BIT_TABLES else data):
            steps.append(step)
    for row in profile.setup:
        if "if" in row and not expr.evaluate(row["if"], known, settings):
            continue
        if "send" in row:
            steps.append(_send(profile, row, settings, known))
            continue
        value = expr.evaluate(row["value"], known, settings)
        if value is not None:
            steps.append(_row_step(row, value, row["at"]))
    return steps


def filled(
    profile: Profile, parts: list[Any], text: bool, settings: dict[str, Any], value: bytes = b""
) -> list[Any]:
    """Return the parts of an `ask` or `send` with settings and `value` in their places.

    What is left in braces is the driver's to fill. ConfigError for a setting that does not fit.
    """
    found: list[Any] = []
    for part in parts:
        name = part[1:] if isinstance(part, str) else ""
        if name == "value":
            found.append(value)
        elif name in settings:
            layout = next(one.layout for one in profile.settings if one.name == name)
            if settings[name] is None:
                raise ConfigError(f"setting {name!r} must be chosen")
            found.append(_written(settings[name], layout, text))
        else:
            found.append(part)
    return found


def _send(
    profile: Profile,
    row: dict[str, Any],
    settings: dict[str, Any],
    known: dict[str, Any],
    x: Any = None,
) -> Send:
    text, value = "as" in row, b""
    if "value" in row:
        wanted = expr.evaluate(row["value"], known, settings, x)
        if wanted is None:
            raise ConfigError("the value to send cannot be computed")
        order = row.get("order", default_order(profile.bus))
        value = _written(wanted, Layout(row.get("type", "u8"), order, None, [], 1), text)
    return Send(filled(profile, row["send"], text, settings, value), row.get("wait", 0))


def _written(value: Any, layout: Layout, text: bool) -> bytes:
    """Return a value as it is sent: in the layout's bytes, or as a text has it."""
    if not text:
        return layout.pattern(value)
    return str(int(value) if isinstance(value, bool) else value).encode()


def _chosen(setting: Setting, value: Any) -> Any:
    if value is None:
        if setting.secret:
            return None
        raise ConfigError(f"setting {setting.name!r} must be chosen")
    if setting.map is not None and isinstance(value, str):
        for code in sorted(setting.map):
            if setting.map[code] == value:
                return code
        labels = ", ".join([setting.map[code] for code in sorted(setting.map)])
        raise ConfigError(f"setting {setting.name!r} is {value!r}, not one of: {labels}")
    if setting.map is not None and value not in setting.map:
        raise ConfigError(f"setting {setting.name!r} is {value}, which its map does not hold")
    if isinstance(value, bool):
        return int(value) if setting.at is not None else value
    _limits(f"setting {setting.name}", value, setting.lowest, setting.highest)
    return value


def _setting_bytes(setting: Setting, value: Any) -> bytes:
    raw = _raw(value, None, setting.scale, setting.offset, setting.layout)
    return setting.layout.pattern(raw)


def _from_wire(channel: Channel, value: Any) -> Any:
    if channel.convert is None or isinstance(value, (bool, str)):
        return value
    shifted = number.scaled(value, channel.convert[2], channel.convert[1])
    result = None if shifted is None else number.minus(shifted, channel.convert[0])
    if result is None:
        raise ConfigError(f"{value} is beyond what channel {channel.id!r} can hold")
    return result


def _limits(name: str, value: Any, lowest: Any, highest: Any) -> None:
    if lowest is None and highest is None:
        return
    if isinstance(value, (bool, str)):
        raise ConfigError(f"{name}: {value!r} is no number")
    if (lowest is not None and number.less(value, lowest)) or (
        highest is not None and number.less(highest, value)
    ):
        raise ConfigError(f"{name}: {value} is outside {lowest}..{highest}")


def _raw(value: Any, labels: Any, scale: Any, offset: Any, layout: Layout) -> Any:
    if labels is not None:
        for code in sorted(labels):
            if labels[code] == value:
                return code
        raise ConfigError(f"{value!r} is not one of: {', '.join(_texts(labels))}")
    if isinstance(value, (bool, str)) or not isinstance(value, (int, Decimal)):
        return value
    shifted = number.minus(value, offset)
    raw = None if shifted is None else number.over(shifted, scale)
    if raw is None:
        raise ConfigError(f"{value} is beyond what the register can hold")
    if layout.base not in ("f", "decimal"):
        return number.rounded(raw, 0)  # the nearest step the device has
    return raw


def _texts(labels: dict[int, Any]) -> list[str]:
    return [str(labels[code]) for code in sorted(labels)]


def _row_step(row: dict[str, Any], value: Any, address: int) -> Step:
    table = row.get("in", HOLDING)
    layout = Layout(row.get("type", "u16"), row.get("order", "ABCD"), None, [])
    data = layout.pattern(value)
    return _step(table, address, data, row.get("with", 0), row.get("wait", 0), False)


def _step(
    table: str, address: int, data: bytes, function: int, wait_ms: int, read_back: bool
) -> Step:
    if table in BIT_TABLES:
        values: tuple[int, ...] = (1 if any(data) else 0,)  # 0xFF00 is how Modbus says on
        return Step(table, function or WRITE_COIL, address, values, wait_ms, read_back)
    values = tuple([data[at] << 8 | data[at + 1] for at in range(0, len(data), 2)])
    if not function:
        function = WRITE_REGISTER if len(values) == 1 else WRITE_REGISTERS
    return Step(table, function, address, values, wait_ms, read_back)
