"""A serial port on Linux as a transport: pyserial configures it, the loop watches it, no threads.

Knows no protocol. A port is opened for us alone, and a lost one is never used again.
"""

from __future__ import annotations

import asyncio
import errno
import glob
import os
import termios
from typing import TYPE_CHECKING

import serial
from serial.rs485 import RS485Settings
from serial.tools import list_ports

from drivers.transport.inbox import Inbox
from gateway.core import aio
from gateway.core.errors import ConfigError, LinkError

if TYPE_CHECKING:
    from typing import Any

PARITIES = {"none": serial.PARITY_NONE, "even": serial.PARITY_EVEN, "odd": serial.PARITY_ODD}
OUTPUT_MAX = 4096  # bytes that may stand in a port's output when its setting is changed
STUCK_US = 1_000_000
SLOW_MS = 3  # an adapter that holds bytes back for longer costs a fast line half of its speed
_READ_SIZE = 1024
_TTYS = "/sys/class/tty"
_GONE = (errno.ENOENT, errno.ENODEV, errno.ENXIO, errno.EIO)
_BUSY = (errno.EAGAIN, errno.EBUSY)


async def open_serial(
    port: str,
    baud: int = 9600,
    parity: str = "none",
    data: int = 8,
    stop: int = 1,
    rs485: dict[str, Any] | None = None,
) -> SerialPort:
    """Open `port`; LinkError while it is absent or taken, ConfigError if a person must act.

    `rs485` has the port's own RTS line switch the direction: `rts_high` while it sends, from
    `before_ms` before until `after_ms` after the bytes.
    """
    if parity not in PARITIES:
        raise ConfigError(_no_parity(port, parity))
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
        if rs485 is not None:
            _switch_direction(opened, rs485)
    except BaseException:
        opened.close()
        raise
    return SerialPort(opened, _hurry(opened))


def present_ports() -> list[str]:
    """Return the serial ports there are, by their stable names where they have one."""
    stable = sorted(glob.glob("/dev/serial/by-id/*"))
    named = [os.path.realpath(path) for path in stable]
    return stable + sorted(
        [port.device for port in list_ports.comports() if port.device not in named]
    )


class SerialPort:
    """An open port; made by `open_serial`. `note` says in a sentence what could not be set."""

    def __init__(self, opened: serial.Serial, note: str = "") -> None:
        self.note = note
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

    async def configure(self, baud: int, parity: str, data: int, stop: int) -> None:
        """Set the line anew once all that was written is sent; the port stays open.

        LinkError when the port is gone, ConfigError for a setting it cannot have.
        """
        if parity not in PARITIES:
            raise ConfigError(_no_parity(self._name, parity))
        try:
            await self._drain()
            self._set("baudrate", baud)
            self._set("bytesize", data)
            self._set("stopbits", stop)
            self._set("parity", PARITIES[parity])
        except ValueError as error:
            raise ConfigError(f"{self._name}: {error}")
        except OSError as error:
            raise self._lose(error)

    async def _drain(self) -> None:
        """Wait until all is sent; tcdrain() alone would hold up the loop meanwhile."""
        char_us = 12_000_000 // self._port.baudrate
        patient_until_us = aio.now_us() + char_us * OUTPUT_MAX + STUCK_US
        while self._port.out_waiting:
            if aio.now_us() > patient_until_us:
                raise OSError(errno.EIO, "it sends nothing; is its flow control off?")
            await aio.sleep_us(char_us * self._port.out_waiting)
        termios.tcdrain(self._fd)  # what is left stands in the chip

    def _set(self, key: str, value: Any) -> None:
        try:
            self._port.apply_settings({key: value})
        except termios.error as error:
            number, why = error.args
            if number != errno.EINVAL:
                raise OSError(number, why)
            if not os.ttyname(self._fd).startswith("/dev/pts/"):  # those have 8N only, and no wire
                raise ConfigError(f"{self._name}: it cannot have {key} {value}")

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


def _no_parity(port: str, parity: str) -> str:
    return f"{port}: parity {parity!r} is not one of {', '.join(sorted(PARITIES))}"


def _switch_direction(opened: serial.Serial, rs485: dict[str, Any]) -> None:
    """Have the kernel switch RTS around what is sent (TIOCSRS485)."""
    high = rs485["rts_high"]
    wanted = RS485Settings(high, not high, False, rs485["before_ms"] / 1e3, rs485["after_ms"] / 1e3)
    try:
        opened.rs485_mode = wanted
    except ValueError as error:
        why = "cannot switch the direction of RS-485 by RTS; adapters that do it by themselves need"
        raise ConfigError(f"{opened.port} {why} no 'rs485:' ({error})")


def _hurry(opened: serial.Serial) -> str:
    """Let the adapter pass on bytes at once; return a sentence if it goes on holding them back."""
    try:
        opened.set_low_latency_mode(True)
    except (ValueError, NotImplementedError):
        pass  # not every adapter has the switch, or needs it
    tty = os.path.basename(os.path.realpath(str(opened.port)))
    timer = f"{_TTYS}/{tty}/device/latency_timer"  # FTDI's: 16 ms unless told
    try:
        with open(timer) as file:
            held_ms = int(file.read())
    except (OSError, ValueError):
        return ""
    if held_ms <= SLOW_MS:
        return ""
    return f"{opened.port} holds replies back for {held_ms} ms: write 1 to {timer}"


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
