"""`tidegate run`: the agent on Linux, under systemd or by hand."""

from __future__ import annotations

import asyncio
import importlib
import os
import random
import signal
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from gateway import __version__
from gateway.agent.agent import Agent
from gateway.agent.load_cpython import Loaded, settings
from gateway.agent.plan import is_refused
from gateway.buffer.writer_cpython import open_buffer
from gateway.core import cbor, clock_cpython, log, loop_cpython
from gateway.core.errors import BadReply
from gateway.systemd_cpython import notify
from gateway.uplink.deflate_cpython import deflate

if TYPE_CHECKING:
    import argparse
    from typing import Any

    from drivers.opener import Transport
    from gateway.agent.plan import Plan, WiredBus
    from gateway.buffer.buffer import Buffer
    from gateway.core.reading import Point
    from gateway.site import Site, Storage
    from gateway.uplink.uplink import Ear, Link


def arguments(parser: argparse.ArgumentParser) -> None:
    """Declare what `run` takes."""
    parser.add_argument("--site", required=True, type=Path, metavar="FILE", help="the site file")


def main(args: argparse.Namespace) -> int:
    """Run until told to stop; ConfigError naming every problem of the site file."""
    loaded = Loaded(args.site)
    site, plan = loaded.require()
    log.to_journal("JOURNAL_STREAM" in os.environ)
    log.event(log.INFO, "start", gateway=site.gateway, version=__version__)
    if loaded.capacity and loaded.capacity.shortage:
        log.event(log.WARNING, "buffer", remark=loaded.capacity.shortage)
    _load_leaves(plan)
    try:
        loop_cpython.run(_until_stopped(Agent(site, plan, LinuxLeaves(site.storage))))
    except asyncio.CancelledError:
        pass
    notify("STOPPING=1")
    sys.stdout.flush()
    # Crash-only: what is durable is durable, and a storage thread stuck in a card must not keep us.
    os._exit(0)


class LinuxLeaves:
    """Ports, storage, broker and clock of a Linux gateway."""

    observe = staticmethod(clock_cpython.observe)
    random = staticmethod(random.random)
    deflate = staticmethod(deflate)

    def __init__(self, storage: Storage) -> None:
        self._ready = False
        self._learned = Path(storage.path).parent / "learned.cbor"

    async def open_transport(self, wired: WiredBus) -> Transport:
        """Open the port of a bus; ConfigError or LinkError."""
        if wired.serial:
            from drivers.transport.serial_cpython import open_serial

            return await open_serial(wired.bus.port, **wired.line, rs485=wired.bus.rs485)
        from drivers.transport.tcp import open_tcp

        host, port = wired.address
        return await open_tcp(host, port)

    async def open_buffer(self, storage: Storage, points: list[Point]) -> Buffer:
        """Recover or format the buffer; ConfigError if another process has it."""
        return await open_buffer(storage.path, settings(storage), points, __version__)

    async def open_link(self, site: Site, ear: Ear) -> Link:
        """Connect to the platform's broker; LinkError naming the step that failed."""
        from gateway.uplink.mqtt_cpython import open_link

        return await open_link(site.gateway, site.platform, ear)

    def alive(self, status: str, fed: bool) -> None:
        """Tell systemd that all parts move (`fed`), or else to end us now."""
        lines = [f"STATUS={status}"]
        if fed:
            lines += ["WATCHDOG=1"] if self._ready else ["READY=1", "WATCHDOG=1"]
            self._ready = True
        else:
            # Each part had its own limit: waiting for WatchdogSec= on top of it helps nobody.
            lines += ["WATCHDOG=trigger"]
        notify(*lines)

    def recall(self) -> dict[str, Any]:
        """Return what was remembered last, nothing if that cannot be read: it is learned anew."""
        try:
            found = cbor.decode(self._learned.read_bytes())
        except (OSError, BadReply):
            return {}
        return found if is_refused(found) else {}

    def remember(self, learned: dict[str, Any]) -> None:
        """Keep `learned` for the next start, if the disk allows: without it, it is learned anew."""
        new = self._learned.with_suffix(".new")
        try:
            new.write_bytes(cbor.encode(learned))
            new.replace(self._learned)
        except OSError:
            return


def _load_leaves(plan: Plan) -> None:
    """Import now what takes long: in the running loop it would hold up the first polls."""
    importlib.import_module("gateway.uplink.mqtt_cpython")
    if any(bus.serial for bus in plan.buses):
        importlib.import_module("drivers.transport.serial_cpython")


async def _until_stopped(agent: Agent) -> None:
    task = asyncio.ensure_future(agent.run())
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, task.cancel)
    await task
