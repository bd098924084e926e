"""A meter whose protocol names its values: it answers requests with the telegrams of its tests.

For DL/T 645, CJ/T 188, M-Bus, IEC 62056-21 and SDI-12. Nothing wanders: a telegram is repeated
word for word. Knows no line.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from drivers.protocol import cjt188, dlt645, mbus, sdi12
from gateway.core.errors import BadReply, ConfigError, Refused

if TYPE_CHECKING:
    from collections.abc import Callable

    from drivers.profile.cases_cpython import Case
    from drivers.profile.model import Profile
    from drivers.protocol.telegram import Telegram

    Answer = tuple[bytes, str]

BUSES = ("dlt645", "cjt188", "mbus", "iec62056", "sdi12")
TEST = "a test of the profile"
_REPLY = 0x80  # bit of the control code of DL/T 645 and CJ/T 188
_ANYBODY = {"A"}  # digits of the address that every meter answers to
_RESET, _DATA = (0x40,), (0x5B, 0x7B)  # SND_NKE, REQ_UD2 (EN 13757-2)
_SDI12_DATA_MAX = 9  # values in one answer to D
_SDI12 = re.compile(rb"([0-9A-Za-z?])(!|I!|[MC]C?[0-9]?!|D[0-9]!|RC?[0-9]!)$")
IDENTIFICATION = b"/SIM5simulated\r\n"  # 5: 9600 baud in mode C; our line keeps its speed


class Meter:
    """A meter of a profile whose tests hold telegrams; ConfigError if they hold none."""

    def __init__(self, profile: Profile, cases: list[Case]) -> None:
        if profile.bus not in BUSES:
            raise ConfigError(f"{profile.bus} devices cannot be played yet")
        self._sent = {
            sent: received
            for case in cases
            for (_, sent), (_, received) in zip(case.sent, case.received, strict=False)
        }
        sound = [case for case in cases if not case.gives_nothing]
        self._telegrams = [
            (case.message or "", data) for case in sound for _, data in case.received
        ]
        if not self._telegrams:
            raise ConfigError("no test of the profile holds a telegram: there is nothing to play")
        self._bus = profile.bus
        self._turn = 0
        self._values: list[str] = []  # what SDI-12 measured and was not asked for yet
        self._tables = sorted({one.table for one in profile.channels if one.table})

    def sends(self, now_s: float) -> list[Answer]:  # noqa: ARG002 - as others do
        """Return what it says by itself: meters with a customer's port (P1) do."""
        if self._bus != "iec62056":
            return []
        return [(data, TEST) for _, data in self._telegrams if data[:1] == b"/"][:1]

    def answer(self, got: bytes, now_s: float) -> Answer | None:  # noqa: ARG002 - as others do
        """Return the answer to the request that `got` ends with, None as long as there is none."""
        for sent, received in self._sent.items():
            if got.endswith(sent):
                return received, TEST
        if self._bus == "sdi12":
            return self._sdi12(got)
        if self._bus == "iec62056":
            return self._iec62056(got)
        read: dict[str, Callable[[bytes], Telegram]] = {
            "dlt645": dlt645.read,
            "cjt188": cjt188.read,
            "mbus": mbus.read,
        }
        for start in range(len(got)):
            try:
                request = read[self._bus](got[start:])
            except (BadReply, Refused):
                continue
            return self._mbus(request) if self._bus == "mbus" else self._by_identifier(request)
        return None

    def _by_identifier(self, request: Telegram) -> Answer:
        if request.control & _REPLY or not request.items:
            return b"", "no request for data"
        wanted = request.items[0][0]
        for _, data in self._telegrams:
            held = self._read(data)
            if held is None or wanted not in [name for name, _ in held.items]:
                continue
            if request.address in ("", held.address) or set(request.address) == _ANYBODY:
                return data, TEST
            return b"", f"the meter of the tests is {held.address}, not {request.address}"
        return b"", f"no test holds {wanted}"

    def _read(self, data: bytes) -> Telegram | None:
        try:
            return cjt188.read(data) if self._bus == "cjt188" else dlt645.read(data)
        except (BadReply, Refused):
            return None

    def _mbus(self, request: Telegram) -> Answer:
        if request.control in _RESET:
            return bytes((mbus.ACK,)), "reset"
        if request.control not in _DATA:
            return b"", "no request for data"
        _, data = self._telegrams[self._turn % len(self._telegrams)]
        self._turn += 1
        return data, TEST

    def _iec62056(self, got: bytes) -> Answer | None:
        at = got.rfind(b"/?")
        if at >= 0 and got.endswith(b"!\r\n"):
            whole = [data for _, data in self._telegrams if data[:1] == b"/"]
            return (whole[0], TEST) if whole else (IDENTIFICATION, "identification")
        if got[-6:-5] == b"\x06" and got.endswith(b"\r\n"):
            _, data = self._telegrams[self._turn % len(self._telegrams)]
            self._turn += 1
            return data, TEST
        return None

    def _sdi12(self, got: bytes) -> Answer | None:
        found = _SDI12.search(got)
        if not found:
            return None
        own = self._telegrams[0][1][:1]
        address, command = found.group(1), found.group(2)[:-1].decode()
        if address not in (own, b"?"):
            return b"", f"the sensor of the tests is {own.decode()}"
        if command in ("", "I"):
            return own + (b"13SIMULATEDEVICE001" if command else b"") + b"\r\n", "identification"
        if command[0] == "D":
            return self._sdi12_data(own, int(command[1:]))
        data = self._sdi12_telegram(command)
        if data is None:
            return b"", f"no test holds {command}"
        if command[0] == "R":
            return data, TEST
        self._values = [str(value) for _, held in sdi12.read(data, command).items for value in held]
        count = len(self._values)
        return own + f"000{count:0{1 if command[0] == 'M' else 2}d}\r\n".encode(), "announcement"

    def _sdi12_data(self, own: bytes, number: int) -> Answer:
        part = self._values[number * _SDI12_DATA_MAX : (number + 1) * _SDI12_DATA_MAX]
        signed = [value if value[:1] in "+-" else "+" + value for value in part]
        return own + "".join(signed).encode() + b"\r\n", TEST

    def _sdi12_telegram(self, command: str) -> bytes | None:
        alone = self._tables[0] if len(self._tables) == 1 else ""
        for message, data in self._telegrams:
            if (message or alone) == command:
                return data
        return None
