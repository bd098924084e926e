"""Adverts through bleak's own BlueZ backend, on a stand-in for bluetoothd."""

from __future__ import annotations

import asyncio
import importlib.util
import sys
from typing import TYPE_CHECKING, Any

import pytest

from drivers import ble_radio
from drivers.ble import Sensor
from drivers.ble_listener import Listener
from drivers.ble_radio import Radio
from drivers.profile.compile_cpython import find, load_file
from gateway.core.errors import LinkError
from tests.support.missing import missing

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterator

    from gateway.core.reading import Reading
    from tests.support.bluez import Bluez, PrivateBus

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="BlueZ is Linux's")
HERE = "C8:25:2D:8E:9C:2C"
RUUVI = 0x0499
FRAME = "0512FC5394C37C0004FFFC040CAC364200CDCBB8334C884F"


@pytest.fixture(scope="module")
def bus() -> Iterator[PrivateBus]:
    if importlib.util.find_spec("bleak") is None:
        missing("bleak", "pip install bleak")
    from tests.support.bluez import PrivateBus

    with PrivateBus() as found:
        yield found


def run(bus: PrivateBus, work: Callable[[Bluez], Awaitable[None]]) -> None:
    from tests.support.bluez import Bluez

    async def main() -> None:
        bluez = await Bluez(bus.address).start()
        try:
            await asyncio.wait_for(work(bluez), 20)
        finally:
            await bluez.stop()

    asyncio.run(main())


async def until(holds: Callable[[], Any]) -> None:
    while not holds():
        await asyncio.sleep(0.01)


def test_ble_scan_hands_on_every_advert_that_changes(bus: PrivateBus) -> None:
    from drivers.transport.ble_cpython import open_scan

    async def work(bluez: Bluez) -> None:
        bluez.plug()
        heard: list[Any] = []
        scan = await open_scan("hci0", lambda *one: heard.append(one))
        for number in range(30):
            bluez.advert(HERE, {RUUVI: bytes((5, number))}, -60 - number)
        await until(lambda: len(heard) == 30)
        await scan.close()
        address, rssi, _, companies, services, uuids, power = heard[-1]
        assert (address, rssi, companies) == (HERE, -89, {RUUVI: b"\x05\x1d"})
        assert (services, uuids, power) == ({}, [], None)
        assert "StopDiscovery" in bluez.calls

    run(bus, work)


def test_ble_a_passive_scan_registers_its_patterns(bus: PrivateBus) -> None:
    from drivers.transport.ble_cpython import open_scan

    async def work(bluez: Bluez) -> None:
        bluez.plug()
        scan = await open_scan("hci0", lambda *_: None, [b"\x99\x04"])
        await scan.close()
        assert "RegisterMonitor" in bluez.calls
        assert "StartDiscovery" not in bluez.calls

    run(bus, work)


def test_ble_no_adapter_is_a_link_error(bus: PrivateBus) -> None:
    from drivers.transport.ble_cpython import open_scan

    async def work(_: Bluez) -> None:
        with pytest.raises(LinkError):
            await open_scan("hci0", lambda *_: None)

    run(bus, work)


def test_ble_a_stack_that_refuses_is_a_link_error_and_may_be_asked_again(bus: PrivateBus) -> None:
    from drivers.transport.ble_cpython import open_scan

    async def work(bluez: Bluez) -> None:
        bluez.plug()
        bluez.refuse["StartDiscovery"] = ["org.bluez.Error.InProgress"]
        with pytest.raises(LinkError, match="InProgress"):
            await open_scan("hci0", lambda *_: None)
        scan = await open_scan("hci0", lambda *_: None)
        await scan.close()

    run(bus, work)


def test_ble_readings_come_again_after_the_adapter_was_unplugged(
    bus: PrivateBus, monkeypatch: pytest.MonkeyPatch
) -> None:
    from drivers.transport.ble_cpython import open_scan

    monkeypatch.setattr(ble_radio, "TICK_MS", 20)
    monkeypatch.setattr(ble_radio, "QUIET_MS", 200)
    monkeypatch.setattr(ble_radio, "RETRY_MS", 20)
    readings: list[Reading] = []
    sensor = Sensor("box", load_file(find("ruuvi/ruuvitag")).device(None, 10), HERE)
    radio = Radio("air", Listener([sensor]), lambda hear: open_scan("hci0", hear), readings.extend)

    def values() -> list[str]:
        return [str(one.value) for one in readings if one.point == "box/temperature"]

    async def work(bluez: Bluez) -> None:
        bluez.plug()
        task = asyncio.ensure_future(radio.run())
        await until(lambda: "StartDiscovery" in bluez.calls)
        bluez.advert(HERE, {RUUVI: bytes.fromhex(FRAME)})
        await until(lambda: values() == ["24.3"])
        bluez.unplug()  # the running scan says nothing of it
        await until(lambda: radio.failures)
        bluez.plug()
        scans = radio.scans
        await until(lambda: radio.scans > scans)
        bluez.advert(HERE, {RUUVI: bytes.fromhex(FRAME.replace("12FC", "12FD"))})
        await until(lambda: values() == ["24.3", "24.305"])
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        facts = radio.facts()
        assert facts["silences"] >= 1
        assert facts["devices"]["box"]["decoded"] == 2

    run(bus, work)
