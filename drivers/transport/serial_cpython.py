"""A serial port on Linux as a transport: pyserial configures it, the loop watches it, no threads.

Knows no protocol. A port is opened for us alone, and a lost one is never used again.
"""

from __future__ import annotations

import asyncio
import errno
import glob
import os

import serial
from serial.tools import list_ports

from drivers.transport.inbox import Inbox
from gateway.core import aio
from gateway.core.errors import ConfigError, LinkError

PARITIES = {"none": serial.PARITY_NONE, "even": serial.PARITY_EVEN, "odd": serial.PARITY_ODD}
_READ_SIZE = 1024
_GONE = (errno.ENOENT, errno.ENODEV, errno.ENXIO, errno.EIO)
_BUSY = (errno.EAGAIN, errno.EBUSY)


async def open_serial(
    port: str, baud: int = 9600, parity: str = "none", data: int = 8, stop: int = 1
) -> SerialPort:
    """Open `port`; LinkError while it is absent or taken, ConfigError if a person must act."""
    if parity not in PARITIES:
        raise ConfigError(f"{port}: parity {parity!r} is not one of {', '.join(sorted(PARITIES))}")
    try:
        opened = serial.Serial(
            port,
            baud,
            bytesize=data,
            parity=PARITIES[parity],
            stopbits=stop,
            timeout=0,
            exclusive=True,
        )
    except ValueError as error:
        raise ConfigError(f"{port}: {error}")
    except OSError as error:
        raise _translated(port, error)
    try:
        opened.set_low_latency_mode(True)
    except (ValueError, NotImplementedError):
        pass  # not every adapter has the switch; where it has, replies come 15 ms earlier
    return SerialPort(opened)


def present_ports() -> list[str]:
    """Return the serial ports there are, by their stable names where they have one."""
    stable = sorted(glob.glob("/dev/serial/by-id/*"))
    named = [os.path.realpath(path) for path in stable]
    return stable + sorted(
        [port.device for port in list_ports.comports() if port.device not in named]
    )


class SerialPort:
    """An open port; made by `open_serial`."""

    def __init__(self, opened: serial.Serial) -> None:
        self._name = str(opened.port)
        self._port = opened
        self._fd = opened.fileno()
        self._inbox = Inbox()
        self._empty = 0
        self._loop = asyncio.get_running_loop()
        self._loop.add_reader(self._fd, self._readable)

    async def read(self, size_max: int) -> bytes:
        """Wait for 1..size_max bytes; LinkError when the port is gone."""
        return await self._inbox.take(size_max)

    async def write(self, data: bytes) -> None:
        """Hand all of `data` to the port; LinkError when the port is gone."""
        while data:
            try:
                data = data[os.write(self._fd, data) :]
            except BlockingIOError:
                await self._writable()
            except OSError as error:
                raise self._lose(error)

    def drop_input(self) -> bytes:
        """Throw away and return what came in; LinkError when the port is gone."""
        self._pull()
        return self._inbox.drop()

    def close(self) -> None:
        """Close the port."""
        if self._fd >= 0:
            self._loop.remove_reader(self._fd)
            self._loop.remove_writer(self._fd)
            self._fd = -1
            self._port.close()

    async def _writable(self) -> None:
        ready = aio.Event()
        self._loop.add_writer(self._fd, ready.set)
        try:
            await ready.wait()
        finally:
            if self._fd >= 0:
                self._loop.remove_writer(self._fd)

    def _readable(self) -> None:
        # Once "readable" and empty: `drop_input` was faster. Twice: the line hung up.
        self._empty = 0 if self._pull() else self._empty + 1
        if self._empty > 1:
            self._lose(OSError(errno.EIO, "hung up"))

    def _pull(self) -> bool:
        try:
            data = os.read(self._fd, _READ_SIZE)
        except BlockingIOError:
            return False
        except OSError as error:
            self._lose(error)
            return True
        self._inbox.put(data)
        return bool(data)

    def _lose(self, error: OSError) -> LinkError:
        lost = LinkError(f"{self._name} is gone: {error.strerror}; is the adapter plugged in?")
        self._loop.remove_reader(self._fd)
        self._inbox.lose(lost)
        return lost


def _translated(port: str, error: OSError) -> LinkError | ConfigError:
    if error.errno in (errno.EACCES, errno.EPERM):
        return ConfigError(
            f"{port}: permission denied; allow this user with "
            "'sudo usermod -aG dialout $USER', then log in again"
        )
    if error.errno in _BUSY:
        return LinkError(f"{port} is in use by another program; 'fuser -v {port}' names it")
    if error.errno in _GONE:
        found = ", ".join(present_ports()) or "none at all"
        return LinkError(f"{port} is not there; ports found: {found}")
    return ConfigError(f"{port} is no usable serial port: {error}")
