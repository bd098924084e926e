"""The whole path, from the wire to the platform's acknowledgement, and other programs beside it.

The real agent polls a slave over TCP, stores with fdatasync and delivers through mosquitto into the
reference platform. A reading counts when the platform says that it is committed. Each peer runs
beside the agent, for the same devices, points and period of the same slave: what a busy machine
does to one it does to both, and the ratio is of one window.
"""

from __future__ import annotations

import os
import statistics
import sys
import tempfile
import time
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING

import paho.mqtt.client as mqtt
from paho.mqtt.enums import CallbackAPIVersion

from gateway.core.errors import LinkError
from gateway.core.reading import BULK
from gateway.uplink import topics
from tools.bench.peers.nodered import NodeRed
from tools.bench.peers.peer import Peer
from tools.bench.peers.scripts import Libmodbus, Minimalmodbus, PymodbusBlocks, PymodbusTags
from tools.bench.rows import row
from tools.bench.slave import stamps
from tools.bench.work import GW, Work
from tools.sim import broker
from tools.sim.process import Process, Stage, free_port

if TYPE_CHECKING:
    from typing import Any

BESIDE = Work(10, 30, 1000)  # what a small plant room has; the slowest peer still keeps up
FULL = (Work(100, 10, 1000), Work(10, 100, 1000), Work(10, 10, 100))  # 1000 points/s each
PEERS: tuple[type[Peer], ...] = (
    PymodbusTags,
    PymodbusBlocks,
    Minimalmodbus,
    NodeRed,
    Libmodbus,
)
WINDOWS = 3
WINDOW_S = 5.0
WARM_S = 5.0  # everything is connected, imported and past its first polls
FULL_S = 30.0
BAUD = 115_200  # of the line for those who know no TCP
CPU_US_MAX = 25
TIMES_LESS = 20  # than pymodbus and paho, as they are used
SHARE_MAX = 30
JITTER_MAX = 5


class Ours(Peer):
    """The agent; its readings are those the platform acknowledged."""

    name = "tidegate"
    topic = topics.of(GW, topics.ACK)

    def __init__(self) -> None:
        super().__init__()
        self._at_ack = (0.0, 0)

    def argv(self, folder: Path, work: Work, slave: str, broker_port: int) -> list[str]:
        site = work.write_site(folder, int(slave.partition(":")[2]), broker_port)
        return [sys.executable, "-m", "gateway", "run", "--site", str(site)]

    def sample(self) -> tuple[float, int]:
        # Of the last acknowledgement: what was polled since is neither paid for nor delivered.
        return self._at_ack

    def heard(self, topic: str, payload: bytes) -> None:
        if topic == self.topic:
            ack = topics.decode_ack(payload)
            if ack.ring == BULK:
                self._at_ack = (self.cpu_s(), ack.seq)


class Rig:
    """Slave, broker, platform and agent, in `folder`; who else comes, polls the same slave."""

    def __init__(self, stage: Stage, work: Work) -> None:
        self._stage = stage
        self.work = work
        self.broker_port = free_port()
        self.slave = f"127.0.0.1:{free_port()}"
        self.stamps = stage.directory / "stamps"
        stage.add(broker.start_broker(self.broker_port, stage.directory, broker.MOSQUITTO))
        slave = self._slave("slave", "--tcp", self.slave.partition(":")[2])
        slave.ready(int(self.slave.partition(":")[2]))
        told = ("--broker", f"mqtt://127.0.0.1:{self.broker_port}")
        database = ("--db", str(stage.directory / "fusion.db"))
        stage.python("platform", "-m", "gateway", "fusion", "run", *told, *database)
        self.ours = Ours()
        self._heard: list[Peer] = [self.ours]
        self._client = mqtt.Client(CallbackAPIVersion.VERSION2, "counter")
        self._client.on_message = self._hear
        self._client.connect("127.0.0.1", self.broker_port)
        self._client.subscribe(self.ours.topic, 1)
        self.ours.start(stage, work, self.slave, self.broker_port)

    def begin(self, peer: Peer) -> None:
        """Start a peer, on a serial line of its own if it knows no TCP."""
        slave = self.slave
        if peer.serial:
            line = self._stage.directory / "line"
            slave = str(line)
            self._slave("line", "--pty", slave, "--baud", str(BAUD)).until(line.exists, "open")
        if peer.topic:
            self._client.subscribe(f"{peer.topic}#", 1)
            self._heard.append(peer)
        peer.start(self._stage, self.work, slave, self.broker_port)

    def listen(self, seconds: float) -> None:
        """Count what is published meanwhile."""
        end_s = time.monotonic() + seconds
        while time.monotonic() < end_s:
            self._client.loop(timeout=0.02)

    def close(self) -> None:
        self._client.disconnect()

    def _slave(self, name: str, *where: str) -> Process:
        told = ("--devices", str(self.work.devices), "--stamps", str(self.stamps))
        return self._stage.python(name, "-m", "tools.bench.slave", *where, *told)

    def _hear(self, _: object, __: object, message: mqtt.MQTTMessage) -> None:
        for peer in self._heard:
            peer.heard(message.topic, bytes(message.payload))


