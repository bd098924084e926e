"""`tidegate demo`: a table to watch and keys to break things with, or a scripted performance."""

from __future__ import annotations

import json
import os
import select
import shutil
import signal
import sys
import tempfile
import termios
import time
import tty
from pathlib import Path
from typing import TYPE_CHECKING

from gateway.core.duration import milliseconds
from gateway.core.errors import ConfigError, LinkError
from tools.demo import view
from tools.demo.account import account
from tools.demo.script import DISTURBANCES, cues
from tools.demo.world import World
from tools.fusion.schema import open_readonly

if TYPE_CHECKING:
    import argparse
    import sqlite3

    from tools.demo.script import Cue

KEYS = {"n": "noise", "b": "broker", "p": "agent", "f": "fusion"}
HELP = "keys: n noise · b broker · p power cut · f platform · q quit"
REFRESH_S = 0.5
PLAIN_REFRESH_S = 5.0  # without a terminal a new table is a new page
POWER_CUT_S = 1.0  # how long the agent stays down after `p`
FIRST_VALUE_S = 30.0  # then something is wrong with this machine, and we say what


def arguments(parser: argparse.ArgumentParser) -> None:
    """Declare what `demo` takes."""
    parser.add_argument("--for", dest="duration", metavar="TIME", help="perform for 60s, 5m …")
    parser.add_argument(
        "--disturb",
        default="",
        metavar="NAMES",
        help=f"with --for: break these meanwhile, of {','.join(sorted(DISTURBANCES))}",
    )
    parser.add_argument("--seed", type=int, default=1, help="of sensors and script (default 1)")
    parser.add_argument("--keep", metavar="DIR", help="leave site file, buffer and database there")


def main(args: argparse.Namespace) -> int:
    """Run the demonstration; 0 if nothing was lost, 1 otherwise."""
    script = _script(args)
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # ends in order, like Ctrl-C
    kept = Path(args.keep).resolve() if args.keep else None
    if kept and kept.exists() and any(kept.iterdir()):
        raise ConfigError(f"--keep {kept} is not empty: it would mix two performances")
    directory = kept or Path(tempfile.mkdtemp(prefix="tidegate-demo-"))
    try:
        with World(directory, args.seed) as world:
            show = Show(world, quiet=args.json)
            world.start()
            first_value_s = show.wait_for_first_value()
            if script is None:
                show.live()
            else:
                show.scripted(script, milliseconds(args.duration) / 1000)
            found = account(world, first_value_s)
    finally:
        if not kept:
            shutil.rmtree(directory, ignore_errors=True)
    print(json.dumps(found, indent=2) if args.json else _told(found))
    return 0 if found["lost"] == 0 and found["duplicates"] == 0 else 1


