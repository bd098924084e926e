"""`tidegate profile simulate`: the profile's device, live on a pty or a TCP port.

Its tests are what it answers first, then what they describe, wandering within what is valid.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import signal
import time
from pathlib import Path
from typing import TYPE_CHECKING

from drivers.profile.bus import MODBUS
from drivers.profile.check_cpython import check_source
from drivers.profile.model import load
from gateway.core import cbor
from gateway.core.duration import milliseconds
from gateway.core.errors import ConfigError
from gateway.core.record import Record
from gateway.core.source_cpython import read_source
from tools.profile import options
from tools.profile.given import file_of
from tools.profile.live.console import FAULTS, KEYS, Console, Teller, chosen, keys
from tools.profile.live.port import Wiring
from tools.sim.faults import NAMES, Faults
from tools.sim.frames import FrameSensor
from tools.sim.modbus import ModbusTalk
from tools.sim.ports import Pace, precise_loop, serve_on_pty, serve_on_tcp
from tools.sim.sensors import sensor_of
from tools.sim.talks import FrameTalk
from tools.sim.telegrams import Meter
from tools.sim.tested import TestedSlave

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from drivers.profile.check_cpython import Checked
    from drivers.profile.model import Profile
    from tools.sim.ports import Talk
    from tools.sim.talks import Player

LOOPBACK = "127.0.0.1"  # a simulated device is for this machine
TCP = "tcp"
_EXAMPLES = """\
examples:
  tidegate profile simulate probe.yaml                        prints the pty it made
  tidegate profile simulate probe.yaml --port pty:probe       the same, under a name of yours
  tidegate profile simulate eastron/sdm630 --port tcp:1502    Modbus TCP, on this machine only
  tidegate profile simulate probe.yaml --fault noise=0.02,delay=0.3 --for 5m --seed 7
