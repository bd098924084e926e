"""A real mosquitto with the settings a test needs, and an uplink and a platform around it."""

from __future__ import annotations

import asyncio
import contextlib
import random
import subprocess
from typing import TYPE_CHECKING

from gateway.core.errors import TidegateError
from gateway.site import Platform
from gateway.uplink.mqtt_cpython import open_link
from gateway.uplink.uplink import Uplink
from tests.gateway.uplink import fakes
from tests.support.missing import missing
from tools.sim import brokers
from tools.sim.process import Process, free_port, program

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable
    from pathlib import Path
    from typing import Any

OPEN = "allow_anonymous true"
PLATFORM_KINDS = ("up/+", "state", "now")
EVERYTHING_S = 20.0  # for what takes two on an idle machine


def need(name: str) -> str:
    """Return the path of a program; skip the test, or fail it where nothing may be skipped."""
    found = program(name)
    if found is None:
        missing(name, "apt-get install mosquitto openssl")
    return found


def mosquitto(directory: Path, *lines: str) -> tuple[Process, int]:
    """Start mosquitto with these lines of configuration; return it and its plain port."""
    need("mosquitto")
    port = free_port()
    argv = brokers.mosquitto(directory, port, *(lines or (OPEN,)))
    process = Process("mosquitto", argv, directory)
    process.start()
    process.ready(port)
    return process, port


def openssl(directory: Path, *arguments: str) -> None:
    """Run openssl in `directory`."""
    command = [need("openssl"), *arguments]
    subprocess.run(command, cwd=directory, check=True, capture_output=True, timeout=30)


@contextlib.asynccontextmanager
async def platform(port: int, gw: str = "+") -> AsyncIterator[fakes.FakePlatform]:
    """A platform of `gw` (all of them) that connects, and connects again, until left."""
    name = f"platform-{gw.strip('+')}"
    found = fakes.FakePlatform()

    async def keep_connected() -> None:
        while True:
            if found.link is None:
                with contextlib.suppress(TidegateError):
                    link = await open_link(name, Platform(f"mqtt://127.0.0.1:{port}"), found)
                    for kind in PLATFORM_KINDS:
                        link.subscribe(f"sensing/1/{gw}/{kind}")
                    found.link = link
            await asyncio.sleep(0.02)

    task = asyncio.create_task(keep_connected())
    try:
        yield found
    finally:
        task.cancel()
        if found.link is not None:
            found.link.close()


@contextlib.asynccontextmanager
async def uplink(
    source: Any, place: Platform, gw: str = fakes.GW, **options: Any
) -> AsyncIterator[Uplink]:
    """A running uplink of `source`, whose back-off is a tenth of the real one."""
    made = Uplink(
        gw,
        source,
        fakes.FakeAbout(),
        fakes.UNITS,
        fakes.stamp,
        lambda ear: open_link(gw, place, ear),
        lambda: random.random() / 10,
        **options,
    )
    task = asyncio.create_task(made.run())
    try:
        yield made
        assert not task.done(), task
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def until(met: Callable[[], bool], what: object, seconds: float = EVERYTHING_S) -> None:
    """Return when `met()`; fail with `what` if that takes too long."""
    loop = asyncio.get_running_loop()
    end_s = loop.time() + seconds
    while not met():
        assert loop.time() < end_s, what() if callable(what) else what
        await asyncio.sleep(0.01)
