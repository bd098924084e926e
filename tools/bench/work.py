"""Work that several programs can do alike: the devices of one Modbus TCP address, at one pace.

Knows the registers, what they mean and how our own agent is told of them; starts nothing.
"""

from __future__ import annotations

import json
from pathlib import Path

GW = "330482-0017"
# A third of the points each, as meters and inverters have them: type, registers, scale.
KINDS = (("u16", 1, "0.1"), ("s32", 2, "0.001"), ("f32", 2, ""))

_SITE = """\
gateway: {gw}
platform: "mqtt://127.0.0.1:{broker_port}"
clock: system
buffer: {{path: {folder}/buffer, crit: 4MiB, bulk: 16MiB}}
profiles: [{folder}/profiles]
buses:
  lan-1:
    port: tcp://127.0.0.1:{slave_port}
    devices:
{devices}
"""


class Work:
    """`devices` units from 1 on, each with `points` values read every `period_ms`."""

    def __init__(self, devices: int, points: int, period_ms: int) -> None:
        self.devices = devices
        self.points = points
        self.period_ms = period_ms

    @property
    def points_per_s(self) -> float:
        return self.devices * self.points * 1000 / self.period_ms

    def tags(self) -> list[dict[str, object]]:
        """Return what one device has, in order of address: name, address, type, scale."""
        found: list[dict[str, object]] = []
        address = 0
        for (kind, words, scale), count in zip(KINDS, self.counts(), strict=True):
            for number in range(1, count + 1):
                tag = {"name": f"{kind}_{number}", "address": address, "type": kind}
                found.append({**tag, "words": words, "scale": float(scale or 1)})
                address += words
        return found

    @property
    def registers(self) -> int:
        return sum(count * kind[1] for kind, count in zip(KINDS, self.counts(), strict=True))

    def write_tags(self, path: Path) -> None:
        """Write what a peer needs to know as JSON."""
        told = {"devices": self.devices, "period_s": self.period_ms / 1000, "tags": self.tags()}
        path.write_text(json.dumps(told))

    def write_site(self, folder: Path, slave_port: int, broker_port: int) -> Path:
        """Write our own site file and profile into `folder`; return the site file."""
        place = folder / "profiles" / "bench"
        place.mkdir(parents=True)
        (place / "meter.yaml").write_text(self._profile())
        devices = "\n".join(
            f"      d{unit}: {{profile: bench/meter, unit: {unit}}}"
            for unit in range(1, self.devices + 1)
        )
        site = folder / "site.yaml"
        ports = {"slave_port": slave_port, "broker_port": broker_port}
        site.write_text(_SITE.format(gw=GW, folder=folder, devices=devices, **ports))
        return site

    def counts(self) -> list[int]:
        """Return how many points of each of KINDS a device has."""
        each, rest = divmod(self.points, len(KINDS))
        return [each + (place < rest) for place in range(len(KINDS))]

    def _profile(self) -> str:
        lines = ["name: Bench", f"every: {self.period_ms}ms", "modbus: {}", "channels:"]
        address = 0
        for (kind, words, scale), count in zip(KINDS, self.counts(), strict=True):
            scaled = f", scale: {scale}" if scale else ""
            lines.append(f"  {kind}_[1..{count}]: {{at: {address}, type: {kind}{scaled}}}")
            address += words * count
        lines += ["tests:", '  - holding: {0: "0001"}', "    gives: {u16_1: 0.1}", ""]
        return "\n".join(lines)
