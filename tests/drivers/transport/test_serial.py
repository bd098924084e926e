"""The serial leaf on pseudo-terminals: bytes, locks, vanishing, and errors that say what to do."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import os
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
