"""The simulated slave: its answers, and our own client talking to it over pty and TCP."""

from __future__ import annotations

import asyncio
import contextlib

import pytest

from drivers.line import Line, silence_us
from drivers.protocol import identification, pdu
from drivers.transport.serial_cpython import open_serial
from drivers.transport.tcp import open_tcp
from gateway.core import aio
from gateway.core.errors import BadReply, ConfigError, NoReply, Refused
from tools.sim.faults import Faults
from tools.sim.modbus import FRAMINGS, SERVER_ID, Slave, serve_pty, serve_tcp
from tools.sim.ports import Pace, precise_loop


def slave():
    found = Slave(
        {
            1: {"holding": {at: 100 + at for at in range(200)}, "input": lambda at: at * 2},
            2: {"coil": dict.fromkeys(range(20), 0), "discrete": {at: at % 2 for at in range(20)}},
        }
    )
    found.objects[1] = {0: b"Acme", 1: b"WL-200", 2: b"1.0"}
    return found


def ask(one, unit, request):
    return request.parse(one.answer(unit, request.encode()))


def test_slave_reads_and_writes_its_tables():
    one = slave()
    assert pdu.words(ask(one, 1, pdu.read(3, 5, 2))) == [105, 106]
    assert pdu.words(ask(one, 1, pdu.read(4, 5, 2))) == [10, 12]
    assert pdu.bits(ask(one, 2, pdu.read(2, 0, 3)), 3) == [False, True, False]
    ask(one, 1, pdu.write_register(5, 7))
    ask(one, 1, pdu.write_registers(6, [8, 9]))
    assert pdu.words(ask(one, 1, pdu.read_write_registers(4, 4, 4, [6]))) == [6, 7, 8, 9]
    ask(one, 2, pdu.write_coil(0, on=True))
    ask(one, 2, pdu.write_coils(1, [True, False]))
    assert pdu.bits(ask(one, 2, pdu.read(1, 0, 3)), 3) == [True, True, False]
    assert ask(one, 1, pdu.report_server_id()) == SERVER_ID
    assert one.asked == {1: 6, 2: 4}


def test_slave_refuses_what_it_does_not_have():
    one = slave()
    cases = (
        (1, pdu.read(3, 199, 2), 2),
        (1, pdu.read(1, 0, 1), 2),
        (2, pdu.read(3, 0, 1), 2),
        (1, pdu.write_registers(199, [1, 2]), 2),
        (2, pdu.read_identification(1, 0), 1),
        (1, pdu.read_identification(4, 9), 2),
    )
    for unit, request, code in cases:
        with pytest.raises(Refused) as refused:
            ask(one, unit, request)
        assert refused.value.code == code
    assert one.tables[1]["holding"][199] == 299  # nothing is half written
    one.tables[1]["holding"] = lambda at: at
    with pytest.raises(Refused):
        ask(one, 1, pdu.write_register(1, 1))
    assert one.answer(1, b"\x63") == b"\xe3\x01"
    assert one.answer(9, b"\x03") is None


@contextlib.asynccontextmanager
async def served(work):
    ready = asyncio.get_running_loop().create_future()
    task = asyncio.create_task(work(ready.set_result))
    done, _ = await asyncio.wait({task, ready}, return_when=asyncio.FIRST_COMPLETED)
    if task in done:
        task.result()
    try:
        yield ready.result()
    finally:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task


async def exchange(line, framing, unit, request, number=1, timeout_ms=1000):
    frames = FRAMINGS[framing]
    reader = frames.ReplyReader(unit, request, number)
    frame = frames.frame(unit, request.encode(), number)
    return request.parse(await line.exchange(frame, reader, timeout_ms))


async def everything(line, framing):
    assert pdu.words(await exchange(line, framing, 1, pdu.read(3, 0, 125))) == [*range(100, 225)]
    await exchange(line, framing, 1, pdu.write_register(0, 100), 2)
    await exchange(line, framing, 2, pdu.write_coil(3, on=True), 3)
    assert pdu.bits(await exchange(line, framing, 2, pdu.read(1, 3, 2), 4), 2) == [True, False]
    with pytest.raises(Refused):
        await exchange(line, framing, 1, pdu.read(3, 1000, 1), 5)
    asked = identification.Identification()
    while asked.request:
        asked.take(await exchange(line, framing, 1, asked.request, 6))
    assert asked.objects[1] == b"WL-200"
    with pytest.raises(NoReply):
        await exchange(line, framing, 77, pdu.read(3, 0, 1), 7, 20)


