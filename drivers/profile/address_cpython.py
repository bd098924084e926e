"""From the number a manual prints to the address on the wire, which counts from 0.

Knows the ways manuals count; knows no device.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from drivers.profile.image import COIL, DISCRETE, HOLDING, INPUT
from drivers.profile.sound import ADDRESS_MAX

if TYPE_CHECKING:
    from gateway.core.report_cpython import Place, Report

REFERENCE = 40001  # as `base`: reference numbers, whose first digit names the table
FIRST = {HOLDING: 40001, INPUT: 30001, DISCRETE: 10001, COIL: 1}


def wire_address(
    at: int, table: str, base: int, place: Place, report: Report, span: int = 1
) -> int | None:
    """Return the wire address of number `at`; None after reporting that `span` do not fit."""
    first = FIRST[table] if base == REFERENCE else base
    address = at - first
    if address < 0:
        message = f"{at} is below {first}, the first number of the table {table}"
        hint = "plain addresses need no base"
        report.add("E024", place, message, hint)
        return None
    if address + span - 1 > ADDRESS_MAX:
        hint = f"does the manual count from {REFERENCE}? base says so"
        if at <= ADDRESS_MAX:
            hint = f"{span} registers from {at} on"
        message = f"this ends at register {address + span - 1}, the last is {ADDRESS_MAX}"
        report.add("E024", place, message, hint)
        return None
    return address
