"""The keyboard and the output of `profile simulate`: faults and values while the device runs.

Knows keys and event lines; knows no bus.
"""

from __future__ import annotations

import contextlib
import json
import os
import sys
import termios
import tty
from typing import TYPE_CHECKING

from gateway.core.decimal import parse
from gateway.core.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from typing import Any

    from tools.sim.faults import Faults

KEYS = "n noise  s silence  d delay  x exception  v CHANNEL=VALUE  q quit"
# key → (fault, number it is switched to); the same key switches it off
FAULTS = {
    "n": ("noise", 0.02),  # a flipped bit in every second frame of a meter
    "s": ("silence", 1),
    "d": ("delay", 0.3),
    "x": ("exception", 4),  # server device failure (Modbus V1.1b3 §7)
}
REQUESTS_SHOWN = 50  # different ones; who polls on asks the same again


class Teller:
    """Says what happens: a line for people, or an event of JSON for machines."""

    def __init__(self, is_json: bool) -> None:
        self._is_json = is_json
        self._seen: set[bytes] = set()
        self._speeds: set[int] = set()
        self.exchanges = 0

    def say(self, event: str, text: str, **fields: Any) -> None:
        """Tell one event."""
        print(json.dumps({"event": event, **fields}) if self._is_json else text, flush=True)

    def exchanged(self, request: bytes, answer: bytes | None, source: str) -> None:
        """Tell a request (none of what is sent unasked) and its answer.

        People are told each different request once.
        """
        self.exchanges += 1
        shown = "nothing" if answer is None else _shown(answer)
        if not self._is_json:
            if request in self._seen or len(self._seen) >= REQUESTS_SHOWN:
                return
            self._seen.add(request)
        asked = f"→ {_shown(request)}\n" if request else ""
        text = f"{asked}← {shown}  ({source})"
        answered = None if answer is None else answer.hex()
        self.say("request", text, request=request.hex(), answer=answered, source=source)

    def unheard(self, baud: int, own: int) -> None:
        """Tell once that somebody talks at a speed the device does not understand."""
        if baud not in self._speeds:
            self._speeds.add(baud)
            text = f"somebody talks at {baud} baud; this device listens at {own}"
            self.say("speed", text, baud=baud, own=own)


class Console:
    """Turns keys into faults and values; `hold(channel, value)` sets one, `quit` ends it all."""

    def __init__(
        self,
        faults: Faults,
        hold: Callable[[str, Any], None],
        quit_: Callable[[], None],
        teller: Teller,
    ) -> None:
        self._faults = faults
        self._hold = hold
        self._quit = quit_
        self._teller = teller
        self._line: str | None = None  # what was typed after v

    def feed(self, typed: str) -> None:
        """Take what was typed, whole lines or single keys."""
        for key in typed:
            if self._line is not None:
                self._collect(key)
            elif key in FAULTS:
                self._switch(*FAULTS[key])
            elif key == "v":
                self._line = ""
            elif key == "q":
                self._quit()
            elif not key.isspace():
                self._teller.say("keys", f"keys: {KEYS}", keys=KEYS)

    def _collect(self, key: str) -> None:
        line = self._line or ""
        if key in "\r\n":
            self._line = None
            self._set(line)
        elif key in "\b\x7f":
            self._line = line[:-1]
        else:
            self._line = line + key

    def _switch(self, name: str, number: float) -> None:
        on = self._faults.value(name) == 0
        self._faults.set(f"{name}={number if on else 0}")
        told = str(self._faults) or "none"
        self._teller.say("fault", f"faults: {told}", faults=told)

    def _set(self, line: str) -> None:
        name, equals, text = (part.strip() for part in line.partition("="))
        try:
            if not equals:
                raise ConfigError("write v CHANNEL=VALUE")
            value = value_of(text)
            self._hold(name, value)
        except ConfigError as error:
            self._teller.say("error", str(error), why=str(error))
        else:
            self._teller.say("set", f"{name} is {text}", channel=name, value=text)


def _shown(frame: bytes) -> str:
    if all(byte in b"\t\r\n" or 0x20 <= byte <= 0x7E for byte in frame):
        return repr(frame.decode())
    return frame.hex(" ").upper()


def value_of(text: str) -> Any:
    """Return what a person typed as a value: true, false, a number or a word."""
    if text in ("true", "false"):
        return text == "true"
    number = parse(text) if text.lstrip("-")[:1].isdigit() else None
    return text if number is None else number


def chosen(texts: list[str]) -> dict[str, Any]:
    """Return settings from NAME=VALUE as on a command line; ConfigError if one is not that."""
    found: dict[str, Any] = {}
    for text in texts:
        name, equals, value = text.partition("=")
        if not equals:
            raise ConfigError(f"--set {text}: write NAME=VALUE")
        found[name] = value_of(value)
    return found


@contextlib.contextmanager
def keys(feed: Callable[[str], None], watch: Callable[..., None], ignore: Any) -> Iterator[None]:
    """Let `feed` have what is typed meanwhile, key by key where standard input is a terminal.

    `watch(fd, callback)` and `ignore(fd)` are those of the loop.
    """
    try:
        fd = sys.stdin.fileno()
    except (OSError, ValueError):  # closed
        yield
        return
    terminal = os.isatty(fd)
    if terminal and os.tcgetpgrp(fd) != os.getpgrp():  # started with &: the keys are the shell's
        yield
        return
    before = termios.tcgetattr(fd) if terminal else None

    def typed() -> None:
        data = os.read(fd, 4096)
        if not data:
            ignore(fd)
        feed(data.decode(errors="replace"))

    try:
        if before is not None:
            tty.setcbreak(fd)
        with contextlib.suppress(OSError):  # a file cannot be watched, and nobody types into it
            watch(fd, typed)
        yield
    finally:
        ignore(fd)
        if before is not None:
            termios.tcsetattr(fd, termios.TCSADRAIN, before)
