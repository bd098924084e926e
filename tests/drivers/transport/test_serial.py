"""The serial leaf on pseudo-terminals: bytes, locks, vanishing, and errors that say what to do."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import fcntl
import os
import struct
import termios
import tty

import pytest

from drivers.transport import serial_cpython
from drivers.transport.inbox import SIZE_MAX
from gateway.core import aio
from gateway.core.errors import ConfigError, LinkError


@contextlib.contextmanager
def pty():
    ours, theirs = os.openpty()
    tty.setraw(theirs)
    os.set_blocking(ours, False)
    try:
        yield ours, os.ttyname(theirs)
    finally:
        for fd in (ours, theirs):
            with contextlib.suppress(OSError):
                os.close(fd)


async def read_all(port, size):
    data = b""
    while len(data) < size:
        data += await port.read(size)
    return data


def test_serial_bytes_go_both_ways_whatever_they_are():
    async def story():
        with pty() as (ours, name):
            port = await serial_cpython.open_serial(name, 115200)
            await port.write(bytes(range(256)))
            assert os.read(ours, 1000) == bytes(range(256))
            os.write(ours, bytes(range(256)))
            assert await aio.within(2000, read_all(port, 256)) == bytes(range(256))
            port.close()
            port.close()

    aio.run(story())


def test_serial_drop_input_takes_even_what_the_loop_has_not_seen():
    async def story():
        with pty() as (ours, name):
            port = await serial_cpython.open_serial(name)
            assert port.drop_input() == b""
            os.write(ours, b"stale")
            assert port.drop_input() == b"stale"
            os.write(ours, b"fresh")
            assert await aio.within(2000, read_all(port, 5)) == b"fresh"
            port.close()

    aio.run(story())


def test_serial_what_nobody_reads_is_bounded():
    async def story():
        with pty() as (ours, name):
            port = await serial_cpython.open_serial(name)
            for _ in range(3 * SIZE_MAX // 1000):
                os.write(ours, b"x" * 1000)
                port._readable()
            assert len(port.drop_input()) <= SIZE_MAX
            port.close()

    aio.run(story())


def test_serial_more_than_the_port_takes_is_written_as_it_drains():
    async def story():
        with pty() as (ours, name):
            port = await serial_cpython.open_serial(name)
            writing = asyncio.create_task(port.write(b"y" * 100_000))
            seen = 0
            while seen < 100_000:
                await aio.sleep_ms(0)
                with contextlib.suppress(BlockingIOError):
                    seen += len(os.read(ours, 10_000))
            await aio.within(2000, writing)
            port.close()

    aio.run(story())


def test_serial_a_port_that_vanishes_is_a_link_error_everywhere():
    async def story():
        ours, theirs = os.openpty()
        port = await serial_cpython.open_serial(os.ttyname(theirs))
        os.close(theirs)
        os.close(ours)
        with pytest.raises(LinkError, match="plugged in"):
            await aio.within(2000, port.read(1))
        with pytest.raises(LinkError):
            await port.write(b"x")
        with pytest.raises(LinkError):
            port.drop_input()
        port.close()

    aio.run(story())


def test_serial_one_port_is_opened_once():
    async def story():
        with pty() as (_, name):
            port = await serial_cpython.open_serial(name)
            with pytest.raises(LinkError, match="in use by another program"):
                await serial_cpython.open_serial(name)
            port.close()
            again = await serial_cpython.open_serial(name)
            again.close()

    aio.run(story())


def test_serial_every_reopening_is_a_new_handle_that_works():
    async def story():
        with pty() as (ours, name):
            for _ in range(3):
                port = await serial_cpython.open_serial(name)
                os.write(ours, b"z")
                assert await aio.within(2000, port.read(1)) == b"z"
                port.close()

    aio.run(story())


def test_serial_an_absent_port_names_those_present(monkeypatch):
    monkeypatch.setattr(serial_cpython, "present_ports", lambda: ["/dev/serial/by-id/usb-A"])

    async def story():
        with pytest.raises(LinkError, match=r"not there; ports found: /dev/serial/by-id/usb-A"):
            await serial_cpython.open_serial("/dev/serial/by-id/usb-absent")

    aio.run(story())


def test_serial_what_a_person_must_mend_says_how(monkeypatch, tmp_path):
    plain = tmp_path / "file"
    plain.write_bytes(b"")

    def denied(*args, **options):
        raise serial_cpython.serial.SerialException(errno.EACCES, "denied")

    async def story():
        with pytest.raises(ConfigError, match="no usable serial port"):
            await serial_cpython.open_serial(str(plain))
        with pty() as (_, name):
            with pytest.raises(ConfigError, match="parity 'E'"):
                await serial_cpython.open_serial(name, parity="E")
            with pytest.raises(ConfigError, match="baudrate"):
                await serial_cpython.open_serial(name, -1)
        monkeypatch.setattr(serial_cpython.serial, "Serial", denied)
        with pytest.raises(ConfigError, match="usermod -aG dialout"):
            await serial_cpython.open_serial("/dev/ttyS0")

    aio.run(story())


def test_serial_present_ports_are_named_once_by_their_stable_name(monkeypatch, tmp_path):
    class Found:
        def __init__(self, device):
            self.device = device

    stable = tmp_path / "usb-A"
    stable.symlink_to("/dev/ttyUSB7")
    monkeypatch.setattr(serial_cpython.glob, "glob", lambda _: [str(stable)])
    ports = [Found("/dev/ttyUSB7"), Found("/dev/ttyS0")]
    monkeypatch.setattr(serial_cpython.list_ports, "comports", lambda: ports)
    assert serial_cpython.present_ports() == [str(stable), "/dev/ttyS0"]


RS485 = {"rts_high": False, "before_ms": 1, "after_ms": 20}


def test_serial_a_port_that_cannot_switch_rs485_says_so_and_is_closed():
    async def story():
        with pty() as (_, name):
            with pytest.raises(ConfigError, match=r"cannot switch the direction.*no 'rs485:'"):
                await serial_cpython.open_serial(name, rs485=RS485)
            (await serial_cpython.open_serial(name)).close()  # the lock on it was given back

    aio.run(story())


@pytest.mark.parametrize(
    ("rts_high", "flags"), [(True, 0b0011), (False, 0b0101)], ids=["high", "low"]
)
def test_serial_rs485_is_what_the_kernel_is_told(monkeypatch, rts_high, flags):
    told = []
    real = fcntl.ioctl

    def ioctl(fd, request, *rest):
        if request == 0x542E:  # TIOCGRS485: one that lets the receiver hear what is sent
            rest[0][0] = 0b1_0000
            return 0
        if request == 0x542F:  # TIOCSRS485: flags, delays in ms, padding, each of 32 bits
            told.append(rest[0].tobytes())
            return 0
        return real(fd, request, *rest)

    monkeypatch.setattr(fcntl, "ioctl", ioctl)

    async def story():
        with pty() as (_, name):
            port = await serial_cpython.open_serial(name, rs485={**RS485, "rts_high": rts_high})
            port.close()

    aio.run(story())
    assert told == [struct.pack("=8I", flags, 1, 20, 0, 0, 0, 0, 0)]


def test_serial_an_adapter_that_holds_bytes_back_is_named(monkeypatch, tmp_path):
    monkeypatch.setattr(serial_cpython, "_TTYS", str(tmp_path))

    async def note(held_ms):
        with pty() as (_, name):
            timer = tmp_path / os.path.basename(name) / "device/latency_timer"
            timer.parent.mkdir(parents=True, exist_ok=True)
            timer.write_text(f"{held_ms}\n")
            port = await serial_cpython.open_serial(name)
            port.close()
            timer.unlink()
            return port.note.replace(name, "PORT").replace(str(timer), "TIMER")

    assert aio.run(note(16)) == "PORT holds replies back for 16 ms: write 1 to TIMER"
    assert aio.run(note(1)) == ""


def test_serial_low_latency_is_asked_for(monkeypatch):
    told = []
    real = fcntl.ioctl

    def ioctl(fd, request, *rest):
        if request == termios.TIOCGSERIAL:
            return 0
        if request == termios.TIOCSSERIAL:
            told.append(rest[0][4])
            return 0
        return real(fd, request, *rest)

    monkeypatch.setattr(fcntl, "ioctl", ioctl)

    async def story():
        with pty() as (_, name):
            (await serial_cpython.open_serial(name)).close()

    aio.run(story())
    assert told == [0x2000]  # ASYNC_LOW_LATENCY


@pytest.mark.parametrize(
    ("setting", "speed", "flags"),
    [
        ((2400, "even", 8, 1), termios.B2400, termios.CS8 | termios.PARENB),
        ((300, "even", 7, 1), termios.B300, termios.CS7 | termios.PARENB),
        ((19200, "odd", 8, 1), termios.B19200, termios.CS8 | termios.PARENB | termios.PARODD),
        ((115200, "none", 8, 2), termios.B115200, termios.CS8 | termios.CSTOPB),
    ],
)
def test_serial_a_setting_is_changed_without_opening_the_port_anew(setting, speed, flags):
    mask = termios.CSIZE | termios.PARENB | termios.PARODD | termios.CSTOPB
    lacking = termios.PARENB | termios.CSIZE  # a pseudo-terminal has eight bits, no parity

    async def story():
        with pty() as (ours, name):
            port = await serial_cpython.open_serial(name, 9600)
            await port.write(b"before")
            await port.configure(*setting)
            found = termios.tcgetattr(port._fd)
            assert found[4:6] == [speed, speed]
            assert found[2] & mask == flags & ~lacking | termios.CS8
            os.write(ours, b"after")
            assert await aio.within(2000, read_all(port, 5)) == b"after"
            with pytest.raises(ConfigError, match="parity"):
                await port.configure(9600, "E", 8, 1)
            with pytest.raises(ConfigError, match="byte size"):
                await port.configure(9600, "none", 9, 1)
            port.close()

    aio.run(story())