"""


def arguments(parser: argparse.ArgumentParser) -> None:
    """Add what the verb takes."""
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.epilog = f"keys while it runs:\n  {KEYS}\n\n{_EXAMPLES}"
    parser.add_argument("file", metavar="FILE", help="file, or maker/model")
    parser.add_argument(
        "--port",
        default="pty",
        metavar="PORT",
        help="pty (default), pty:LINK, or tcp:PORT (0: any free one)",
    )
    parser.add_argument("--unit", type=options.unit, help="unit number, if not the profile's")
    parser.add_argument("--framing", choices=("rtu", "ascii", TCP), help="of Modbus")
    parser.add_argument("--baud", type=options.baud, help="speed, if not the profile's")
    names = ", ".join(NAMES)
    parser.add_argument(
        "--fault", action="append", default=[], metavar="NAME[=N],…", help=f"of {names}"
    )
    parser.add_argument("--for", dest="duration", metavar="TIME", help="end after 60s, 5m …")
    parser.add_argument("--seed", type=int, default=0, help="of the faults and of what wanders")
    parser.add_argument("--still", action="store_true", help="values stay as in the tests")
    parser.add_argument(
        "--set", action="append", default=[], metavar="NAME=VALUE", help="a setting of the profile"
    )


def main(args: argparse.Namespace) -> int:
    """Play the device until it is told to end; return the exit code."""
    checked = check_source(read_source(file_of(args.file)))
    checked.report.require()
    profile = load(cbor.encode(checked.document))
    how, place = _port(args.port)
    faults = Faults(*_faults(args.fault), seed=args.seed)
    seconds = _seconds(args.duration)
    teller = Teller(getattr(args, "json", False))
    stage = _modbus if profile.bus == MODBUS else _frames
    scene = stage(args, checked, profile, faults, teller)
    with asyncio.Runner(loop_factory=precise_loop) as runner:
        runner.run(_perform(scene, how, place, faults, teller, seconds))
    teller.say("end", f"{teller.exchanges} exchanges", exchanges=teller.exchanges)
    return 0


class Scene(Record):
    """What is played: `talk` answers, `hold(channel, value)` sets a value, `wiring` of the line."""

    __slots__ = ("facts", "hold", "talk", "wiring")

    def __init__(
        self, talk: Talk, hold: Callable[[str, Any], None], wiring: Wiring, facts: dict[str, Any]
    ) -> None:
        self.talk = talk
        self.hold = hold
        self.wiring = wiring
        self.facts = facts


def _modbus(
    args: argparse.Namespace,
    checked: Checked,
    profile: Profile,
    faults: Faults,
    teller: Teller,
) -> Scene:
    framing = args.framing or (TCP if args.port.startswith(TCP) else "rtu")
    wiring = _wiring(args, profile, framing)
    unit = profile.unit if args.unit is None else args.unit
    sensor = sensor_of(checked, chosen(args.set), args.seed)
    began_s = time.monotonic()
    slave = TestedSlave(
        sensor,
        unit,
        checked.cases,
        args.still,
        teller.exchanged,
        lambda: time.monotonic() - began_s,
    )

    def hold(name: str, value: Any) -> None:
        sensor.hold(name, value)
        slave.hold()

    pace = Pace(0 if framing == TCP else wiring.baud)
    talk = ModbusTalk(slave, framing, faults, pace, 0.0)
    return Scene(talk, hold, wiring, {"unit": unit})


def _frames(
    args: argparse.Namespace,
    checked: Checked,
    profile: Profile,
    faults: Faults,
    teller: Teller,
) -> Scene:
    if profile.bus == "ble":
        raise ConfigError("a Bluetooth device needs a Bluetooth transport, which is still to come")
    if profile.bus == "driver":
        raise ConfigError("what a driver says on its line only its own module knows")
    wiring = _wiring(args, profile, "rtu")
    settings = chosen(args.set)
    hold: Callable[[str, Any], None] = _no_hold
    player: Player
    if profile.bus == "serial":
        sensor = FrameSensor(profile, checked.cases, settings, args.seed, args.still)
        player, hold = sensor, sensor.hold
    else:
        player = Meter(profile, checked.cases)
    pace = Pace(0 if args.port.startswith(TCP) else wiring.baud)
    talk = FrameTalk(player, faults, pace, teller.exchanged)
    return Scene(talk, hold, wiring, {})


def _no_hold(name: str, _value: Any) -> None:
    raise ConfigError(f"{name} stays as it is: on this bus the tests are repeated word for word")


def _wiring(args: argparse.Namespace, profile: Profile, framing: str) -> Wiring:
    return Wiring({**profile.line, **({"baud": args.baud} if args.baud else {})}, framing)


async def _perform(
    scene: Scene, how: str, place: str, faults: Faults, teller: Teller, seconds: float | None
) -> None:
    def ready(path: str) -> None:
        where = f"pty {path}" if how == "pty" else f"tcp://{path}"
        told = ", ".join(f"{name} {value}" for name, value in scene.facts.items())
        text = f"device is at {where}, {scene.wiring.text}" + (f", {told}" if told else "")
        text += f"\nkeys: {KEYS}"
        facts = {"place": path, "line": scene.wiring.text, **scene.facts}
        teller.say("ready", text, **facts, faults=str(faults) or "none")

    if how == "pty":
        link = Path(place) if place else None
        own = scene.wiring.baud
        serving = serve_on_pty(scene.talk, link, ready, own, lambda baud: teller.unheard(baud, own))
    else:
        serving = serve_on_tcp(scene.talk, LOOPBACK, int(place), ready)
    work = asyncio.create_task(serving)
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, work.cancel)

    def ended() -> None:
        work.cancel()

    console = Console(faults, scene.hold, ended, teller)
    with keys(console.feed, loop.add_reader, loop.remove_reader):
        with contextlib.suppress(asyncio.CancelledError, TimeoutError):
            await asyncio.wait_for(work, seconds)


def _port(text: str) -> tuple[str, str]:
    """Return ("pty", link or "") or ("tcp", number); ConfigError for what cannot be."""
    how, _, place = text.partition(":")
    if how == "pty":
        return how, place
    if how == TCP:
        if place.isdecimal() and len(place) <= 5 and int(place) <= 65535:
            return how, place
        raise ConfigError(f"--port {text}: write tcp:PORT, such as tcp:1502; tcp:0 is any free one")
    if how == "ble":
        raise ConfigError(
            "--port ble: there is no Bluetooth transport yet, so nobody could hear it"
        )
    raise ConfigError(f"--port {text}: it is pty, pty:LINK or tcp:PORT")


def _faults(texts: list[str]) -> list[str]:
    usual = dict(FAULTS.values())
    found = []
    for one in ",".join(texts).split(","):
        name = one.strip()
        if name:
            found.append(name if "=" in name or name not in usual else f"{name}={usual[name]}")
    return found


def _seconds(text: str | None) -> float | None:
    if text is None:
        return None
    try:
        return milliseconds(text) / 1000
    except ValueError as error:
        raise ConfigError(f"--for: {error}") from None