class Show:
    """One performance of a world, on a terminal, in a pipe or silently."""

    def __init__(self, world: World, *, quiet: bool) -> None:
        self._world = world
        self._quiet = quiet
        self._terminal = sys.stdout.isatty() and not quiet
        self._started_s = time.monotonic()
        self._database: sqlite3.Connection | None = None
        self._mend_at: dict[str, float] = {}

    def wait_for_first_value(self) -> float:
        """Return after how many seconds a value arrived; LinkError naming what failed."""
        self._say("starting sensors, broker, platform and gateway …")
        while not self._arrived():
            if time.monotonic() - self._started_s > FIRST_VALUE_S:
                raise LinkError(f"no value arrived in {FIRST_VALUE_S:.0f} s: {self._why()}")
            self._check_alive()
            time.sleep(0.05)
        took_s = time.monotonic() - self._started_s
        self._say(f"first value in the platform's database after {took_s:.1f} s")
        return took_s

    def live(self) -> None:
        """Draw and take keys until `q`, Ctrl-C or the end of the input."""
        if not self._terminal or not sys.stdin.isatty():
            self._plain()
            return
        before = termios.tcgetattr(sys.stdin)
        try:
            tty.setcbreak(sys.stdin)
            print("\x1b[2J", end="")
            while self._turn():
                pass
        except KeyboardInterrupt:
            pass
        finally:
            termios.tcsetattr(sys.stdin, termios.TCSADRAIN, before)

    def scripted(self, script: list[Cue], lasts_s: float) -> None:
        """Perform the cues, then leave the world to itself until the time is over."""
        start_s = time.monotonic()
        for cue in script:
            self._idle_until(start_s + cue.at_s)
            self._world.shake(cue.name, cue.down)
            self._say(f"{cue.at_s:6.1f} s  {cue.name} {'breaks' if cue.down else 'is back'}")
        self._idle_until(start_s + lasts_s)

    def _turn(self) -> bool:
        self._draw()
        ready, _, _ = select.select([sys.stdin], [], [], REFRESH_S)
        key = os.read(sys.stdin.fileno(), 1).decode(errors="replace") if ready else ""
        name = KEYS.get(key)
        if name:
            down = name not in self._world.broken
            self._world.shake(name, down)
            if name == "agent" and down:
                self._mend_at[name] = time.monotonic() + POWER_CUT_S
        for name, at_s in list(self._mend_at.items()):
            if time.monotonic() >= at_s:
                del self._mend_at[name]
                self._world.shake(name, False)
        self._check_alive()
        return key not in {"q", "\x04"}

    def _plain(self) -> None:
        try:
            while True:
                self._idle_until(time.monotonic() + PLAIN_REFRESH_S)
                print("\n".join(self._lines(40)), end="\n\n", flush=True)
        except KeyboardInterrupt:
            pass

    def _draw(self) -> None:
        size = shutil.get_terminal_size()
        broken = ", ".join(sorted(self._world.broken)) or "nothing"
        lines = [*self._lines(size.lines - 7), "", f"broken now: {broken}", HELP]
        lines = [line[: size.columns - 1] for line in lines]
        print(
            "\x1b[H" + "".join(f"{line}\x1b[K\n" for line in lines) + "\x1b[J", end="", flush=True
        )

    def _lines(self, lines_max: int) -> list[str]:
        database = self._opened()
        if database is None:
            return ["the platform's database is not there yet"]
        now_ms = time.time_ns() // 1_000_000
        lines = view.table(view.rows(database, now_ms), lines_max)
        return [*lines, "", *view.accounting(view.counts(database), view.arrived(database))]

    def _arrived(self) -> bool:
        database = self._opened()
        return database is not None and view.arrived(database) > 0

    def _opened(self) -> sqlite3.Connection | None:
        if self._database is None and self._world.database.exists():
            try:
                self._database = open_readonly(self._world.database)
            except ConfigError:
                return None  # it is being made this moment
        return self._database

    def _idle_until(self, at_s: float) -> None:
        while time.monotonic() < at_s:
            self._check_alive()
            time.sleep(min(0.1, max(0.0, at_s - time.monotonic())))

    def _check_alive(self) -> None:
        for process in self._world.dead():
            raise LinkError(f"{process.name} ended by itself: {process.last_words()}")

    def _why(self) -> str:
        words = [
            f"{name}: {process.last_words().splitlines()[-1]}"
            for name, process in self._world.stage.processes.items()
            if process.last_words()
        ]
        return "; ".join(words) or "no process said why"

    def _say(self, text: str) -> None:
        if not self._quiet:
            print(text, flush=True)


def _script(args: argparse.Namespace) -> list[Cue] | None:
    names = [name for name in args.disturb.split(",") if name]
    unknown = sorted(set(names) - set(DISTURBANCES))
    if unknown:
        raise ConfigError(f"--disturb {unknown[0]}: choose of {', '.join(sorted(DISTURBANCES))}")
    if args.duration is None:
        if names or args.json:
            raise ConfigError("--disturb and --json need --for TIME")
        return None
    try:
        lasts_ms = milliseconds(args.duration)
    except ValueError as error:
        raise ConfigError(f"--for: {error}")
    return cues(names, lasts_ms / 1000, args.seed)


def _told(found: dict[str, object]) -> str:
    return (
        f"\nsampled {found['sampled']} = delivered {found['delivered']} + gaps {found['gaps']}"
        f" + buffered {found['buffered']}   lost {found['lost']}, duplicates {found['duplicates']}"
        f" ({found['repeats']} repeats removed)"
    )
