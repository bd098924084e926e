"""What a whole device says, doubted: which values look wrong, and read how they would look right.

For `profile try`, where nobody knows the value wanted. Pure: knows registers that were read.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from drivers.profile import expr
from gateway.core.record import Record
from tools.profile.causes import plausible, variants
from tools.profile.causes.diagnose import suspects
from tools.profile.causes.variants import crowding, decoded, read_otherwise

if TYPE_CHECKING:
    from typing import Any

    from drivers.profile.image import Image
    from drivers.profile.map import Map
    from drivers.profile.model import Channel
    from drivers.profile.slot import Place
    from tools.profile.causes.plausible import Verdict
    from tools.profile.causes.variants import Variant

SOUGHT_MAX = 40  # doubts for which other readings are sought: a wrong profile has hundreds
GAIN_MIN = 3  # points by which another reading must look better, or we keep to the profile
IDENTIFY = 3  # points for a device that is the profile's by its own rule; as many against


class Reading(Record):
    """One way to read a channel: `variant` (Variant() is the profile's own) and what speaks for it.

    `verdict` is that on the place in doubt, `points` those of all that follows from the channel,
    `likely` sorts readings that look alike.
    """

    __slots__ = ("likely", "points", "variant", "verdict")

    def __init__(
        self, variant: Variant, verdict: Verdict | None, points: int, likely: tuple[int, ...]
    ) -> None:
        self.variant = variant
        self.verdict = verdict
        self.points = points
        self.likely = likely


class Doubt(Record):
    """A channel (or array) that looks wrong: the first place of it that does, and why.

    `readings` are the ways to read it, the plausible ones first, then the profile's own.
    """

    __slots__ = ("channel", "place", "readings", "verdict")

    def __init__(
        self, channel: Channel, place: Place, verdict: Verdict, readings: list[Reading]
    ) -> None:
        self.channel = channel
        self.place = place
        self.verdict = verdict
        self.readings = readings

    @property
    def best(self) -> Reading | None:
        """The other reading that looks clearly better, None if there is none."""
        own = next(one for one in self.readings if not one.variant.kinds)
        found = max(self.readings, key=lambda one: one.points)
        return found if found.points >= own.points + GAIN_MIN else None


def doubted(device: Map, image: Image) -> list[tuple[Channel, Place, Verdict]]:
    """Return every definition with a value that looks wrong, and the first such place of each.

    A device that does not look like the profile's puts the operands of that rule in doubt.
    """
    known = decoded(device, image)
    asked = expr.operands(device.profile.rules) if device.identify(known) is False else []
    found: dict[Channel, tuple[Channel, Place, Verdict]] = {}
    for place in _applying(device, known):
        verdict = plausible.judge(device, image, known, place)
        if verdict is None or place.channel in found:
            continue
        if place.address is not None and place.id in asked and verdict.points <= 0:
            reason = verdict.reason or "it does not look like this device's"
            verdict = plausible.Verdict(plausible.EDGE, reason, verdict.value, verdict.quality)
        if verdict.points < 0:
            found[place.channel] = (place.channel, place, verdict)
    return list(found.values())


def doubts(device: Map, image: Image) -> list[Doubt]:
    """Return what looks wrong, with every other reading that `image` allows to judge.

    Where several readings look alike, the mistake that other channels show too comes first.
    """
    wrong = doubted(device, image)
    orders = _orders(device, image, [channel for channel, _, _ in wrong])
    found = [_doubt(device, image, orders, *one) for one in wrong[:SOUGHT_MAX]]
    for channel, place, verdict in wrong[SOUGHT_MAX:]:
        own = Reading(variants.Variant(), verdict, verdict.points, ())
        found.append(Doubt(channel, place, verdict, [own]))
    votes: dict[Variant, int] = {}
    for doubt in found:
        for reading in _leading(doubt):
            votes[reading.variant] = votes.get(reading.variant, 0) + 1
    for doubt in found:
        doubt.readings.sort(key=lambda one: (-one.points, -votes.get(one.variant, 0), one.likely))
    return found


def _orders(device: Map, image: Image, wrong: list[Channel]) -> set[str]:
    """Return the orders in which wide numbers of the device look right."""
    known = decoded(device, image)
    found = set()
    for place in _applying(device, known):
        if variants.is_wide(place.channel) and place.channel not in wrong:
            verdict = plausible.judge(device, image, known, place)
            if verdict and verdict.points > 0:
                found.add(place.channel.layout.order)
    return found


def _doubt(
    device: Map,
    image: Image,
    orders: set[str],
    channel: Channel,
    place: Place,
    verdict: Verdict,
) -> Doubt:
    """Return the doubt about `channel`, or about what it is computed from if that explains more."""
    first = Doubt(channel, place, verdict, _readings(device, image, orders, channel, place))
    if not first.best:
        for other in suspects(device, place.id):
            readings = _readings(device, image, orders, other, place)
            doubt = Doubt(other, place, verdict, readings)
            if other is not channel and doubt.best:
                return doubt
    return first


def _leading(doubt: Doubt) -> list[Reading]:
    most = max(one.points for one in doubt.readings)
    return [one for one in doubt.readings if one.points == most and one.variant.kinds]


def _readings(
    device: Map, image: Image, orders: set[str], channel: Channel, place: Place
) -> list[Reading]:
    found = []
    others = [] if channel.at is None else variants.singles(channel)
    for variant in [variants.Variant(), *others]:
        with read_otherwise(device, channel, variant):
            known = decoded(device, image)
            verdict = _verdict(device, image, known, place.id)
            if verdict is None and variant.kinds:
                continue
            points = _points(device, image, known, channel)
            partly, wholly = crowding(device, channel)
            settled = channel.layout.order in orders
            likely = (partly, *variants.likelihood(variant, channel, settled), wholly)
            found.append(Reading(variant, verdict, points, likely))
    return found


def _points(device: Map, image: Image, known: dict[str, Any], channel: Channel) -> int:
    """Return the points of a definition and of all that is computed from it."""
    touched = {place.id for place in _applying(device, known) if place.channel.id == channel.id}
    for place in _applying(device, known):
        if touched & set(place.operands):
            touched.add(place.id)
    rules = touched & set(expr.operands(device.profile.rules))
    points = 0
    for place in _applying(device, known):
        if place.id in touched:
            verdict = plausible.judge(device, image, known, place)
            points += verdict.points if verdict else 0
    if rules:
        points += {None: 0, True: IDENTIFY, False: -IDENTIFY}[device.identify(known)]
    return points


def _verdict(device: Map, image: Image, known: dict[str, Any], name: str) -> Verdict | None:
    place = next((one for one in _applying(device, known) if one.id == name), None)
    return None if place is None else plausible.judge(device, image, known, place)


def _applying(device: Map, known: dict[str, Any]) -> list[Place]:
    """Return of every readable channel the alternative that holds."""
    found = []
    for places in variants.alternatives(device):
        for place in places:
            if place.channel.readable and place.applies(known, device.settings) is not False:
                found.append(place)
                break
    return found
