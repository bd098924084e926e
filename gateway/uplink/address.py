"""Where the platform is: `mqtts://user:password@host:port` taken apart.

Knows the form of the address, not whether anybody lives there.
"""

from __future__ import annotations

from gateway.core.errors import ConfigError
from gateway.core.record import Record

PORT, TLS_PORT = 1883, 8883
_SCHEMES = {"mqtt": PORT, "mqtts": TLS_PORT}
_HEX = "0123456789abcdefABCDEF"


class Address(Record):
    """A broker; `shown` is the address without password, for messages."""

    __slots__ = ("host", "password", "port", "shown", "tls", "username")

    def __init__(
        self,
        host: str,
        port: int,
        *,
        tls: bool,
        username: str | None = None,
        password: str | None = None,
    ) -> None:
        self.host = host
        self.port = port
        self.tls = tls
        self.username = username
        self.password = password
        self.shown = f"{'mqtts' if tls else 'mqtt'}://{host}:{port}"

    def __repr__(self) -> str:
        return f"Address({self.shown})"  # never the password


def parse(url: str) -> Address:
    """Return the address `url` says; ConfigError (without its password) if it is malformed."""
    scheme, mark, rest = url.partition("://")
    if not mark or scheme not in _SCHEMES:
        raise ConfigError("platform: the address must begin with mqtt:// or mqtts://")
    account, mark, place = rest.rpartition("@")
    username, colon, password = account.partition(":")
    if bool(mark) != bool(username):
        raise ConfigError("platform: the address has no user name before '@'")
    host, port = _host_and_port(place[:-1] if place.endswith("/") else place, _SCHEMES[scheme])
    return Address(
        host,
        port,
        tls=scheme == "mqtts",
        username=_unquote(username) if mark else None,
        password=_unquote(password) if colon else None,
    )


def _host_and_port(place: str, port: int) -> tuple[str, int]:
    if place.startswith("["):  # IPv6, RFC 3986 §3.2.2
        host, mark, rest = place[1:].partition("]")
        if not mark or (rest and not rest.startswith(":")):
            raise ConfigError(f"platform: {place!r} is no IPv6 host")
        digits, given = rest[1:], bool(rest)
    else:
        host, colon, digits = place.partition(":")
        given = bool(colon)
    if not host or [letter for letter in "/?# " if letter in place]:
        raise ConfigError(f"platform: {place!r} is no host, or host:port")
    if given:
        if not digits.isdigit() or not 0 < int(digits) < 65_536:
            raise ConfigError(f"platform: {digits!r} is no port")
        port = int(digits)
    return host, port


def _unquote(text: str) -> str:
    """Return `text` with its %xx turned into what they stand for (RFC 3986 §2.1)."""
    first, *rest = text.split("%")
    out = bytearray(first.encode())
    for part in rest:
        digits = part[:2]
        if len(digits) != 2 or digits[0] not in _HEX or digits[1] not in _HEX:
            raise ConfigError("platform: a '%' in user or password must be written %25")
        out += bytes((int(digits, 16),)) + part[2:].encode()
    try:
        return out.decode()
    except ValueError:
        raise ConfigError("platform: user or password is not UTF-8")
