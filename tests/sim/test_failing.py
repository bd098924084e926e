"""A profile whose decoding fails: its device is left alone for longer and longer, nobody else."""

from __future__ import annotations

from typing import TYPE_CHECKING
from unittest.mock import patch

from drivers.modbus import ModbusDevice
from gateway.agent.bus import RESTART_MAX_MS, Bus
from tools.simulate.world import World

if TYPE_CHECKING:
    from typing import Any

HOURS = 0.25
SEED = 12  # three devices on the serial bus


def polls(broken: str) -> tuple[str, dict[str, list[int]]]:
    """Live without troubles; return the law that was broken, and when each device was decoded."""
    world = World(SEED, HOURS, [])
    world.rare.open({})
    found: dict[str, list[int]] = {d.name: [] for bus in world.site.buses for d in bus.devices}
    real = ModbusDevice._readings

    def readings(self: ModbusDevice, *given: Any) -> Any:
        found[self.name].append(world.now_ms)
        if self.name == broken:
            raise ZeroDivisionError("a profile that nobody tried")
        return real(self, *given)

    with patch.object(ModbusDevice, "_readings", readings):
        return world.run().broken, found


def test_failing_profile_costs_its_neighbours_no_reading_and_waits_longer_each_time() -> None:
    broken, healthy = polls("")
    assert not broken
    name = "rs485-1-1"
    assert len([one for one in healthy if one.startswith("rs485-1")]) >= 2
    broken, found = polls(name)
    short = [one for one in healthy if one != name and len(found[one]) < len(healthy[one]) - 1]
    assert not short
    # That no reading of it comes at all is what its bus says in health, and no law's business.
    assert not broken, broken
    assert min(len(times) for times in healthy.values()) > 5
    waits = [later - at for at, later in zip(found[name], found[name][1:])]
    assert waits == sorted(waits) or max(waits) >= RESTART_MAX_MS
    assert 5 <= len(waits) < len(healthy[name]) // 2
    assert max(waits) <= 2 * RESTART_MAX_MS


def test_failing_profile_that_stops_its_bus_would_be_seen() -> None:
    async def ask(self: Bus, item: Any) -> Any:
        device, period_ms = item.key
        return await device.poll(period_ms)

    _, healthy = polls("")
    with patch.object(Bus, "_ask", ask):
        _, found = polls("rs485-1-1")
    assert len(found["rs485-1-2"]) < len(healthy["rs485-1-2"]) // 2
