"""Runs the tests of a profile: frames and register images in, values and frames out.

What does not hold is added to the profile's report, at the place in the file that says otherwise.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from drivers import frames
from drivers.modbus import write_request
from drivers.profile.bus import MODBUS
from drivers.profile.model import Map, Profile, load
from drivers.profile.write import channel_steps
from drivers.protocol import rtu
from gateway.core import cbor
from gateway.core.errors import ConfigError
from gateway.core.report_cpython import Report, TooMany
from gateway.core.source_cpython import LIST, SCALAR
from tools.profile.causes.diagnose import Diagnosis, Trial, shown
from tools.profile.proof import order_doubt
from tools.profile.proof.exchange import picture, sound

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from typing import Any

    from drivers.profile.cases_cpython import Case, Frame
    from drivers.profile.check_cpython import Checked
    from drivers.profile.image import Send, Step
    from gateway.core.decimal import Number
    from gateway.core.source_cpython import Node

TOLERANCE = 1e-6  # relative: what a manual rounds when it prints a float


class Outcome:
    """How many tests ran and failed, and how many values and frames they compared."""

    def __init__(self) -> None:
        self.tests = 0
        self.failed = 0
        self.compared = 0


def run(checked: Checked) -> Outcome:
    """Run every test of a checked profile; failures go into its report."""
    outcome = Outcome()
    if checked.document is None:
        return outcome
    profile = load(cbor.encode(checked.document))
    diagnosis = Diagnosis(_trials(checked.cases, profile), checked.base)
    for case in checked.cases:
        before = checked.report.errors
        outcome.tests += 1
        try:
            outcome.compared += _run_case(case, profile, checked.report, diagnosis)
        except TooMany:
            outcome.failed += 1
            break
        outcome.failed += checked.report.errors > before
    return outcome


def _run_case(case: Case, profile: Profile, report: Report, diagnosis: Diagnosis) -> int:
    try:
        device = profile.device(case.settings)
    except ConfigError as error:
        report.add("E063", case.node, f"the settings are refused: {error}")
        return 0
    if case.write:
        return _write(case, device, report, diagnosis)
    image = picture(case, profile, report)
    known: dict[str, Any] = {}
    if image is not None:
        device.decode(image, known)
    elif not case.gives_nothing:
        return 0  # the bytes are wrong, and it has been said
    if case.gives_nothing:
        given = sorted(name for name in known if known[name] is not None)
        if given:
            report.add("E063", case.node, f"nothing was to come of it, but {given[0]} has a value")
        return 1
    before = report.errors
    for name, node in case.gives.items():
        _compare(name, node, known.get(name), report, diagnosis)
    if image is not None and report.errors == before:
        order_doubt.doubt(case, device, image, known, report)
    return len(case.gives)


def _trials(cases: Iterable[Case], profile: Profile) -> Iterator[Trial]:
    """Yield what a diagnosis compares: the tests that give values, as far as they are sound."""
    told_elsewhere = Report("", "")
    for case in cases:
        if not case.gives:
            continue
        try:
            device = profile.device(case.settings)
        except ConfigError:
            continue
        image = picture(case, profile, told_elsewhere)
        if image is not None:
            yield Trial(
                device, image, {name: partial(_same, case.gives[name]) for name in case.gives}
            )


def _compare(name: str, node: Node, value: Any, report: Report, diagnosis: Diagnosis) -> None:
    if _same(node, value):
        return
    wanted = str([item.text for item in node.items]) if node.kind == LIST else node.text
    message = f"{name} is {shown(value)}, the test says {wanted}"
    nothing = node.kind == SCALAR and node.value is None  # of which there is much everywhere
    report.add("E063", node, message, "" if nothing else diagnosis.hint(name, wanted))


def _same(node: Node, value: Any) -> bool:
    if node.kind == LIST:
        names = {item.text for item in node.items}
        return isinstance(value, str) and set(filter(None, value.split(","))) == names
    wanted = node.value
    if wanted is None or value is None:
        return node.kind == SCALAR and wanted is None and value is None
    if isinstance(value, bool) or isinstance(wanted, bool):
        return value is wanted
    if isinstance(value, str):
        return node.text == value
    return not isinstance(wanted, str) and close(wanted, value)


def close(one: Number, other: Number) -> bool:
    """Return whether two numbers are the same to TOLERANCE."""
    a, b = float(one), float(other)
    return abs(a - b) <= TOLERANCE * max(abs(a), abs(b))


def _write(case: Case, device: Map, report: Report, diagnosis: Diagnosis) -> int:
    compared = 0
    for name, node in case.write.items():
        try:
            steps = _steps(device, name, node.value)
        except ConfigError as error:
            hint = diagnosis.write_hint(device, name, partial(_sends, device, name, node, case))
            report.add("E063", node, f"{name} cannot be written: {error}", hint)
            continue
        if len(steps) != len(case.sends):
            message = f"the write makes {len(steps)} requests, the test has {len(case.sends)}"
            report.add("E063", node, message)
            continue
        for step, frame in zip(steps, case.sends, strict=True):
            compared += 1
            if device.profile.bus != MODBUS:
                _check_send(device.profile, step, frame, report)
                continue
            if not sound(frame, report, True):
                continue
            made = _frame(step, frame[1][0])
            if made != frame[1]:
                hint = diagnosis.write_hint(device, name, partial(_sends, device, name, node, case))
                report.add("E063", frame[0], f"the write sends {made.hex().upper()}", hint)
    return compared


def _check_send(profile: Profile, step: Send, frame: Frame, report: Report) -> None:
    """Compare what a step sends on a bus of frames with what the test says."""
    node, wanted = frame
    try:
        refusal = frames.write_request(profile, step).refusal(wanted, "the write sends")
    except ConfigError as error:
        refusal = str(error)
    if refusal:
        report.add("E062" if refusal.startswith(frames.SUM_IS) else "E063", node, refusal)


def _sends(device: Map, name: str, node: Node, case: Case) -> bool:
    """Return whether the write sends what its test says; ConfigError if it cannot be made."""
    steps = _steps(device, name, node.value)
    wanted = [frame for _, frame in case.sends]
    made = [_frame(step, wanted[0][0]) for step in steps]
    return made == wanted


def _frame(step: Step, unit: int) -> bytes:
    made = bytes((unit,)) + write_request(step).encode()
    return made + rtu.crc(made)


def _steps(device: Map, name: str, value: Any) -> list[Any]:
    # Tests speak the profile's own unit, commands the unit on the wire.
    place = next((one for one in device.places(name) if one.channel.writable), None)
    if place is None:
        raise ConfigError("it is read-only")
    return channel_steps(device.profile, place, place.on_the_wire(value), device.settings)
