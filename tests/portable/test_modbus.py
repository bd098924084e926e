from drivers.line import Line
from drivers.modbus import ModbusDevice
from drivers.modbus_unit import ModbusBus
from drivers.profile.model import load
from drivers.profile.plan import tcp_cost
from drivers.protocol import mbap, pdu
from gateway.core import aio, cbor
from gateway.core.reading import GOOD, NO_REPLY, REFUSED

PROFILE = {
    "tidegate": 1,
    "name": "Test",
    "every": 1000,
    "bus": "modbus",
    "line": {"timeout_ms": 40},
    "channels": [
        {"id": "r#", "of": [0, 9], "at": 0, "step": 1},
        {"id": "door", "in": "discrete", "at": 3},
    ],
}


class Wire:
    """A transport to one unit that holds registers 0..8 and eight bits."""

    def __init__(self):
        self.dead = False
        self.asked = 0
        self._replies = []
        self._news = aio.Event()

    async def open(self):
        return self

    async def write(self, data):
        requests = mbap.RequestReader()
        unit, message = requests.feed(data)
        self.asked += 1
        if self.dead:
            return
        request = pdu.Request.decode(message)
        if request.function == 2:
            reply = request.reply(pdu.from_bits([True] * request.count))
        elif request.address + request.count > 9:
            reply = pdu.exception(3, 2)
        else:
            places = range(request.address, request.address + request.count)
            reply = request.reply(pdu.from_words([1000 + i for i in places]))
        self._replies.append(mbap.frame(unit, reply, requests.number))
        self._news.set()

    async def read(self, size_max):
        while not self._replies:
            self._news.clear()
            await self._news.wait()
        return self._replies.pop(0)

    def drop_input(self):
        self._replies = []
        return b""

    def close(self):
        pass


def test_modbus_device_reads_divides_and_survives_silence():
    wire = Wire()
    bus = ModbusBus("bus", Line(wire.open, 0, False), "tcp", tcp_cost())
    device = ModbusDevice("d", bus, load(cbor.encode(PROFILE)).device(), 1)

    async def main():
        for asked_max in (10, 2):
            before = wire.asked
            found = {one.point: one for one in await device.poll(1000)}
            assert wire.asked - before <= asked_max
            assert len(found) == 11
            assert [found["d/r" + str(i)].value for i in range(9)] == list(range(1000, 1009))
            assert found["d/r9"].quality == REFUSED
            assert found["d/door"].value is True
        wire.dead = True
        for _ in range(2):
            assert {one.quality for one in await device.poll(1000)} <= {NO_REPLY, REFUSED}
        assert device.unit.silent
        wire.dead = False
        assert [one.quality for one in await device.poll(1000)].count(GOOD) == 10
        assert not device.unit.silent

    aio.run(main())
