"""A stand-in for bluetoothd on a D-Bus of its own: as much of org.bluez as a scan by bleak needs.

It imitates only what was seen of the real one, faults included; it proves nothing about that one.
"""

from __future__ import annotations

import asyncio
import os
import shutil
import subprocess
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dbus_fast import Message, MessageType, Variant
from dbus_fast.aio import MessageBus

from tests.support.missing import missing

if TYPE_CHECKING:
    from types import TracebackType

ADAPTER, DEVICE = "org.bluez.Adapter1", "org.bluez.Device1"
MONITORS = "org.bluez.AdvertisementMonitorManager1"
PROPERTIES = "org.freedesktop.DBus.Properties"
OBJECTS = "org.freedesktop.DBus.ObjectManager"
HCI0 = "/org/bluez/hci0"
SYSTEM_BUS = "DBUS_SYSTEM_BUS_ADDRESS"
CONFIGURATION = """<!DOCTYPE busconfig PUBLIC "-//freedesktop//DTD D-Bus Bus Configuration 1.0//EN"
 "http://www.freedesktop.org/standards/dbus/1.0/busconfig.dtd">
<busconfig><type>session</type><listen>unix:path={socket}</listen><auth>EXTERNAL</auth>
<policy context="default"><allow send_destination="*"/><allow receive_sender="*"/><allow own="*"/>
</policy></busconfig>"""


class PrivateBus:
    """A D-Bus daemon that stands in for the system's while the block runs."""

    def __enter__(self) -> PrivateBus:
        if shutil.which("dbus-daemon") is None:
            missing("dbus-daemon", "apt-get install dbus-daemon")
        self._folder = tempfile.TemporaryDirectory(prefix="bluez-")
        socket, file = Path(self._folder.name, "bus"), Path(self._folder.name, "bus.conf")
        file.write_text(CONFIGURATION.format(socket=socket))
        self._daemon = subprocess.Popen(
            ["dbus-daemon", "--nofork", "--print-address=1", f"--config-file={file}"],
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )
        assert self._daemon.stdout is not None
        self.address = self._daemon.stdout.readline().strip()
        self._before = os.environ.get(SYSTEM_BUS)
        os.environ[SYSTEM_BUS] = self.address
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        at: TracebackType | None,
    ) -> None:
        os.environ.pop(SYSTEM_BUS)
        if self._before is not None:
            os.environ[SYSTEM_BUS] = self._before
        self._daemon.terminate()
        self._daemon.wait()
        if self._daemon.stdout is not None:
            self._daemon.stdout.close()
        self._folder.cleanup()


class Bluez:
    """org.bluez on a bus. `calls` are the methods asked for; `refuse` names errors to answer."""

    def __init__(self, address: str) -> None:
        self.calls: list[str] = []
        self.refuse: dict[str, list[str]] = {}  # method → the errors of its next calls
        self._address = address
        self._objects: dict[str, dict[str, dict[str, Any]]] = {}
        self._tasks: set[asyncio.Task[None]] = set()

    async def start(self) -> Bluez:
        self._bus = MessageBus(bus_address=self._address, negotiate_unix_fd=True)
        await self._bus.connect()
        self._bus.add_message_handler(self._handle)
        await self._bus.request_name("org.bluez")
        return self

    async def stop(self) -> None:
        self._bus.disconnect()
        await self._bus.wait_for_disconnect()

    def plug(self) -> None:
        """Plug an adapter in, powered."""
        properties = {"Address": Variant("s", "00:11:22:33:44:55"), "Name": Variant("s", "gw")}
        properties |= {"Powered": Variant("b", True), "Discovering": Variant("b", False)}
        self._add(HCI0, ADAPTER, properties)
        self._add(HCI0, MONITORS, {"SupportedMonitorTypes": Variant("as", ["or_patterns"])})

    def unplug(self) -> None:
        """Take the adapter away, and the devices it has heard."""
        for path in sorted(self._objects, reverse=True):
            gone = list(self._objects.pop(path))
            self._signal("/", OBJECTS, "InterfacesRemoved", "oas", [path, gone])

    def advert(self, address: str, companies: dict[int, bytes], rssi: int = -60) -> None:
        """Let the adapter hear an advert."""
        path = f"{HCI0}/dev_" + address.replace(":", "_")
        data = {number: Variant("ay", companies[number]) for number in companies}
        heard = {"RSSI": Variant("n", rssi), "ManufacturerData": Variant("a{qv}", data)}
        if path in self._objects:
            self._objects[path][DEVICE].update(heard)
            self._signal(path, PROPERTIES, "PropertiesChanged", "sa{sv}as", [DEVICE, heard, []])
            return
        known = {"Address": Variant("s", address), "Adapter": Variant("o", HCI0)}
        known |= {"Alias": Variant("s", address.replace(":", "-")), "UUIDs": Variant("as", [])}
        known |= {name: Variant("b", False) for name in ("Connected", "Paired", "ServicesResolved")}
        self._add(path, DEVICE, known | heard)

    def _add(self, path: str, interface: str, properties: dict[str, Any]) -> None:
        self._objects.setdefault(path, {})[interface] = properties
        self._signal("/", OBJECTS, "InterfacesAdded", "oa{sa{sv}}", [path, {interface: properties}])

    def _signal(self, path: str, interface: str, member: str, form: str, body: list[Any]) -> None:
        self._bus.send(Message.new_signal(path, interface, member, form, body))

    def _handle(self, message: Message) -> bool | None:
        if message.message_type != MessageType.METHOD_CALL:
            return None
        if not message.destination or message.interface == "org.freedesktop.DBus.Peer":
            return None
        self.calls.append(message.member)
        errors = self.refuse.get(message.member)
        if errors:
            self._bus.send(Message.new_error(message, errors.pop(0), "refused"))
        else:
            self._bus.send(self._answer(message))
        return True

    def _answer(self, message: Message) -> Message:
        if message.member == "GetManagedObjects":
            return Message.new_method_return(message, "a{oa{sa{sv}}}", [self._objects])
        held = self._objects.get(message.path)
        if held is None:
            error = "org.freedesktop.DBus.Error.UnknownObject"
            return Message.new_error(message, error, message.path)
        if message.member == "Get":
            return Message.new_method_return(message, "v", [held[message.body[0]][message.body[1]]])
        if message.member == "GetAll":
            return Message.new_method_return(message, "a{sv}", [held[message.body[0]]])
        return Message.new_method_return(message)
