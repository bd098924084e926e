"""A whole gateway as a process, with its broker, its platform and devices that keep a log.

What a test changes is one word: where a side lives (a network namespace), the broker's lines, the
agent's constants, its environment. `Scene.account` counts from both sides' own records.
"""

from __future__ import annotations

import contextlib
import re
import sys
import time
from typing import TYPE_CHECKING

from tests.support.device import PROFILE, Log
from tests.support.mosquitto import OPEN, need
from tests.support.netns import GATEWAY, PLATFORM
from tools.demo.account import Disk, compare
from tools.fusion.schema import open_readonly
from tools.sim.process import Process, Stage, answers, free_port

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path
    from typing import Any

    from tests.support.netns import Net

GW = "330482-0017"
SITE = """\
gateway: {gw}
platform: {{url: "{url}", announce: {announce}{more}}}
clock: system
profiles: [{folder}/profiles]
buffer: {{path: {home}/buffer, crit: 1MiB, bulk: 4MiB, commit: {commit}}}
buses:
"""
BUS = """\
  {name}:
    port: tcp://127.0.0.1:{port}
    devices:
      {name}-1: {{profile: test/counter, unit: 1, every: {every}{more}}}
"""
READY_S = 15.0


class Scene:
    """The processes of one test on `stage`, in namespaces if there is a `net`."""

    def __init__(self, stage: Stage, folder: Path, net: Net | None = None) -> None:
        self.stage = stage
        self.folder = folder
        self.port = free_port()
        self.database = folder / "fusion.db"
        self.broker_host = net.platform_address if net else "127.0.0.1"
        self._net = net
        profile = folder / "profiles/test/counter.yaml"
        profile.parent.mkdir(parents=True)
        profile.write_text(PROFILE)

    def broker(self, *lines: str) -> Process:
        """Start mosquitto: one listener at the broker's host, then `lines` (else: open to all)."""
        path = self.folder / "mosquitto.conf"
        own = [f"listener {self.port} {self.broker_host}", "user root"]
        path.write_text("\n".join([*own, *(lines or (OPEN,))]) + "\n")
        with self.inside(PLATFORM):
            broker = self.stage.add(
                Process("mosquitto", [need("mosquitto"), "-c", str(path)], self.folder)
            )
            broker.start()
            broker.until(lambda: answers(self.port, self.broker_host), "answer")
        return broker

    def fusion(self, user: str = "platform") -> Process:
        """Start the platform, beside the broker."""
        url = f"mqtt://{user}:none@{self.broker_host}:{self.port}"
        command = ("-m", "gateway", "fusion", "run", "--broker", url, "--db", str(self.database))
        with self.inside(PLATFORM):
            process = self.stage.python("fusion", *command)
        process.until(self.database.exists, "make its database", READY_S)
        return process

    def device(self, name: str) -> int:
        """Start a counter beside the gateway; return its port. Its log is `log(name)`."""
        port = free_port()
        with self.inside(GATEWAY):
            command = ("-m", "tests.support.device", str(port), str(self.folder / f"{name}.log"))
            self.stage.python(name, *command).ready(port)
        return port

    def log(self, name: str) -> Log:
        """Return what the device `name` and the agents' metronomes wrote."""
        return Log(self.folder / f"{name}.log", *self.folder.glob("*.beat"))

    def site(self, *buses: str, gw: str = GW, url: str = "", **more: str) -> Path:
        """Write the site file of `gw`; `buses` are made by `bus`."""
        home = self.folder / gw
        home.mkdir(exist_ok=True)
        words = {"announce": "60s", "commit": "200ms", "more": "", **more}
        url = url or f"mqtt://{self.broker_host}:{self.port}"
        path = home / "site.yaml"
        head = SITE.format(gw=gw, url=url, folder=self.folder, home=home, **words)
        path.write_text(head + "".join(buses))
        return path

    def bus(self, name: str, every: str, *, alarm: bool = False) -> str:
        """Start a counter called `name` and return its lines for `site`."""
        more = ", alarm: [count]" if alarm else ""
        return BUS.format(name=name, port=self.device(name), every=every, more=more)

    def agent(
        self,
        site: Path,
        *changes: str,
        environment: dict[str, str] | None = None,
        wrap: tuple[str, ...] = (),
    ) -> Process:
        """Start the agent of `site`; `changes` are for `tests.support.entry`."""
        gw = site.parent.name
        beat = f"metronome={self.folder / gw}.beat"
        inner = ["-m", "tests.support.entry", beat, *changes, "--", "run", "--site", str(site)]
        argv = [*wrap, sys.executable, *inner]
        if environment:
            argv[:0] = ["env", *[f"{name}={value}" for name, value in environment.items()]]
        process = self.stage.processes.get(gw) or self.stage.add(Process(gw, argv, self.folder))
        with self.inside(GATEWAY):
            process.start()
        return process

    def inside(self, side: str) -> Any:
        """Return a context in which what is started is on that side."""
        return self._net.inside(side) if self._net else contextlib.nullcontext()

    def said(self, gw: str = GW) -> list[str]:
        """Return the lines of the agent's journal."""
        path = self.folder / f"{gw}.err"
        return path.read_text().splitlines() if path.exists() else []

    def until_said(self, pattern: str, seconds: float, gw: str = GW, after: int = 0) -> float:
        """Return how long it took until a line beyond `after` matches; fail after `seconds`."""
        begun_s = time.monotonic()

        def found() -> bool:
            return any(re.search(pattern, line) for line in self.said(gw)[after:])

        self.until(found, seconds, lambda: f"never said {pattern}: {self.said(gw)[-5:]}")
        return time.monotonic() - begun_s

    def until(
        self,
        met: Callable[[], bool],
        seconds: float = READY_S,
        what: Callable[[], object] | None = None,
    ) -> None:
        """Return when `met()`; fail with `what()` or everybody's last words if it takes longer."""
        end_s = time.monotonic() + seconds
        while not met():
            assert time.monotonic() < end_s, what() if what else self._last_words()
            time.sleep(0.05)

    def _last_words(self) -> dict[str, str]:
        return {name: one.last_words()[-300:] for name, one in self.stage.processes.items()}

    def delivered(self, gw: str = GW) -> int:
        """Return how many readings of `gw` the platform holds."""
        return int(
            self.asked(
                "SELECT count(*) FROM readings r JOIN streams s USING (stream_id)"
                " JOIN gateways g USING (gateway_id) WHERE g.name = ?",
                gw,
            )[0][0]
        )

    def health(self, gw: str = GW) -> dict[str, Any]:
        """Return the newest health the platform holds of `gw`, {} if none."""
        import json

        rows = self.asked(
            "SELECT body FROM health JOIN gateways USING (gateway_id) WHERE name = ?"
            " ORDER BY came_ms DESC LIMIT 1",
            gw,
        )
        return json.loads(rows[0][0]) if rows else {}

    def asked(self, sql: str, *given: object) -> list[tuple[Any, ...]]:
        """Return the rows of a question to the platform's database."""
        with contextlib.closing(open_readonly(self.database)) as database:
            return database.execute(sql, given).fetchall()

    def account(self, gw: str = GW) -> dict[str, Any]:
        """Return sampled = delivered + gaps + buffered + lost of a dead agent."""
        with contextlib.closing(open_readonly(self.database)) as database:
            return compare(Disk(self.folder / gw / "buffer"), database)

    def settle(self, gw: str = GW, buffered_max: int = 10) -> dict[str, Any]:
        """Cut the agent's power and return the account: nothing may be lost."""
        self.stage.processes[gw].kill()
        time.sleep(0.5)
        found = self.account(gw)
        # Not by equal times: after a stall two polls may fall into one millisecond.
        twice = "SELECT count(value) - count(DISTINCT value) FROM readings GROUP BY point_id"
        found["duplicates"] = sum(row[0] for row in self.asked(twice))
        assert (found["lost"], found["gaps"], found["duplicates"]) == (0, 0, 0), found
        assert found["buffered"] <= buffered_max, found
        return found


@contextlib.contextmanager
def scene(folder: Path, net: Net | None = None) -> Iterator[Scene]:
    """A scene whose processes end with it."""
    with Stage(folder) as stage:
        yield Scene(stage, folder, net)
