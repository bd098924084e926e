"""Our Modbus against others': our client on pymodbus and libmodbus, mbpoll on our simulator."""

from __future__ import annotations

import contextlib
import importlib.util
import re
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest

from drivers.line import Line, silence_us
from drivers.protocol import identification, pdu
from drivers.transport.serial_cpython import open_serial
from drivers.transport.tcp import open_tcp
from gateway.core import aio
from gateway.core.errors import NoReply, Refused
from tests.support.missing import missing
from tools.sim.modbus import FRAMINGS
from tools.sim.process import free_port

pytestmark = pytest.mark.system

UNIT = 17
START_S = 10


def tool(name: str, package: str) -> str:
    found = shutil.which(name)
    if found is None:
        missing(name, f"apt-get install {package}")
    return str(found)


@contextlib.contextmanager
def running(*argv, ready=None):
    process = subprocess.Popen(argv, stdout=subprocess.PIPE, stdin=subprocess.DEVNULL, text=True)
    try:
        if ready is None:
            assert process.stdout.readline(), f"{argv[0]} did not start"
        until = time.monotonic() + START_S
        while ready is not None and not ready():
            assert process.poll() is None, f"{argv[0]} ended"
            assert time.monotonic() < until, f"{argv[0]} is not ready after {START_S} s"
            time.sleep(0.01)
        yield process
    finally:
        process.terminate()
        process.communicate(timeout=START_S)


@contextlib.contextmanager
def cable(folder):
    """Two ends of a null-modem cable."""
    ends = [folder / "a", folder / "b"]
    links = [f"pty,raw,echo=0,link={end}" for end in ends]
    with running(tool("socat", "socat"), *links, ready=lambda: all(e.exists() for e in ends)):
        yield [str(end) for end in ends]


class Client:
    """Our client: one line, one framing, one unit."""

    def __init__(self, framing: str, place: str) -> None:
        self._frames = FRAMINGS[framing]
        self._number = 0
        serial = place.startswith("/")

        async def opened():
            if serial:
                return await open_serial(place, 115200)
            host, port = place.split(":")
            return await open_tcp(host, int(port))

        gap_us = silence_us(115200) if serial else 0
        self.line = Line(opened, gap_us, None if serial else False)

    async def ask(self, request, unit=UNIT, timeout_ms=2000):
        self._number += 1
        frame = self._frames.frame(unit, request.encode(), self._number)
        reader = self._frames.ReplyReader(unit, request, self._number)
        return request.parse(await self.line.exchange(frame, reader, timeout_ms))

    async def words(self, *request):
        return pdu.words(await self.ask(pdu.read(*request)))

    async def bits(self, function, address, count):
        return pdu.bits(await self.ask(pdu.read(function, address, count)), count)


async def every_function(client: Client) -> None:
    """Read and write everything a slave with the tables of libmodbus_slave.c has."""
    assert await client.words(3, 0, 125) == [3 * at for at in range(125)]
    assert await client.words(4, 7, 3) == [35, 40, 45]
    assert await client.bits(1, 0, 19) == [at % 2 == 1 for at in range(19)]
    assert await client.bits(2, 3, 8) == [at % 2 == 0 for at in range(3, 11)]
    await client.ask(pdu.write_coil(10, on=True))
    await client.ask(pdu.write_coils(11, [False, True, True]))
    assert await client.bits(1, 10, 4) == [True, False, True, True]
    await client.ask(pdu.write_register(20, 65535))
    await client.ask(pdu.write_registers(21, [1, 2, 3]))
    assert await client.words(3, 20, 4) == [65535, 1, 2, 3]
    both = pdu.read_write_registers(20, 3, 21, [7, 8])
    assert pdu.words(await client.ask(both)) == [65535, 7, 8]
    with pytest.raises(Refused) as refused:
        await client.words(3, 199, 2)
    assert refused.value.code == 2
    assert await client.words(3, 0, 1) == [0]


@pytest.fixture(scope="module")
def libmodbus(tmp_path_factory) -> str:
    tool("gcc", "gcc")
    program = tmp_path_factory.mktemp("libmodbus") / "slave"
    source = Path(__file__).with_name("libmodbus_slave.c")
    flags = ["-I/usr/include/modbus", "-lmodbus"]
    built = subprocess.run(
        ["gcc", "-Wall", "-o", program, source, *flags], capture_output=True, text=True, check=False
    )
    if "modbus.h" in built.stderr or "-lmodbus" in built.stderr:
        missing("libmodbus", "apt-get install libmodbus-dev")
    assert built.returncode == 0, built.stderr
    return str(program)


def test_our_client_on_libmodbus_rtu(libmodbus, tmp_path):
    async def story(place):
        client = Client("rtu", place)
        await every_function(client)
        assert b"LMB" in await client.ask(pdu.report_server_id())
        with pytest.raises(NoReply):
            await client.ask(pdu.read(3, 0, 1), unit=18, timeout_ms=100)
        # libmodbus takes what follows a request to a silent neighbour for the neighbour's reply,
        # so that its own next request may go unheard: one retry is no luxury on a real line.
        with contextlib.suppress(NoReply):
            await client.ask(pdu.read(3, 0, 1), timeout_ms=600)
        assert await client.words(3, 20, 1) == [65535]
        client.line.close()

    with cable(tmp_path) as (ours, theirs), running(libmodbus, "rtu", theirs):
        aio.run(story(ours))


