"""What can go wrong on a line, by name, with a chance each, changeable while it runs.

Knows bytes only; a seed makes the same faults again.
"""

from __future__ import annotations

import random

from gateway.core.errors import ConfigError

GARBAGE_MAX = 8  # bytes of noise before a reply

# name → what it does; the number after "=" is a chance per reply (1 if left out) unless said
NAMES = {
    "silence": "no reply",
    "truncate": "a reply stops somewhere",
    "garbage": f"1..{GARBAGE_MAX} random bytes come before the reply",
    "echo": "the request comes back before the reply, as from some RS-485 adapters",
    "noise": "one bit of a byte flips; the number is the chance per byte",
    "delay": "the reply comes late; the number is in seconds",
    "exception": "every request is refused; the number is the Modbus exception code",
}


class Faults:
    """Named faults; `Faults("noise=0.01", "silence=0.2", seed=1)`, later `set("none")`."""

    def __init__(self, *texts: str, seed: int = 0) -> None:
        self._random = random.Random(seed)
        self._values = dict.fromkeys(NAMES, 0.0)
        for text in texts:
            self.set(text)

    def __str__(self) -> str:
        return ", ".join(f"{name}={self._values[name]:g}" for name in NAMES if self._values[name])

    def set(self, text: str) -> None:
        """Set one fault "name" or "name=number", or all to "none"; ConfigError says which exist."""
        name, _, number = text.strip().partition("=")
        if name == "none":
            self._values = dict.fromkeys(NAMES, 0.0)
            return
        if name not in NAMES:
            raise ConfigError(f"fault {name!r} is none of {', '.join(NAMES)}, none")
        try:
            value = float(number or 1)
        except ValueError:
            raise ConfigError(f"fault {text!r}: {number!r} is not a number") from None
        most = {"delay": 3600, "exception": 255}.get(name, 1)
        if not 0 <= value <= most:
            raise ConfigError(f"fault {text!r}: the number must be 0..{most}")
        self._values[name] = value

    def value(self, name: str) -> float:
        """Return the number of a fault, 0 if it does not happen."""
        return self._values[name]

    @property
    def delay_s(self) -> float:
        return self._values["delay"]

    @property
    def exception(self) -> int:
        """The code every request is refused with; 0: none is."""
        return int(self._values["exception"])

    def strikes(self, name: str) -> bool:
        """Say whether the fault happens this time."""
        chance = self._values[name]
        return chance > 0 and self._random.random() < chance

    def spoil(self, frame: bytes) -> bytes:
        """Return what of a reply comes through."""
        if self.strikes("silence"):
            return b""
        if self.strikes("truncate"):
            frame = frame[: self._random.randrange(1, len(frame))]
        if self.strikes("garbage"):
            frame = self._random.randbytes(self._random.randint(1, GARBAGE_MAX)) + frame
        if self._values["noise"]:
            frame = bytes(self._flipped(byte) for byte in frame)
        return frame

    def _flipped(self, byte: int) -> int:
        return byte ^ 1 << self._random.randrange(8) if self.strikes("noise") else byte
