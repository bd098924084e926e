"""Runs the tests of a profile: frames and register images in, values and frames out.

What does not hold is added to the profile's report, at the place in the file that says otherwise.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from drivers.modbus import write_request
from drivers.profile import image as images
from drivers.profile.model import Image, Map, Profile, load
from drivers.profile.write import channel_steps
from drivers.protocol import pdu, rtu
from gateway.core import cbor
from gateway.core.errors import BadReply, ConfigError, Refused
from gateway.core.reading import REFUSED
from gateway.core.report_cpython import Report, TooMany
from gateway.core.source_cpython import LIST, SCALAR
from tools.profile.diagnose import Diagnosis, Trial, shown

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from typing import Any

    from drivers.profile.cases_cpython import Case, Frame
    from drivers.profile.check_cpython import Checked
    from drivers.profile.image import Step
    from gateway.core.decimal import Number
    from gateway.core.source_cpython import Node

TOLERANCE = 1e-6  # relative: what a manual rounds when it prints a float
_TABLES = {1: images.COIL, 2: images.DISCRETE, 3: images.HOLDING, 4: images.INPUT}
_FRAME_MIN = 4  # unit, function, CRC


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


def picture(case: Case, report: Report) -> Image | None:
    """Return what the bytes of a test put into the registers; None if they must be rejected."""
    image = Image()
    for table, address, data in case.images:
        image.put(table, address, data)
    pairs = list(zip(case.sent, case.received, strict=True))
    sound = [_exchange(image, case, *pair, report) for pair in pairs]
    return image if all(sound) else None


def _run_case(case: Case, profile: Profile, report: Report, diagnosis: Diagnosis) -> int:
    try:
        device = profile.device(case.settings)
    except ConfigError as error:
        report.add("E063", case.node, f"the settings are refused: {error}")
        return 0
    if case.write:
        return _write(case, device, report, diagnosis)
    image = picture(case, report)
    known: dict[str, Any] = {}
    if image is not None:
        device.decode(image, known)
    if case.gives_nothing:
        given = sorted(name for name in known if known[name] is not None)
        if given:
            report.add("E063", case.node, f"nothing was to come of it, but {given[0]} has a value")
        return 1
    for name, node in case.gives.items():
        _compare(name, node, known.get(name), report, diagnosis)
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
        image = picture(case, told_elsewhere)
        if image is not None:
            yield Trial(
                device, image, {name: partial(_same, case.gives[name]) for name in case.gives}
            )


def _exchange(image: Image, case: Case, sent: Frame, received: Frame, report: Report) -> bool:
    """Put one answer into the image; return whether it is sound."""
    if not _sound(sent, report, True) or not _sound(received, report, not case.gives_nothing):
        return False
    request_node, request_frame = sent
    node, answer = received
    try:
        request = pdu.Request.decode(request_frame[1:-2])
        if request.function not in _TABLES:
            raise ConfigError(f"function {request.function} does not read")
    except (Refused, ConfigError) as error:
        report.add("E064", request_node, f"this is no read request: {error}")
        return False
    table = _TABLES[request.function]
    if answer[0] != request_frame[0]:
        if not case.gives_nothing:
            message = f"unit {answer[0]} answers, unit {request_frame[0]} was asked"
            report.add("E064", node, message)
        return False
    try:
        data = request.parse(answer[1:-2])
    except Refused:
        image.fail(table, request.address, request.count, REFUSED)
        return True
    except BadReply as error:
        if not case.gives_nothing:
            report.add("E064", node, f"this does not answer the request: {error}")
        return False
    if table in images.BIT_TABLES:
        data = bytes(pdu.bits(data, request.count))
    image.put(table, request.address, data)
    return True


def _sound(frame: Frame, report: Report, wanted: bool) -> bool:
    """Return whether a frame's CRC is right; report it with the right one if it is `wanted`."""
    node, data = frame
    if len(data) < _FRAME_MIN:
        report.add("E062", node, f"{len(data)} bytes are no frame")
        return False
    right = rtu.crc(data[:-2])
    if right == data[-2:]:
        return True
    if wanted:
        message = f"the CRC is {_hex(data[-2:])}, these bytes have {_hex(right)}"
        report.add("E062", node, message, "a digit is mistyped, here or in the manual")
    return False


def _compare(name: str, node: Node, value: Any, report: Report, diagnosis: Diagnosis) -> None:
    if _same(node, value):
        return
    wanted = str([item.text for item in node.items]) if node.kind == LIST else node.text
    message = f"{name} is {shown(value)}, the test says {wanted}"
    report.add("E063", node, message, diagnosis.hint(name, wanted))


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
            if not _sound(frame, report, True):
                continue
            made = _frame(step, frame[1][0])
            if made != frame[1]:
                hint = diagnosis.write_hint(device, name, partial(_sends, device, name, node, case))
                report.add("E063", frame[0], f"the write sends {_hex(made)}", hint)
    return compared


def _sends(device: Map, name: str, node: Node, case: Case) -> bool:
    """Return whether the write sends what its test says; ConfigError if it cannot be made."""
    steps = _steps(device, name, node.value)
    wanted = [frame for _, frame in case.sends]
    made = [_frame(step, wanted[0][0]) for step in steps]
    return made == wanted


def _frame(step: Step, unit: int) -> bytes:
    made = bytes((unit,)) + write_request(step).encode()
    return made + rtu.crc(made)


def _steps(device: Map, name: str, value: Any) -> list[Step]:
    # Tests speak the profile's own unit, commands the unit on the wire.
    place = next((one for one in device.places(name) if one.channel.writable), None)
    if place is None:
        raise ConfigError("it is read-only")
    return channel_steps(place, place.on_the_wire(value), device.settings)


def _hex(data: bytes) -> str:
    return data.hex().upper()