def test_our_client_on_libmodbus_tcp(libmodbus):
    async def story(port):
        client = Client("tcp", f"127.0.0.1:{port}")
        await every_function(client)
        client.line.close()

    port = free_port()
    with running(libmodbus, "tcp", str(port)):
        aio.run(story(port))


NAMES = {0: "Acme " * 20, 1: "WL-200 " * 20, 2: "1.0"}  # more than one reply can carry


def pymodbus_parts():
    """The tables of libmodbus_slave.c and an identity, for a pymodbus server."""
    from pymodbus import ModbusDeviceIdentification
    from pymodbus.simulator import DataType, SimData, SimDevice

    def table(values, kind):
        return [SimData(0, values=values, datatype=kind)]

    tables = (
        table([at % 2 == 1 for at in range(200)], DataType.BITS),
        table([at % 2 == 0 for at in range(200)], DataType.BITS),
        table([3 * at for at in range(200)], DataType.REGISTERS),
        table([5 * at for at in range(200)], DataType.REGISTERS),
    )
    return SimDevice(UNIT, tables), ModbusDeviceIdentification(info=NAMES)


async def on_pymodbus(framing, place, theirs=None):
    from pymodbus import FramerType
    from pymodbus.server import ModbusSerialServer, ModbusTcpServer

    device, identity = pymodbus_parts()
    options = {
        "identity": identity,
        "framer": FramerType("socket" if framing == "tcp" else framing),
    }
    if theirs:
        server = ModbusSerialServer(device, port=theirs, baudrate=115200, **options)
    else:
        host, port = place.split(":")
        server = ModbusTcpServer(device, address=(host, int(port)), **options)
    await server.serve_forever(background=True)
    client = Client(framing, place)
    try:
        await every_function(client)
        asked = identification.Identification(identification.REGULAR)
        while asked.request:
            asked.take(await client.ask(asked.request))
        assert {number: asked.objects[number].decode() for number in NAMES} == NAMES
    finally:
        client.line.close()
        await server.shutdown()


@pytest.fixture
def pymodbus() -> None:
    if importlib.util.find_spec("pymodbus") is None:
        missing("pymodbus", "pip install pymodbus")


@pytest.mark.usefixtures("pymodbus")
@pytest.mark.parametrize("framing", ["tcp", "rtu", "ascii"])
def test_our_client_on_pymodbus_tcp(framing):
    aio.run(on_pymodbus(framing, f"127.0.0.1:{free_port()}"))


@pytest.mark.usefixtures("pymodbus")
@pytest.mark.parametrize("framing", ["rtu", "ascii"])
def test_our_client_on_pymodbus_pty(framing, tmp_path):
    with cable(tmp_path) as (ours, theirs):
        aio.run(on_pymodbus(framing, ours, theirs))


@contextlib.contextmanager
def simulated(*where):
    tables = "--unit 17 --holding 0=0,3,6,9 --input 4=20,25 --coil 0=0,1,0,1 --discrete 0=1,0,1"
    with running(
        sys.executable, "-m", "gateway", "sim", "modbus", *where, *tables.split()
    ) as process:
        yield process


def mbpoll(*arguments) -> dict[int, int]:
    """Return what mbpoll (libmodbus) reads, by address counted from 0."""
    argv = [tool("mbpoll", "mbpoll"), "-a", str(UNIT), "-0", "-1", "-q", *arguments]
    done = subprocess.run(argv, capture_output=True, text=True, timeout=30, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return {int(at): int(value) for at, value in re.findall(r"\[(\d+)\]:\s+(\d+)", done.stdout)}


def polled_by_mbpoll(*where):
    link = where[:-1]
    device = where[-1]
    assert mbpoll(*link, "-t", "4", "-r", "0", "-c", "4", device) == {0: 0, 1: 3, 2: 6, 3: 9}
    assert mbpoll(*link, "-t", "3", "-r", "4", "-c", "2", device) == {4: 20, 5: 25}
    assert mbpoll(*link, "-t", "0", "-r", "0", "-c", "4", device) == {0: 0, 1: 1, 2: 0, 3: 1}
    assert mbpoll(*link, "-t", "1", "-r", "0", "-c", "3", device) == {0: 1, 1: 0, 2: 1}
    mbpoll(*link, "-t", "4", "-r", "1", device, "1000", "1001")
    mbpoll(*link, "-t", "4", "-r", "3", device, "77")
    mbpoll(*link, "-t", "0", "-r", "0", device, "1", "0", "1")
    assert mbpoll(*link, "-t", "4", "-r", "0", "-c", "4", device) == {0: 0, 1: 1000, 2: 1001, 3: 77}
    assert mbpoll(*link, "-t", "0", "-r", "0", "-c", "4", device) == {0: 1, 1: 0, 2: 1, 3: 1}


def test_mbpoll_on_our_simulator_pty(tmp_path):
    path = str(tmp_path / "bus")
    with simulated("--pty", path, "--baud", "19200"):
        polled_by_mbpoll("-m", "rtu", "-b", "19200", "-P", "none", path)


def test_mbpoll_on_our_simulator_tcp():
    port = str(free_port())
    with simulated("--tcp", f"127.0.0.1:{port}"):
        polled_by_mbpoll("-m", "tcp", "-p", port, "127.0.0.1")
