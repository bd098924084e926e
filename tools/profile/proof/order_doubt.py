"""A test that holds, with a value that only another order of bytes would make look right.

Who copies both the frame and what his own reading makes of it proves nothing. Knows no file.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from tools.profile.causes import plausible, variants
from tools.profile.causes.diagnose import shown

if TYPE_CHECKING:
    from typing import Any

    from drivers.profile.cases_cpython import Case
    from drivers.profile.map import Map
    from drivers.profile.model import Image
    from drivers.profile.slot import Place
    from gateway.core.report_cpython import Report

WIDE = 4  # bytes: below, order is bytes within a register, which hardly anyone swaps


def doubt(case: Case, device: Map, image: Image, known: dict[str, Any], report: Report) -> None:
    """Warn of each value of `case` that is odd as it is and usual in another order."""
    for name, node in case.gives.items():
        for place in device.places(name):
            found = _found(device, image, known, place)
            if found is not None:
                verdict, order, value = found
                message = f"{name} is {shown(verdict.value)}: {verdict.reason}"
                report.add("W034", node, message, f"with order {order} it would be {shown(value)}")
                break


def _found(
    device: Map, image: Image, known: dict[str, Any], place: Place
) -> tuple[plausible.Verdict, str, Any] | None:
    layout = place.channel.layout
    if place.address is None or layout.width * layout.count < WIDE or not _numbers(place):
        return None
    verdict = plausible.judge(device, image, known, place)
    if verdict is None or verdict.value is None or verdict.points >= 0:
        return None
    for variant in variants.orders(place.channel):
        with variants.read_otherwise(device, place.channel, variant):
            other = plausible.judge(device, image, variants.decoded(device, image), place)
        # Bytes that stand the wrong way round often give a float so small that it is 0.
        if other is not None and other.value and other.points >= 0:
            return verdict, variant.order, other.value
    return None


def _numbers(place: Place) -> bool:
    return place.channel.layout.base in ("u", "s", "f")
