"""Bluetooth LE adverts of one adapter, by bleak. Hands on what the host's stack has parsed.

Knows no device and no profile. Bleak says nothing when a running scan goes silent (adapter gone,
bluetoothd killed, controller hung): who listens has to notice, close, and open again.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from bleak import BleakScanner
from bleak.exc import BleakError

from gateway.core import aio
from gateway.core.errors import LinkError

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from bleak.backends.device import BLEDevice
    from bleak.backends.scanner import AdvertisementData

    # address, rssi, name, companies, services, uuids, power: see drivers.protocol.advert.told
    Heard = Callable[
        [str, int | None, str | None, dict[int, bytes], dict[str, bytes], list[str], int | None],
        None,
    ]

OPEN_MS = 15_000  # a stack that has not begun by then never does
CLOSE_MS = 5_000  # one that hangs must not keep the next scan waiting


class Scan:
    """A running scan; `close` it once."""

    def __init__(self, scanner: BleakScanner) -> None:
        self._scanner = scanner

    async def close(self) -> None:
        """Stop scanning, as far as the stack still answers."""
        try:
            await aio.within(CLOSE_MS, self._scanner.stop())
        except (aio.TimeoutError, BleakError, OSError, EOFError, AssertionError):
            # What is gone cannot be stopped; whoever opens the next scan learns what is wrong.
            return


async def open_scan(adapter: str, heard: Heard, patterns: list[bytes] | None = None) -> Scan:
    """Scan with `adapter` ("hci0", or "" for the first) and tell `heard` of each advert.

    Active; passive where `patterns` name the beginnings of manufacturer data that count, which
    needs bluetoothd's experimental interfaces. LinkError if the stack does not scan.
    """

    def tell(device: BLEDevice, data: AdvertisementData) -> None:
        heard(
            device.address,
            data.rssi,
            data.local_name,
            data.manufacturer_data,
            data.service_data,
            data.service_uuids,
            data.tx_power,
        )

    how: dict[str, Any] = {}
    if sys.platform == "linux":
        if adapter:
            how["bluez"] = {"adapter": adapter}
        if patterns:
            rows = [(0, 0xFF, pattern) for pattern in patterns]
            how["bluez"] = {**how.get("bluez", {}), "or_patterns": rows}
            how["scanning_mode"] = "passive"
    scanner = BleakScanner(tell, **how)
    try:
        await aio.within(OPEN_MS, scanner.start())
    except aio.TimeoutError:
        raise LinkError(f"{adapter or 'bluetooth'}: the stack does not answer")
    except (BleakError, OSError, EOFError) as error:
        raise LinkError(f"{adapter or 'bluetooth'}: {error}")
    return Scan(scanner)