def run() -> list[dict[str, Any]]:
    """Return CPU per reading beside the peers', and load and jitter at 1000 points a second."""
    rows = []
    for peer in PEERS:
        rows += beside(peer(), BESIDE)
    for work in FULL:
        rows += alone(work)
    return rows


def beside(peer: Peer, work: Work, windows: int = WINDOWS) -> list[dict[str, Any]]:
    """Return what a reading costs `peer` and us in the same windows; why not, if it is absent."""
    absent = peer.absent()
    if absent:
        return [{"figure": f"{peer.name}: not measured, {absent}", "value": "-", "unit": ""}]
    ours, theirs, ratios, shares = [], [], [], []
    with tempfile.TemporaryDirectory() as folder, Stage(Path(folder)) as stage:
        rig = Rig(stage, work)
        rig.begin(peer)
        rig.listen(WARM_S)
        for _ in range(windows):
            mine, other, share = _window(rig, peer)
            ours.append(mine)
            theirs.append(other)
            ratios.append(other / mine)
            shares.append(share)
        rig.close()
    label = f"{peer.name}, {work.points_per_s:g} points/s"
    bound = TIMES_LESS if isinstance(peer, PymodbusTags) else None
    return [
        row(f"CPU per reading, {label}", statistics.median(theirs), "us"),
        row("  tidegate beside it, to the platform", statistics.median(ours), "us", CPU_US_MAX),
        row("  times ours", statistics.median(ratios), "x", bound, at_least=True),
        row("  of the points it should have brought", 100 * statistics.median(shares), "%"),
    ]


def alone(work: Work, seconds: float = FULL_S) -> list[dict[str, Any]]:
    """Return what the agent takes of one core, and how evenly it polls."""
    with tempfile.TemporaryDirectory() as folder, Stage(Path(folder)) as stage:
        rig = Rig(stage, work)
        os.sched_setaffinity(rig.ours.pid, {max(os.sched_getaffinity(0))})
        rig.listen(WARM_S)
        begin_s, (cpu_s, readings) = time.monotonic(), rig.ours.sample()
        rig.listen(seconds)
        end_s, (cpu_end_s, readings_end) = time.monotonic(), rig.ours.sample()
        rig.close()
        asked = stamps(rig.stamps)
    jitter = _jitter(asked, work.period_ms / 1000, begin_s, end_s)
    took_s, count = end_s - begin_s, readings_end - readings
    label = f"{work.devices} devices x {work.points} points every {work.period_ms} ms"
    return [
        row(f"points/s delivered, {label}", count / took_s, "/s", 1000 * 0.97, at_least=True),
        row("  of one core", 100 * (cpu_end_s - cpu_s) / took_s, "%", SHARE_MAX),
        row("  CPU per reading", 1e6 * (cpu_end_s - cpu_s) / count, "us", CPU_US_MAX),
        row(
            "  from poll to poll, 99 of 100 are off by", 100 * jitter[0], "% of period", JITTER_MAX
        ),
        row("  the worst", 100 * jitter[1], "% of period"),
    ]


def _window(rig: Rig, peer: Peer) -> tuple[float, float, float]:
    """Return CPU per reading (us): ours, theirs; and the share of the readings they brought."""
    mine, other = rig.ours.sample(), peer.sample()
    start_s = time.monotonic()
    rig.listen(WINDOW_S)
    took_s = time.monotonic() - start_s
    mine_end, other_end = rig.ours.sample(), peer.sample()
    count = other_end[1] - other[1]
    if mine_end[1] == mine[1] or count == 0:
        raise LinkError(f"nothing came of {peer.name if count == 0 else rig.ours.name}")
    share = count / took_s / rig.work.points_per_s
    return _each_us(mine, mine_end), _each_us(other, other_end), share


def _each_us(start: tuple[float, int], end: tuple[float, int]) -> float:
    return 1e6 * (end[0] - start[0]) / (end[1] - start[1])


def _jitter(
    asked: dict[tuple[int, int], list[float]], period_s: float, begin_s: float, end_s: float
) -> tuple[float, float]:
    """Return how far one poll is from the next is off the period, in shares of it: p99, max."""
    off = []
    for times in asked.values():
        inside = [at_s for at_s in times if begin_s <= at_s <= end_s]
        off += [abs(b - a - period_s) / period_s for a, b in pairwise(inside)]
    off.sort()
    if not off:
        raise LinkError("the slave was never asked")
    return off[len(off) * 99 // 100], off[-1]
