"""Keys of Bluetooth LE devices: what they seal is opened once, and changing addresses are known.

Knows the formats that seal; knows no radio, no profile and no site.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from drivers.protocol import aes, atc, bthome, mibeacon
from gateway.core.errors import BadReply, ConfigError

if TYPE_CHECKING:
    from typing import Any

_FORMATS: dict[str, tuple[Any, int]] = {  # format → its reader, bits of its counter
    "bthome": (bthome, 32),
    "mibeacon": (mibeacon, 32),
    "atc": (atc, 8),
}
SILENCE_MS = 600_000  # after this a counter may begin anew: a battery was changed, or many missed
_RESTART = 100  # and then a long one is below this: nobody waits for more adverts to be counted

OPENED, PLAIN, REPLAYED, FORGED, CUT = "opened", "unsealed", "replayed", "forged", "bad"


class Seal:
    """One device's key in one format; ConfigError if the format seals nothing, or not with it."""

    def __init__(self, format_: str, key: bytes) -> None:
        if format_ not in _FORMATS:
            raise ConfigError("a key is of no use: the profile's format has none")
        self._format, bits = _FORMATS[format_]
        self._old: tuple[bool, ...] = ()
        if format_ == "mibeacon" and len(key) < aes.KEY:
            key, self._old = mibeacon.key(key), (True,)
        if len(key) != aes.KEY:
            raise ConfigError(f"a key has {aes.KEY} bytes, not {len(key)}")
        self._block = aes.cipher(key)
        self._span = 1 << bits
        self._last = -1
        self._last_ms = 0

    def open(self, payload: bytes, address: bytes, now_ms: int) -> tuple[bytes, str]:
        """Return (the payload as it would be plain, OPENED), or (b"", why not).

        Whoever has a key is not believed in plain: anybody could have said it.
        """
        try:
            count = self._format.counter(payload)
        except BadReply:
            return b"", CUT
        if count is None:
            return b"", PLAIN
        if not self._fresh(count, now_ms):
            return b"", REPLAYED
        try:
            plain: bytes = self._format.opened(payload, address, self._block, *self._old)
        except BadReply:
            return b"", FORGED
        self._last, self._last_ms = count, now_ms
        return plain, OPENED

    def _fresh(self, count: int, now_ms: int) -> bool:
        """Return whether a counter follows the last one; it wraps."""
        if self._last < 0 or 0 < (count - self._last) % self._span < self._span // 2:
            return True
        silent = now_ms - self._last_ms >= SILENCE_MS
        return silent and (count < _RESTART or self._span == 256) and count != self._last


class Identity:
    """A device that changes its address: knows each by the key (Core vol 3 part H §2.2.2)."""

    def __init__(self, key: bytes) -> None:
        if len(key) != aes.KEY:
            raise ConfigError(f"an identity key has {aes.KEY} bytes, not {len(key)}")
        self._block = aes.cipher(key)

    def is_mine(self, address: bytes) -> bool:
        """Return whether the device may have this address; six bytes as people print them."""
        return (
            changing(address) and self._block.encrypt(bytes(13) + address[:3])[13:] == address[3:]
        )


def changing(address: bytes) -> bool:
    """Return whether it is an address that only a key can tell (Core vol 6 part B §1.3.2.2)."""
    return len(address) == 6 and address[0] >> 6 == 1


def is_sealed(format_: str, payload: bytes) -> bool:
    """Return whether a payload of this format is sealed."""
    if format_ not in _FORMATS:
        return False
    try:
        return _FORMATS[format_][0].counter(payload) is not None
    except BadReply:
        return False
