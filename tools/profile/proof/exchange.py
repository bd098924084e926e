"""What the bytes of a test bring: frames checked as on the wire, and put into an image.

Reports frames that are not what they should be; knows no value.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from drivers.frames import SUM_IS, Frames
from drivers.profile import image as images
from drivers.profile.bus import MODBUS
from drivers.profile.model import Image
from drivers.profile.write import chosen_settings
from drivers.protocol import pdu, rtu
from gateway.core.errors import BadReply, ConfigError, Refused
from gateway.core.reading import REFUSED

if TYPE_CHECKING:
    from drivers.profile.cases_cpython import Case, Frame
    from drivers.profile.model import Profile
    from gateway.core.report_cpython import Report

_TABLES = {1: images.COIL, 2: images.DISCRETE, 3: images.HOLDING, 4: images.INPUT}
_FRAME_MIN = 4  # unit, function, CRC
# How the protocols' readers begin where they tell the right sum.
_WRONG_SUMS = (SUM_IS, "the CRC is", "the check character is")
_MISTYPED = "a digit is mistyped, here or in the manual"


def picture(case: Case, profile: Profile, report: Report) -> Image | None:
    """Return what the bytes of a test bring; None if they must be rejected, or are not sound."""
    image = Image()
    for table, address, data in case.images:
        image.put(table, address, data)
    if profile.bus == MODBUS:
        exchanged = [
            _modbus(image, case, *pair, report)
            for pair in zip(case.sent, case.received, strict=True)
        ]
        return image if all(exchanged) else None
    try:
        frames = Frames(profile, chosen_settings(profile.settings, case.settings))
    except ConfigError as error:
        report.add("E070", case.node, f"the messages of this profile: {error}")
        return None
    sent: list[Frame | None] = [*case.sent] or [None] * len(case.received)
    taken = [
        _frame(image, case, frames, *pair, report) for pair in zip(sent, case.received, strict=True)
    ]
    return image if all(taken) else None


def sound(frame: Frame, report: Report, wanted: bool) -> bool:
    """Return whether a frame's CRC is right; report it with the right one if it is `wanted`."""
    node, data = frame
    if len(data) < _FRAME_MIN:
        hint = "unit, function, data and two bytes of CRC"
        report.add("E062", node, f"{len(data)} bytes are no frame", hint)
        return False
    right = rtu.crc(data[:-2])
    if right == data[-2:]:
        return True
    if wanted:
        message = f"the CRC is {_hex(data[-2:])}, these bytes have {_hex(right)}"
        turned = right == data[:-3:-1]
        hint = "the two bytes are exchanged: the low one goes first" if turned else _MISTYPED
        report.add("E062", node, message, hint)
    return False


def _frame(
    image: Image, case: Case, frames: Frames, sent: Frame | None, received: Frame, report: Report
) -> bool:
    """Put one frame into the image; return whether it is sound."""
    if sent is not None and not _asked(case, frames, sent, report):
        return False
    node, frame = received
    try:
        frames.put(image, frame, sent[1] if sent else None, case.message)
    except Refused:
        return True  # the device's own word for no: nothing came
    except BadReply as error:
        if not case.gives_nothing:
            wrong_sum = str(error).startswith(_WRONG_SUMS)
            code, hint = ("E062", _MISTYPED) if wrong_sum else ("E064", "")
            report.add(code, node, str(error), hint)
        return False
    return True


def _asked(case: Case, frames: Frames, sent: Frame, report: Report) -> bool:
    """Return whether a request is one the profile makes, as far as the profile makes them."""
    node, data = sent
    requests = frames.asks(case.message)
    if not requests and not frames.profile.messages:
        return True  # the protocol's to make
    refusals = [one.refusal(data) for one in requests] or ["the profile asks nothing"]
    if "" in refusals:
        return True
    told = [one for one in refusals if one.startswith(SUM_IS)]
    if told:
        report.add("E062", node, told[0], _MISTYPED)
    else:
        more = f", or for other messages: {len(refusals) - 1}" if len(refusals) > 1 else ""
        report.add("E065", node, refusals[0] + more)
    return False


def _modbus(image: Image, case: Case, sent: Frame, received: Frame, report: Report) -> bool:
    """Put one answer into the image; return whether it is sound."""
    if not sound(sent, report, True) or not sound(received, report, not case.gives_nothing):
        return False
    request_node, request_frame = sent
    node, answer = received
    try:
        request = pdu.Request.decode(request_frame[1:-2])
        if request.function not in _TABLES:
            raise ConfigError(f"function {request.function} does not read")
    except (Refused, ConfigError) as error:
        hint = "a test of a write has 'write' and 'sends'"
        report.add("E064", request_node, f"this is no read request: {error}", hint)
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


def _hex(data: bytes) -> str:
    return data.hex().upper()
