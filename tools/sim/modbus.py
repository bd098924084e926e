"""A Modbus slave with any number of units, on a pty, on TCP, or on RTU over TCP.

`Slave` answers PDUs from tables; `serve_pty` and `serve_tcp` put one on a line, with that line's
speed and faults. Knows no profile: who gives the tables may change them at any time.
"""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import TYPE_CHECKING

from drivers.protocol import ascii as ascii_frames
from drivers.protocol import identification, mbap, pdu, rtu
from drivers.protocol.refusal import ILLEGAL_ADDRESS, ILLEGAL_FUNCTION, refused
from gateway.core import aio
from gateway.core.errors import BadReply, ConfigError, Refused
from tools.sim.faults import Faults
from tools.sim.paced import Habits
from tools.sim.paced import line as paced_line
from tools.sim.paced_port import serve_paced
from tools.sim.ports import Pace, serve_on_pty, serve_on_tcp

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, MutableMapping, Sequence
    from types import ModuleType
    from typing import Any, TypeAlias

    # Address → value; a callable is read-only and returns None where nothing is.
    Table: TypeAlias = "MutableMapping[int, int] | Callable[[int], int | None]"

FRAMINGS = {"rtu": rtu, "ascii": ascii_frames, "tcp": mbap}
SERVER_ID = b"tidegate\xff"  # 0xFF: running (§6.13)
PART_MAX_MS = 100  # the rest of a request that does not come within this never comes
_TABLES = {
    pdu.READ_COILS: "coil",
    pdu.READ_DISCRETE_INPUTS: "discrete",
    pdu.READ_HOLDING_REGISTERS: "holding",
    pdu.READ_INPUT_REGISTERS: "input",
    pdu.WRITE_COIL: "coil",
    pdu.WRITE_COILS: "coil",
}


class Slave:
    """Units by number, each with tables "holding", "input", "coil", "discrete".

    `objects[unit]` are its identification texts by number; `asked[unit]` counts its requests.
    """

    def __init__(self, tables: dict[int, dict[str, Table]] | None = None) -> None:
        self.tables = tables or {}
        self.objects: dict[int, dict[int, bytes]] = {}
        self.asked: dict[int, int] = {}

    def answer(self, unit: int, message: bytes) -> bytes | None:
        """Return the reply PDU to a request PDU; None if there is no such unit."""
        if unit not in self.tables:
            return None
        self.asked[unit] = self.asked.get(unit, 0) + 1
        try:
            request = pdu.Request.decode(message)
            return request.reply(self._carry_out(unit, request))
        except Refused as error:
            return pdu.exception(message[0], error.code)

    def _carry_out(self, unit: int, request: pdu.Request) -> bytes:
        function = request.function
        if function == pdu.REPORT_SERVER_ID:
            return SERVER_ID
        if function == pdu.ENCAPSULATED:
            return self._identify(unit, request)
        table = self.tables[unit].get(_TABLES.get(function, "holding"), {})
        if function in (pdu.WRITE_COIL, pdu.WRITE_REGISTER):
            single = bool(request.value) if function == pdu.WRITE_COIL else request.value
            _write(table, request.address, [single])
        elif function == pdu.WRITE_COILS:
            _write(table, request.address, pdu.bits(request.data, request.count))
        elif function == pdu.WRITE_REGISTERS:
            _write(table, request.address, pdu.words(request.data))
        else:
            if function == pdu.READ_WRITE_REGISTERS:
                _write(table, request.write_address, pdu.words(request.data))
            values = _read(table, request.address, request.count)
            is_bits = _TABLES.get(function) in ("coil", "discrete")
            packed = pdu.from_bits if is_bits else pdu.from_words
            return packed(values)
        return b""

    def _identify(self, unit: int, request: pdu.Request) -> bytes:
        if unit not in self.objects:
            raise refused(ILLEGAL_FUNCTION, "identification")
        found = identification.answer(request, self.objects[unit])
        if found is None:
            raise refused(ILLEGAL_ADDRESS, "identification")
        return found


