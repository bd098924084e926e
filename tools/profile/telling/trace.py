"""From the bytes of a test to the value that is sent, every step on the way.

Takes the steps that drivers.profile.slot takes, by the same functions, and shows them; a test
holds both together. Knows no file and prints nothing.
"""

from __future__ import annotations

import copy
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from drivers.profile import expr, number
from drivers.profile.decode import arrange
from drivers.profile.image import TABLES
from gateway.core.errors import ConfigError
from gateway.core.reading import GOOD
from gateway.core.report_cpython import Report
from tools.profile.causes.diagnose import shown
from tools.profile.proof.exchange import picture
from tools.profile.telling import where
from tools.profile.telling.formula import infix

if TYPE_CHECKING:
    from typing import Any

    from drivers.profile.cases_cpython import Case
    from drivers.profile.check_cpython import Checked
    from drivers.profile.image import Image
    from drivers.profile.map import Map
    from drivers.profile.model import Channel, Profile
    from drivers.profile.slot import Place


@dataclass(slots=True)
class Trace:
    """How one test's bytes became a value: `steps` of (what was done, what came of it).

    `value` is in the profile's unit, `sent` in the unit of the kind, both None unless good.
    """

    case: Case
    place: Place
    base: int  # of the profile's addresses, which the steps name
    data: bytes | None = None
    steps: list[tuple[str, str]] = field(default_factory=list)
    value: Any = None
    sent: Any = None
    quality: str = GOOD

    def add(self, what: str, result: Any) -> None:
        """Note one step and the value after it."""
        self.steps.append((what, result if isinstance(result, str) else shown(result)))


def traces(checked: Checked, profile: Profile, channel: str) -> list[Trace]:
    """Return a trace for each test whose bytes hold the channel."""
    found = []
    for case in checked.cases:
        if case.write:
            continue
        try:
            device = profile.device(case.settings)
        except ConfigError:
            continue
        trace = _traced(case, device, channel, checked.base)
        if trace is not None:
            found.append(trace)
    return found


def _traced(case: Case, device: Map, channel: str, base: int) -> Trace | None:
    image = picture(case, device.profile, Report("", ""))
    if image is None:
        return None
    known: dict[str, Any] = {}
    touched: dict[str, str] = {}
    device.decode(image, known, touched=touched)
    taken = chosen(device, channel, image, known, touched)
    if taken is None:
        return None
    place, found = taken
    trace = Trace(case, place, base)
    if place.applies(known, device.settings) is None:
        trace.quality = place.lacking(known, device.settings, touched)
        _conditions(trace, known, device.settings, f"no value: {trace.quality}")
        return trace
    _conditions(trace, known, device.settings, True)
    if isinstance(found, str):
        trace.quality = found
        trace.add("reading", f"no value: {found}")
        return trace
    value, trace.quality = place.outcome(found, known, device.settings, touched)
    _steps(trace, found, known, device.settings)
    trace.value, trace.sent = value, place.on_the_wire(value)
    return trace


def chosen(
    device: Map, channel: str, image: Image, known: dict[str, Any], touched: dict[str, str]
) -> tuple[Place, bytes | str] | None:
    """Return the alternative that decoding took, and what it found there; None if none."""
    for place in device.places(channel):
        if place.applies(known, device.settings) is False:
            continue
        found = place.look(image, touched)
        if found is not None:
            return place, found
        if place.channel.table in TABLES:
            return None  # what another register says is not asked before this one is read
    return None


def _conditions(trace: Trace, known: dict[str, Any], settings: dict[str, Any], result: Any) -> None:
    if trace.place.when:
        _operands(trace, trace.place.when, known, settings)
        trace.add(f"if {infix(trace.place.when)}", result)


def _steps(trace: Trace, data: bytes, known: dict[str, Any], settings: dict[str, Any]) -> None:
    channel = trace.place.channel
    value: Any = None
    if trace.place.address is not None:
        trace.data = data
        value, good = _raw(trace, channel, data)
        if not good:
            return
        value = _meant(trace, channel, value)
        if value is None:
            trace.add("meaning", "no value: the map does not hold it")
            return
    if trace.place.calc:
        value = expr.evaluate(trace.place.calc, known, settings, value)
        _operands(trace, trace.place.calc, known, settings)
        trace.add(f"calc {infix(trace.place.calc)}", value)
    if value is None or isinstance(value, (bool, str)):
        return
    if channel.round is not None:
        value = number.rounded(value, channel.round)
        trace.add(f"round {channel.round}", value)
    if channel.valid:
        low, high = ("" if end is None else str(end) for end in channel.valid)
        inside = "inside" if trace.quality == GOOD else f"no value: {trace.quality}"
        trace.add(f"valid {low}..{high}", inside)


def _raw(trace: Trace, channel: Channel, data: bytes) -> tuple[Any, bool]:
    """The bytes up to `none`: the raw value, and whether it is one."""
    layout = channel.layout
    if where.is_text(channel):
        trace.add(where.where(trace.place, trace.base), data.decode())
    else:
        trace.add(where.where(trace.place, trace.base), data.hex(" ").upper())
        ordered = arrange(data, layout.order)
        if ordered != data:
            trace.add(f"order {layout.order}", ordered.hex(" ").upper())
    plain = copy.copy(layout)
    plain.none = []
    value, _ = plain.value(data)
    if layout.bits and layout.bits[0] == layout.bits[1]:
        name = f"bit {layout.bits[0]} of {where.type_name(channel)}"
    elif layout.bits:
        name = "bits {}..{} of {}".format(*layout.bits, where.type_name(channel))
    else:
        name = where.type_name(channel)
    trace.add(name, value)
    if layout.none:
        is_none = layout.value(data)[0] is None
        trace.add("none", "this stands for: no value" if is_none else "not one of those")
    return value, layout.value(data)[0] is not None


def _meant(trace: Trace, channel: Channel, value: Any) -> Any:
    if channel.map is not None:
        value = channel.map.get(int(value)) if isinstance(value, (bool, int)) else None
        if value is not None:
            trace.add("map", value)
    elif channel.flags is not None and isinstance(value, int):
        names = [channel.flags[bit] for bit in sorted(channel.flags) if value >> bit & 1]
        value = ",".join(names)
        trace.add("flags", value or "none of them")
    elif channel.linear and not isinstance(value, (bool, str)):
        scaled = number.times(value, channel.scale)
        value = None if scaled is None else number.plus(scaled, channel.offset)
        times = f"× {channel.scale}" if channel.scale != 1 else ""
        plus = f"+ {channel.offset}" if channel.offset != 0 else ""
        trace.add(f"{times} {plus}".strip().replace("+ -", "- "), value)
    return value


def _operands(
    trace: Trace, code: list[Any], known: dict[str, Any], settings: dict[str, Any]
) -> None:
    names = dict.fromkeys(expr.operands(code))
    values = {name: known[name] if name in known else settings.get(name) for name in names}
    if values:
        trace.add("with", ", ".join(f"{name} = {shown(one)}" for name, one in values.items()))