@pytest.mark.parametrize("framing", ["rtu", "ascii"])
def test_our_client_on_a_pty(tmp_path, framing):
    async def story():
        path = tmp_path / "bus"
        async with served(lambda ready: serve_pty(slave(), path, framing=framing, ready=ready)):
            line = Line(lambda: open_serial(str(path)), 1000)
            await everything(line, framing)
            line.close()
            again = Line(lambda: open_serial(str(path)), 1000)
            await everything(again, framing)
            again.close()
        assert not path.is_symlink()

    aio.run(story())


@pytest.mark.parametrize("framing", ["tcp", "rtu", "ascii"])
def test_our_client_on_tcp(framing):
    async def story():
        def work(ready):
            return serve_tcp(slave(), "127.0.0.1", 0, framing, ready=ready)

        async with served(work) as place:
            port = int(place.rpartition(":")[2])
            line = Line(lambda: open_tcp("127.0.0.1", port), echoes=False)
            await everything(line, framing)
            line.close()

    aio.run(story())


def test_our_client_gets_no_wrong_value_from_a_bad_line(tmp_path):
    async def story():
        faults = Faults("noise=0.02", "garbage=0.3", "truncate=0.1", "silence=0.05", "echo", seed=3)
        path = tmp_path / "bus"
        good = bad = 0
        async with served(lambda ready: serve_pty(slave(), path, 0, faults, ready=ready)):
            line = Line(lambda: open_serial(str(path)), 0)
            for at in range(60):
                try:
                    words = pdu.words(await exchange(line, "rtu", 1, pdu.read(3, at, 9), 0, 50))
                    assert words == [*range(100 + at, 109 + at)]
                    good += 1
                except (NoReply, BadReply):
                    bad += 1
            faults.set("none")
            assert pdu.words(await exchange(line, "rtu", 1, pdu.read(3, 1, 1))) == [101]
            line.close()
        assert good > 15
        assert bad > 15

    aio.run(story())


def test_a_request_cut_short_does_not_spoil_the_next(tmp_path):
    async def story():
        path = tmp_path / "bus"
        async with served(lambda ready: serve_pty(slave(), path, ready=ready)):
            port = await open_serial(str(path))
            await port.write(b"\x01\x10\x00\x00\x00\x20\x40")  # 64 bytes should follow
            line = Line(lambda: _given(port), 1000)
            with pytest.raises(NoReply):
                await exchange(line, "rtu", 1, pdu.read(3, 0, 1), 0, 200)
            assert pdu.words(await exchange(line, "rtu", 1, pdu.read(3, 0, 1))) == [100]
            line.close()

    async def _given(port):
        return port

    aio.run(story())


def test_a_client_that_does_not_speak_modbus_tcp_is_hung_up_on():
    async def story():
        def work(ready):
            return serve_tcp(slave(), "127.0.0.1", 0, ready=ready)

        async with served(work) as place:
            reader, writer = await asyncio.open_connection(*place.split(":"))
            writer.write(b"GET / HTTP/1.1\r\n\r\n")
            assert await aio.within(2000, reader.read()) == b""
            writer.close()

    aio.run(story())


def test_on_a_paced_line_an_exchange_takes_the_time_of_its_bytes(tmp_path):
    async def story():
        path = tmp_path / "bus"
        async with served(lambda ready: serve_pty(slave(), path, 9600, ready=ready)):
            line = Line(lambda: open_serial(str(path), 9600), silence_us(9600))
            await exchange(line, "rtu", 1, pdu.read(3, 0, 1))
            start_ms = aio.now_ms()
            for _ in range(5):
                await exchange(line, "rtu", 1, pdu.read(3, 0, 10))
            took_ms = aio.now_ms() - start_ms
            line.close()
        pace = Pace(9600)
        least_ms = 5 * 1000 * (pace.wire_s(8) + pace.wire_s(25) + 2 * pace.silence_s)
        assert least_ms * 0.98 <= took_ms

    with asyncio.Runner(loop_factory=precise_loop) as runner:
        runner.run(story())


def test_a_place_that_is_taken_by_a_file_is_not_overwritten(tmp_path):
    path = tmp_path / "bus"
    path.write_text("precious")
    with pytest.raises(ConfigError, match="not a link"):
        aio.run(serve_pty(slave(), path))
    assert path.read_text() == "precious"
    with pytest.raises(ConfigError, match="framing"):
        aio.run(serve_pty(slave(), tmp_path / "other", framing="utf"))
    assert not (tmp_path / "other").is_symlink()
    with pytest.raises(ConfigError, match="baud"):
        Pace(-1)
