"""A Modbus device that answers its own tests word for word, and then from its registers.

Knows the frames of a profile's tests; knows no line.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from drivers.protocol import rtu
from tools.sim.sensors import SensorSlave

if TYPE_CHECKING:
    from collections.abc import Callable

    from drivers.profile.cases_cpython import Case
    from tools.sim.sensors import Sensor

_REFUSED = 0x80  # the bit of a function code that says no (Modbus V1.1b3 §7)
_FRAME_MIN = 4  # unit, function, CRC


class TestedSlave(SensorSlave):
    """One unit; `told(request, answer or None, source)` hears every frame, as on a serial line.

    A request of the tests gets their answer the first time. Later the registers answer, which
    begin as in the tests, unless values are to stay `still` or the registers would refuse.
    """

    __test__ = False  # not one of pytest's

    def __init__(
        self,
        sensor: Sensor,
        unit: int,
        cases: list[Case],
        still: bool,
        told: Callable[[bytes, bytes | None, str], None],
        clock: Callable[[], float],
    ) -> None:
        super().__init__({unit: sensor}, (lambda: 0.0) if still else clock)
        self._still = still
        self._told = told
        self._vectors = vectors(cases)
        self._held = False
        self._spent: set[bytes] = set()

    def hold(self) -> None:
        """From now on only the registers answer: somebody has set a value."""
        self._spent.update(self._vectors)
        self._held = True

    def answer(self, unit: int, message: bytes) -> bytes | None:
        """Return the reply PDU to a request PDU; None if there is no such unit."""
        reply = super().answer(unit, message)
        source = "registers"
        if reply is None:
            source = f"there is no unit {unit}"
        elif message in self._vectors and self._first(message, reply):
            reply, source = self._vectors[message], "a test of the profile"
        shown = None if reply is None else rtu.frame(unit, reply)
        self._told(rtu.frame(unit, message), shown, source)
        return reply

    def _first(self, message: bytes, reply: bytes) -> bool:
        first = message not in self._spent
        self._spent.add(message)
        refused = bool(reply[0] & _REFUSED)
        return first or refused or (self._still and not self._held)


def vectors(cases: list[Case]) -> dict[bytes, bytes]:
    """Return the requests of sound tests and what is answered, without unit and CRC."""
    found: dict[bytes, bytes] = {}
    for case in cases:
        if case.gives_nothing:
            continue
        for (_, sent), (_, received) in zip(case.sent, case.received, strict=False):
            if len(sent) >= _FRAME_MIN and len(received) >= _FRAME_MIN:
                found.setdefault(sent[1:-2], received[1:-2])
    return found
