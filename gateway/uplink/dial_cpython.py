"""From a host name to a connected socket, TLS included, without ever blocking the loop.

Each step has its own time limit, and its own name in the LinkError when it fails.
Knows nothing of MQTT.
"""

from __future__ import annotations

import asyncio
import socket
import ssl
from pathlib import Path
from typing import TYPE_CHECKING

from gateway.core.errors import ConfigError, LinkError
from gateway.core.record import Record

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

DNS_S = 10.0
TCP_S = 5.0  # for each of the host's addresses
ADDRESSES_MAX = 4
TLS_S = 10.0
USER_TIMEOUT_MS = 15_000  # unacknowledged bytes this old end the connection (RFC 5482)
UNSENT_BYTES = 16_384  # what the kernel may hold unsent: an alarm overtakes all that is not there

# X509_V_ERR_… of OpenSSL, for which people need other words than "certificate verify failed"
_NOT_YET_VALID, _EXPIRED, _WRONG_HOST, _WRONG_ADDRESS = 9, 10, 62, 64


class Tls(Record):
    """Files (PEM) for a TLS connection: `ca` None = the system's; `cert` and `key` for mTLS."""

    __slots__ = ("ca", "cert", "key")

    def __init__(
        self, ca: str | None = None, cert: str | None = None, key: str | None = None
    ) -> None:
        self.ca = ca
        self.cert = cert
        self.key = key


def tls_context(files: Tls) -> ssl.SSLContext:
    """Return a client's context: TLS 1.2 or later, host name always checked. ConfigError."""
    if (files.cert is None) != (files.key is None):
        raise ConfigError("tls: a certificate needs its key, and a key its certificate")
    for path in (files.ca, files.cert, files.key):
        if path is not None and not Path(path).is_file():
            raise ConfigError(f"tls: no file {path}")
    try:
        context = ssl.create_default_context(cafile=files.ca)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        if files.cert is not None:
            context.load_cert_chain(files.cert, files.key, password=_no_passphrase)
    except (ssl.SSLError, OSError, ValueError) as error:
        raise ConfigError(f"tls: {files.ca}, {files.cert}, {files.key}: {error}")
    return context


async def dial(host: str, port: int, context: ssl.SSLContext | None) -> socket.socket:
    """Return a non-blocking connected socket; LinkError names the step that failed."""
    failure = LinkError(f"DNS: {host} has no address")
    for family, kind, protocol, _, place in (await _addresses(host, port))[:ADDRESSES_MAX]:
        try:
            sock = await _connect(family, kind, protocol, place)
            return sock if context is None else await _shake_hands(sock, context, host)
        except LinkError as error:
            failure = error
    raise failure


async def _addresses(host: str, port: int) -> list[Any]:
    loop = asyncio.get_running_loop()
    try:
        asked = loop.getaddrinfo(host, port, type=socket.SOCK_STREAM)
        return await asyncio.wait_for(asked, DNS_S)
    except TimeoutError:
        raise LinkError(f"DNS: no answer about {host} in {DNS_S:.0f} s")
    except (OSError, UnicodeError) as error:
        raise LinkError(f"DNS: {host}: {error}")


def _prepare(sock: socket.socket) -> None:
    sock.setblocking(False)
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    for name, value in (("TCP_USER_TIMEOUT", USER_TIMEOUT_MS), ("TCP_NOTSENT_LOWAT", UNSENT_BYTES)):
        if hasattr(socket, name):  # Linux; elsewhere the keepalive alone finds a dead peer
            sock.setsockopt(socket.IPPROTO_TCP, getattr(socket, name), value)


async def _connect(family: int, kind: int, protocol: int, place: Any) -> socket.socket:
    where = f"TCP: {place[0]} port {place[1]}"
    try:
        sock = socket.socket(family, kind, protocol)
    except OSError as error:  # an IPv6 address, and a kernel without IPv6
        raise LinkError(f"{where}: {error.strerror or error}")
    try:
        _prepare(sock)
        await asyncio.wait_for(asyncio.get_running_loop().sock_connect(sock, place), TCP_S)
    except BaseException as error:
        sock.close()
        if isinstance(error, TimeoutError):
            raise LinkError(f"{where} did not answer in {TCP_S:.0f} s")
        if isinstance(error, OSError):
            raise LinkError(f"{where}: {error.strerror or error}")
        raise
    return sock


async def _shake_hands(sock: socket.socket, context: ssl.SSLContext, host: str) -> ssl.SSLSocket:
    try:
        sock = wrapped = context.wrap_socket(
            sock, server_hostname=host, do_handshake_on_connect=False
        )
        await asyncio.wait_for(_handshake(wrapped), TLS_S)
    except BaseException as error:
        sock.close()
        if isinstance(error, TimeoutError):
            raise LinkError(f"TLS: no handshake in {TLS_S:.0f} s")
        if isinstance(error, ssl.SSLCertVerificationError):
            raise LinkError(_certificate_trouble(error, host))
        if isinstance(error, OSError):
            raise LinkError(f"TLS: {tls_words(error)}")
        raise
    return wrapped


async def _handshake(sock: ssl.SSLSocket) -> None:
    loop = asyncio.get_running_loop()
    while True:
        try:
            sock.do_handshake()
        except ssl.SSLWantReadError:
            await _wait(sock, loop.add_reader, loop.remove_reader)
        except ssl.SSLWantWriteError:
            await _wait(sock, loop.add_writer, loop.remove_writer)
        else:
            return


async def _wait(
    sock: socket.socket, add: Callable[..., None], remove: Callable[[int], bool]
) -> None:
    ready = asyncio.Event()
    add(sock.fileno(), ready.set)
    try:
        await ready.wait()
    finally:
        remove(sock.fileno())


def tls_words(error: OSError) -> str:
    """Return what OpenSSL means, without its file and line."""
    reason = getattr(error, "reason", None)
    return str(reason or error.strerror or error).lower().replace("_", " ")


def _certificate_trouble(error: ssl.SSLCertVerificationError, host: str) -> str:
    if error.verify_code == _NOT_YET_VALID:
        return "TLS date: the broker's certificate is not yet valid; is this gateway's clock right?"
    if error.verify_code == _EXPIRED:
        return "TLS date: the broker's certificate has expired, or this gateway's clock is wrong"
    if error.verify_code in (_WRONG_HOST, _WRONG_ADDRESS):
        return f"TLS name: the broker's certificate is not for {host}"
    return f"TLS trust: {error.verify_message}"


def _no_passphrase() -> str:
    # Asked for by OpenSSL when the key is encrypted; the default would ask the terminal.
    raise ValueError("the key needs a passphrase, and nobody is there to type it")