async def serve_pty(
    slave: Slave,
    link_path: str | Path,
    baud: int = 0,
    faults: Faults | None = None,
    framing: str = "rtu",
    turnaround_s: float = 0.0,
    ready: Callable[[str], None] | None = None,
) -> None:
    """Answer on a new pty linked at `link_path` until cancelled; `ready` is told when it is there.

    With `baud`, every byte takes its time and a reply begins 3.5 characters + `turnaround_s`
    after its request; without, nothing takes time. What else a line can do: `tools.sim.paced`.
    """
    if baud:
        habits = Habits(turnaround_us=1e6 * turnaround_s)
        line = paced_line(slave.answer, baud, framing=framing, habits=habits, faults=faults)
        await serve_paced(line, Path(link_path), ready)
    talk = ModbusTalk(slave, framing, faults, Pace(), turnaround_s)
    await serve_on_pty(talk, Path(link_path), ready)


async def serve_tcp(
    slave: Slave,
    host: str,
    port: int,
    framing: str = "tcp",
    faults: Faults | None = None,
    baud: int = 0,
    turnaround_s: float = 0.0,
    ready: Callable[[str], None] | None = None,
) -> None:
    """Answer every client of a TCP port (0: any free one) until cancelled; `ready` is told which.

    Framing "rtu" or "ascii" plays a serial server that passes bytes through.
    """
    talk = ModbusTalk(slave, framing, faults, Pace(baud), turnaround_s)
    await serve_on_tcp(talk, host, port, ready)


class ModbusTalk:
    """One line's way of answering: framing, speed, faults."""

    def __init__(
        self, slave: Slave, framing: str, faults: Faults | None, pace: Pace, turnaround_s: float
    ) -> None:
        if framing not in FRAMINGS:
            raise ConfigError(f"framing {framing!r} is none of {', '.join(FRAMINGS)}")
        self._slave = slave
        self._frames: ModuleType = FRAMINGS[framing]
        self._faults = faults or Faults()
        self._pace = pace
        self._turnaround_s = turnaround_s

    async def run(
        self, read: Callable[[], Coroutine[Any, Any, bytes]], write: Callable[[bytes], None]
    ) -> None:
        """Answer request after request until nothing more can come."""
        is_tcp = self._frames is mbap
        requests, heard = self._frames.RequestReader(), b""
        while True:
            try:
                part = heard and not is_tcp
                data = await (aio.within(PART_MAX_MS, read()) if part else read())
            except aio.TimeoutError:
                requests, heard = self._frames.RequestReader(), b""
                continue
            if not data:
                return
            heard_s = asyncio.get_running_loop().time()
            heard += data
            try:
                found = requests.feed(data)
                while found:
                    number = getattr(requests, "number", 0)
                    await self._reply(found, number, heard, heard_s, write)
                    heard = b""
                    if not is_tcp:  # one request at a time; what else came is noise
                        requests = self._frames.RequestReader()
                    found = requests.feed(b"")
            except BadReply:
                if is_tcp:
                    return  # close: TCP damages nothing, so this is no Modbus client
                requests, heard = self._frames.RequestReader(), b""

    async def _reply(
        self,
        found: tuple[int, bytes],
        number: int,
        heard: bytes,
        heard_s: float,
        write: Callable[[bytes], None],
    ) -> None:
        unit, message = found
        if self._faults.strikes("echo"):
            await self._pace.send(write, heard, heard_s)
        answer = self._slave.answer(unit, message)
        if answer is None:
            return
        if self._faults.exception:
            answer = pdu.exception(message[0], self._faults.exception)
        start_s = heard_s + self._pace.wire_s(len(heard)) + self._pace.silence_s
        start_s += self._turnaround_s + self._faults.delay_s
        await asyncio.sleep(max(0.0, start_s - asyncio.get_running_loop().time()))
        frame = self._faults.spoil(self._frames.frame(unit, answer, number))
        await self._pace.send(write, frame, start_s)


def _read(table: Table, address: int, count: int) -> list[int]:
    get = table if callable(table) else table.get
    values = [get(place) for place in range(address, address + count)]
    found = [value for value in values if value is not None]
    if len(found) < count:
        raise refused(ILLEGAL_ADDRESS, f"{count} from {address}")
    return found


def _write(table: Table, address: int, values: Sequence[int]) -> None:
    _read(table, address, len(values))  # nothing is written unless all of it can be
    if callable(table):
        raise refused(ILLEGAL_ADDRESS, "read-only")
    for place, value in enumerate(values, address):
        table[place] = value
