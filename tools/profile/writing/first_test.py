"""The first tests of a draft: frames that were pasted, with what they give, or a request to try.

Knows the draft as text; the values come from the decoder, so a person only has to compare them
with the manual.
"""

from __future__ import annotations

import contextlib
import re
from typing import TYPE_CHECKING

from drivers.profile.bus import MODBUS
from drivers.profile.check_cpython import check_text
from drivers.profile.image import BIT_TABLES, COIL, DISCRETE, HOLDING
from drivers.profile.map import places
from drivers.profile.model import load
from drivers.protocol import pdu, rtu
from gateway.core import cbor
from gateway.core.errors import ConfigError
from gateway.core.report_cpython import ERROR, Report
from tools.profile.causes.diagnose import shown
from tools.profile.importing.write import COLUMNS_MAX, scalar
from tools.profile.proof.exchange import picture

if TYPE_CHECKING:
    from typing import Any

    from drivers.profile.cases_cpython import Case
    from drivers.profile.check_cpython import Checked
    from drivers.profile.model import Profile
    from drivers.profile.slot import Place

_FUNCTIONS = {COIL: 1, DISCRETE: 2, HOLDING: 3}
# A test for the form's sake, where a draft has none yet.
_NO_FRAME, _NOTHING = "  - received: '00'", "    gives: nothing"
_COUNT_MAX = 20  # registers of the request proposed; short enough to type off


def lines(head: str, name: str, frames: list[list[str]]) -> list[str]:
    """Return the section `tests` of the draft `head`; ConfigError if a frame is not sound.

    Each of `frames` is a request and its answer as a manual prints them, or a frame alone. Without
    any, the request is there and the answer is left for a person to fill in.
    """
    bare = _checked(head, name, [[_no_registers(head), _NOTHING]])
    first = next(iter(_visible(bare)))
    if not frames:
        return ["tests:", *_proposed(_profile(bare), first)]
    tests = [_frame(one, f"{{{first}: null}}") for one in frames]
    checked = _checked(head, name, tests)
    profile = _profile(checked)
    report = Report(name, _with_tests(head, tests))  # without the warnings about the draft
    found = ["tests:"]
    for one, case in zip(frames, checked.cases, strict=True):
        given = _given(case, profile, checked, report)
        found += _frame(one, "{" + ", ".join(given) + "}")
        if len(found[-1]) > COLUMNS_MAX:
            found[-1:] = ["    gives:", *(f"      {value}" for value in given)]
    return found


def require(head: str, name: str) -> None:
    """Raise ConfigError if the draft `head` has an error of its own."""
    _checked(head, name, [[_no_registers(head), _NOTHING]])


def objection(head: str, name: str, frame: list[str]) -> str:
    """Return what is wrong with a frame for the draft `head`, which is sound; "" if nothing is."""
    checked = check_text(_with_tests(head, [_frame(frame, "nothing")]), name)
    wrong = checked.report
    if not wrong.errors:
        wrong = Report(name, "")
        # A test that expects nothing would let a wrong sum pass.
        checked.cases[0].gives_nothing = False
        with contextlib.suppress(ConfigError):  # it is in the report
            _given(checked.cases[0], _profile(checked), checked, wrong)
    first = next((one for one in wrong.problems if one.severity == ERROR), None)
    if first is None:
        return ""
    return f"{first.message} ({first.hint})" if first.hint else first.message


def _frame(frame: list[str], gives: str) -> list[str]:
    keys = ("sent", "received") if len(frame) == 2 else ("received",)
    body = [f"{key}: {_quoted(part)}" for key, part in zip(keys, frame, strict=True)]
    return [f"  - {body[0]}", *(f"    {line}" for line in body[1:]), f"    gives: {gives}"]


def _quoted(frame: str) -> str:
    digits = "".join(frame.split())
    plain = len(frame.split()) > 1 and all(letter in "0123456789abcdefABCDEF" for letter in digits)
    return frame if plain else scalar(frame)


def _checked(head: str, name: str, tests: list[list[str]]) -> Checked:
    """The draft with these tests, which are not run; ConfigError if it has an error."""
    checked = check_text(_with_tests(head, tests), name)
    checked.report.require()
    return checked


def _with_tests(head: str, tests: list[list[str]]) -> str:
    return head + "\n".join(["tests:", *(line for one in tests for line in one)]) + "\n"


def _no_registers(head: str) -> str:
    """One empty register, by the number that the manual gives the first; or an empty frame."""
    bus = re.search(rf"^{MODBUS}:.*?(?=^\S|\Z)", head, re.M | re.S)
    if bus is None:
        return _NO_FRAME
    base = re.search(r"\bbase: *(\d+)", bus[0])
    return f"  - holding: {{{base[1] if base else 0}: '0000'}}"


def _profile(checked: Checked) -> Profile:
    return load(cbor.encode(checked.document))


def _visible(checked: Checked) -> dict[str, Place]:
    found = {place.id: place for place in places(_profile(checked))}
    return {name: place for name, place in found.items() if not place.channel.hidden}


def _given(case: Case, profile: Profile, checked: Checked, report: Report) -> list[str]:
    """What one frame gives, as "id: value" each; ConfigError with the reason if nothing."""
    image = picture(case, profile, report)
    report.require()
    known: dict[str, Any] = {}
    if image is not None:
        profile.device(case.settings).decode(image, known)
    visible = _visible(checked)
    given = [f"{name}: {_value(visible[name], known[name])}" for name in visible if name in known]
    if not given:
        report.add("E063", case.received[0][0], "no channel of the draft has its bytes here")
        report.require()
    return given


def _value(place: Place, value: Any) -> str:
    if value is None:
        return "null"
    if place.channel.flags is not None and isinstance(value, str):
        return f"[{value.replace(',', ', ')}]"
    return scalar(value) if isinstance(value, str) else shown(value)


def _proposed(profile: Profile, first: str) -> list[str]:
    remark = "    # the device's answer as on the wire, and what the manual says that it means:"
    blank = [f"    gives: {{{first}: }}"]
    if profile.bus != MODBUS:
        return [remark.replace("    #", "  #"), "  - received:", *blank]
    request = _request(profile)
    return [f"  - sent: {request}", remark, "    received:", *blank]


def _request(profile: Profile) -> str:
    """The read of the first channels that stand side by side."""
    fields = next(iter([fields for fields in _fields(profile) if fields]), None)
    if fields is None:
        raise ConfigError("the draft has no channel that can be read")
    table, first = fields[0].table, fields[0].address
    end, most = first, min(_COUNT_MAX, profile.max or _COUNT_MAX)
    for field in fields:
        if field.table == table and first <= field.address <= end:
            last = max(end, field.address + field.count)
            end = last if last - first <= max(most, fields[0].count) else end
    function = _FUNCTIONS.get(table, 4)
    frame = rtu.frame(profile.unit or 1, pdu.read(function, first, end - first).encode())
    words = [frame[:1], frame[1:2], frame[2:4], frame[4:6], frame[6:]]
    assert table in BIT_TABLES or end - first <= pdu.LIMITS[function]
    return " ".join(word.hex().upper() for word in words)


def _fields(profile: Profile) -> list[list[Any]]:
    device = profile.device()
    return [device.fields(period) for period in device.periods()]
