"""Whether a value looks like one: what sensors usually say, and how misread numbers look.

Judges one value at a time; knows no cause and no remedy.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from drivers.profile.decode import arrange
from drivers.profile.image import BIT_TABLES
from gateway.core.reading import BAD_REPLY, GOOD, NO_REPLY, OUT_OF_RANGE, REFUSED, SENTINEL
from gateway.core.record import Record

if TYPE_CHECKING:
    from typing import Any

    from drivers.profile.image import Image
    from drivers.profile.map import Map
    from drivers.profile.slot import Place

# Usual values, in the unit sent: wide enough for any site, narrow enough to show a slipped point.
# A kind takes the longest line that begins it. 0 is always usual: an input without a load, no rain.
_KINDS = """
act.drive.frequency 1 600
act.drive.speed 10 30000
act.drive.torque -300 300
act.valve.position 0 100
air.ch4 0.5 50000
air.co 1 100000
air.co2 200 10000
air.humidity 2 100
air.nh3 0.1 100000
air.no2 0.1 10000
air.o2 10 25
air.o3 0.1 5000
air.pm 0.1 2000
air.radon 1 40000
air.so2 0.1 10000
air.temperature -50 70
air.voc_index 1 500
dev.battery 1 100
dev.battery_voltage 1 60
dev.humidity 2 100
dev.rssi -140 -10
dev.supply_voltage 2 60
dev.temperature -40 100
ev.current.limit 5 500
ev.power 10 500000
gw.supply.voltage 2 60
hvac.temperature.setpoint 3 90
hydro.distance 0.01 100
hydro.evaporation 0.01 500
hydro.flow 0.0001 100000
hydro.level -500 6000
hydro.rain 0.005 5000
hydro.soil.moisture 0.5 100
hydro.velocity -15 15
light.dim_level 1 100
light.power 1 2000
met.cloud_base 10 20000
met.dew_point -60 40
met.humidity 2 100
met.illuminance 0.1 200000
met.irradiance -20 1600
met.par 0.1 3000
met.pressure 500 1100
met.temperature -60 60
met.uv_index 0.05 20
met.visibility 1 100000
met.wbgt -20 50
met.wet_bulb -60 50
met.wind.direction 0 365
met.wind.force 0 12
met.wind 0.02 75
noise 15 150
pos.altitude -450 9000
pos.heading 0 360
pos.latitude -90 90
pos.longitude -180 180
rad.dose_rate 0.01 1000
road.temperature -50 80
road.water_film 0.005 50
safety.ch4_lel 0.1 100
safety.o2 1 25
san.bin.level 0 100
san.bin.temperature -40 100
soil.conductivity 0.0001 5
soil.moisture 0.5 100
soil.nitrogen 0.5 5000
soil.permittivity 1 85
soil.ph 3 10
soil.phosphorus 0.5 5000
soil.potassium 0.5 5000
soil.temperature -40 70
structure.tilt -90 90
traffic.speed 1 250
util.battery.cell_voltage 1.5 5
util.battery.current -2000 2000
util.battery.soc 1 100
util.battery.soh 30 110
util.battery.temperature -40 100
util.battery.voltage 1.5 1500
util.elec.angle -360 360
util.elec.apparent_power 0.5 50000000
util.elec.cable_temperature -40 150
util.elec.current -10000 10000
util.elec.frequency 40 70
util.elec.pf -1.05 1.05
util.elec.power -50000000 50000000
util.elec.reactive_power -50000000 50000000
util.elec.thd 0.01 200
util.elec.unbalance 0.01 100
util.elec.voltage 60 1200
util.heat.temperature -30 200
util.heat.temperature_difference -100 150
util.pv.current -500 500
util.pv.module_temperature -40 120
util.pv.voltage 5 1600
util.water.pressure 1000 5000000
util.water.temperature -5 100
water.pressure.hydrostatic 0.1 50000
wq.chlorine 0.001 50
wq.conductivity 0.0005 10
wq.do 0.05 25
wq.do.saturation 1 300
wq.orp -1500 1500
wq.ph 1 14
wq.salinity 0.01 80
wq.temperature -5 60
wq.turbidity 0.01 4500
"""
_UNITS = """
%EL 0 100
%RH 0 100
/100 -1000 1000
A -10000 10000
Cel -100 1000
Hz 0.001 100000
V -50000 50000
deg -360 360
hPa 0.01 1000000
kWh 0.0001 10000000000
m -1000 10000
m/s -100 100
mm -10000 100000
pH 0 14
"""
FLOAT_MIN, FLOAT_MAX = 1e-6, 1e9  # a float beyond is no measurement but other bytes

# How much a sign speaks for a value or against it; below 0 it is doubted.
NOTHING, FORM, RANGE, ODD, EDGE, USUAL, LEGAL = -4, -4, -3, -3, -2, 2, 1


class Verdict(Record):
    """What there is to say of one value: `points` below 0 are doubt, and `reason` says why."""

    __slots__ = ("points", "quality", "reason", "value")

    def __init__(self, points: int, reason: str, value: Any, quality: str) -> None:
        self.points = points
        self.reason = reason
        self.value = value
        self.quality = quality


def judge(device: Map, image: Image, known: dict[str, Any], place: Place) -> Verdict | None:
    """Return the verdict on one place; None if the image says nothing about it."""
    channel = place.channel
    if place.address is None:
        value = known.get(place.id)
        return None if value is None else _usual(place, value)
    data = channel.layout.take(image, channel.table, place.address)
    if data is None:
        why = image.why(channel.table, place.address, channel.count)
        return None if why is None else Verdict(NOTHING, _MISSING.get(why, why), None, why)
    value, quality = place.outcome(data, known, device.settings, {})
    if quality != GOOD:
        return _absent(place, data, quality)
    odd = _odd(place, data)
    verdict = _usual(place, value)
    if odd:
        return Verdict(min(verdict.points, ODD), odd, value, quality)
    return verdict


def usual(kind: str, unit: str) -> tuple[float, float] | None:
    """Return what values of a kind, or else of a unit, usually lie between, None if unknown."""
    for end in range(len(kind), 0, -1):
        if kind[:end] in BY_KIND:
            return BY_KIND[kind[:end]]
    return BY_UNIT.get(unit)


_MISSING = {
    REFUSED: "the device refuses to read it",
    NO_REPLY: "no answer",
    BAD_REPLY: "broken answers",
}


def _usual(place: Place, value: Any) -> Verdict:
    channel = place.channel
    wire = place.on_the_wire(value)
    if isinstance(wire, (bool, str)) or wire is None or channel.map is not None:
        return Verdict(LEGAL if channel.map is not None else 0, "", value, GOOD)
    number = float(wire)
    if number == 0:
        return Verdict(0, "", value, GOOD)
    span = usual(channel.kind, channel.unit)
    if span is None:
        return Verdict(0, "", value, GOOD)
    if span[0] <= number <= span[1]:
        return Verdict(USUAL if span != BY_UNIT.get(channel.unit) else LEGAL, "", value, GOOD)
    what = channel.kind or channel.unit
    reason = f"{what} usually lies between {span[0]:g} and {span[1]:g} {channel.unit}".rstrip(" /")
    return Verdict(RANGE, reason, value, GOOD)


def _absent(place: Place, data: bytes, quality: str) -> Verdict:
    if quality == OUT_OF_RANGE:
        raw, _ = place.channel.layout.value(data)
        return Verdict(NOTHING, f"the raw value {raw} is outside of what is valid", None, quality)
    base = place.channel.layout.base
    declared = bool(place.channel.layout.none)
    if quality == SENTINEL and not declared and base in _NO_FORM:
        return Verdict(FORM, _NO_FORM[base], None, quality)
    return Verdict(0, "", None, quality)


_NO_FORM = {
    "f": "these bytes are no number (NaN, infinite or beyond every quantity)",
    "bcd": "these bytes are no decimal digits",
    "sbcd": "these bytes are no decimal digits",
    "str": "these bytes are no printable text",
}


def _odd(place: Place, data: bytes) -> str:
    """Return how a raw number looks as if it was read wrong, or ""."""
    channel = place.channel
    layout = channel.layout
    if channel.map is not None or channel.flags is not None or layout.bits is not None:
        return ""
    raw, quality = layout.value(data)
    if quality != GOOD or isinstance(raw, (bool, str)) or raw is None:
        return ""
    if layout.base == "f":
        return _odd_float(float(raw), arrange(data, layout.order))
    if layout.base not in ("u", "s") or channel.table in BIT_TABLES or layout.size < 16:
        return ""
    number = int(float(raw))
    top = 1 << layout.size
    if not channel.unit and not channel.kind:
        return ""  # a code may be any number
    if layout.size >= 32 and number & 0xFFFF in (0, 0xFFFF) and number >> 16 not in (0, -1):
        return f"{number} has an empty low word: are the words swapped?"
    if layout.base == "s" and abs(number) > top // 2 - top // 128:
        return f"{number} is near the end of {layout.base}{layout.size}"
    if layout.base == "u" and number > top - top // 128:
        return f"{number} would be {number - top} if it were signed"
    return ""


def _odd_float(number: float, pattern: bytes) -> str:
    is_zero = not any(pattern[1:]) and pattern[0] in (0, 0x80)
    if is_zero or FLOAT_MIN <= abs(number) <= FLOAT_MAX:
        return ""
    return f"floats of sensors lie between {FLOAT_MIN:g} and {FLOAT_MAX:g}"


def _ranges(text: str) -> dict[str, tuple[float, float]]:
    rows = [line.split() for line in text.strip().splitlines()]
    return {name: (float(low), float(high)) for name, low, high in rows}


BY_KIND = _ranges(_KINDS)
BY_UNIT = _ranges(_UNITS)
