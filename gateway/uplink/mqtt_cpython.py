"""An MQTT connection on CPython: paho as a dumb pipe inside the asyncio loop.

One paho client per connection, so that paho's own queues never outlive it; no threads, QoS 1
only. The socket is ours: paho's connect would block the loop.
Knows no pack and no ring; what a broker's answer means is the session's business.
"""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import TYPE_CHECKING

from paho.mqtt import client as paho
from paho.mqtt.enums import CallbackAPIVersion, LogLevel, MQTTErrorCode, MQTTProtocolVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties
from paho.mqtt.reasoncodes import ReasonCode

from gateway.core.errors import ConfigError, LinkError
from gateway.uplink import topics
from gateway.uplink.address import parse
from gateway.uplink.dial_cpython import Tls, dial, tls_context

if TYPE_CHECKING:
    import socket
    from typing import Any, Protocol

    from gateway.uplink.address import Address
    from gateway.uplink.uplink import Ear

    class Platform(Protocol):
        """Where and how to deliver; a setting that is not given is ""."""

        url: str
        protocol: str
        ca: str
        cert: str
        key: str
        username: str
        password_file: str


MQTT_5 = "5"  # anything else is MQTT 3.1.1, and must have been asked for
KEEPALIVE_S = 20
CONNACK_S = 10.0
MISC_S = 1.0  # how often paho looks at its keepalive
QOS = 1  # never 2: brokers were measured to drop what paho then calls delivered
INBOUND_BYTES_MAX = 8_192  # acknowledgements have 33 bytes, commands at most 1 KiB
INBOUND_MAX = 20  # messages the broker may send unacknowledged
PACKET_BYTES_MAX = 268_435_455  # of MQTT itself (§2.1.4), when the broker sets no limit
PACKET_BYTES_MIN = 1_024  # below, readings would be given up that any other broker takes
RECEIVE_MAX = 65_535  # likewise (§3.2.2.3.3)
ALIASES_MAX = 8  # topics of ours that a number stands for after the first time (§3.3.2.3.4)
# Reasons of a CONNACK (§3.2.2.2): client id, password, authorization, ban, method.
_ABOUT_WHO_WE_ARE = (0x85, 0x86, 0x87, 0x8A, 0x8C)
_PLEASE_SEND_WILL = 0x04  # a reason to disconnect, §3.14.2.1


async def open_link(gw: str, platform: Platform, ear: Ear) -> MqttLink:
    """Connect `gw` to its platform's broker; LinkError or ConfigError names the step that failed.

    Certificates and passwords are read anew each time: they are renewed while we run.
    """
    address = parse(platform.url)
    files = Tls(platform.ca or None, platform.cert or None, platform.key or None)
    if not address.tls and files != Tls():
        raise ConfigError(f"platform: certificates are given, but {address.shown} is not mqtts://")
    context = tls_context(files) if address.tls else None
    client = _Client(gw, mqtt_5=platform.protocol == MQTT_5)
    client.max_inflight_messages_set(0)  # the session's window is the limit
    client.will_set(topics.of(gw, topics.STATE), topics.OFFLINE, QOS, retain=True)
    username = platform.username or address.username
    if username:
        password = address.password
        if platform.password_file:
            password = _secret(platform.password_file)
        client.username_pw_set(username, password)
    client.given = await dial(address.host, address.port, context)
    link = MqttLink(client, client.given, ear)
    await link.connect(address)
    return link


class _Client(paho.Client):
    """paho over a socket that is already connected: `given`."""

    given: socket.socket

    def __init__(self, gw: str, *, mqtt_5: bool) -> None:
        super().__init__(
            CallbackAPIVersion.VERSION2,
            client_id=gw,
            clean_session=None if mqtt_5 else True,
            protocol=MQTTProtocolVersion.MQTTv5 if mqtt_5 else MQTTProtocolVersion.MQTTv311,
            reconnect_on_failure=False,
        )

    def _create_socket(self) -> socket.socket:
        return self.given


class MqttLink:
    """One connection, which the Ear given hears of until it is lost."""

    def __init__(self, client: _Client, sock: socket.socket, ear: Ear) -> None:
        self.receive_max = RECEIVE_MAX
        self.packet_max = PACKET_BYTES_MAX
        self.blocked = False
        self._client = client
        self._sock = sock
        self._fd = sock.fileno()
        self._ear = ear
        self._loop = asyncio.get_running_loop()
        self._mqtt_5 = client.protocol == MQTTProtocolVersion.MQTTv5
        self._tokens: dict[int, int] = {}  # by paho's message id
        self._retain = True
        self._properties: dict[tuple[str, int], Properties] = {}
        self._aliases_max = 0
        self._aliases: dict[str, int] = {}
        self._connack: asyncio.Future[None] = self._loop.create_future()
        self._timer: asyncio.TimerHandle | None = None
        self._watched = True
        self._over = False
        self._complaint = ""  # the last error paho logged, which it tells nobody else
        client.on_log = self._on_log
        client.on_connect = self._on_connect
        client.on_disconnect = self._on_disconnect
        client.on_subscribe = self._on_subscribe
        client.on_publish = self._on_publish
        client.on_message = self._on_message
        client.on_socket_close = self._on_socket_close
        client.on_socket_register_write = self._on_register_write
        client.on_socket_unregister_write = self._on_unregister_write

    async def connect(self, address: Address) -> None:
        """Send CONNECT and await the CONNACK; LinkError says what the broker had against it."""
        more: dict[str, Any] = {}
        if self._mqtt_5:
            properties = Properties(PacketTypes.CONNECT)  # type: ignore[no-untyped-call]
            properties.SessionExpiryInterval = 0
            properties.ReceiveMaximum = INBOUND_MAX
            properties.MaximumPacketSize = INBOUND_BYTES_MAX
            more = {"clean_start": True, "properties": properties}
        try:
            self._client.connect(address.host, address.port, KEEPALIVE_S, **more)
            self._loop.add_reader(self._fd, self._on_readable)
            self._misc()
            await asyncio.wait_for(self._connack, CONNACK_S)
        except TimeoutError:
            self._end()
            raise LinkError(f"MQTT: no CONNACK in {CONNACK_S:.0f} s")
        except OSError as error:
            self._end()
            raise LinkError(f"MQTT: {error}")
        except BaseException:
            self._end()
            raise

    def subscribe(self, topic: str) -> None:
        """Ask for the messages of `topic`; the link is lost if the broker refuses."""
        self._client.subscribe(topic, QOS)
        self._flush()

    def publish(
        self, token: int, topic: str, payload: bytes, content_type: str, *, retain: bool
    ) -> None:
        """Publish; the broker's answer comes to the Ear with `token`."""
        properties = None
        if self._mqtt_5:
            alias = 0 if retain else self._aliases.get(topic, 0)
            if alias:
                topic = ""
            elif not retain and len(self._aliases) < self._aliases_max:
                alias = self._aliases[topic] = len(self._aliases) + 1
            properties = self._properties_for(content_type, alias)
        retain = retain and self._retain
        sent = self._client.publish(topic, payload, QOS, retain=retain, properties=properties)
        assert sent.rc != MQTTErrorCode.MQTT_ERR_QUEUE_SIZE
        self._tokens[sent.mid] = token
        self._flush()

    def close(self) -> None:
        """End the connection; the broker then publishes our will."""
        if self._over:
            return
        self._over = True
        if self._mqtt_5:
            reason = ReasonCode(PacketTypes.DISCONNECT, identifier=_PLEASE_SEND_WILL)
            self._client.disconnect(reason)
            self._client.loop_write()
        self._end()  # under MQTT 3.1.1 only an end without DISCONNECT sends the will

    def _flush(self) -> None:
        self._client.loop_write()
        self.blocked = self._client.want_write()

    def _properties_for(self, content_type: str, alias: int) -> Properties:
        found = self._properties.get((content_type, alias))
        if found is None:
            found = Properties(PacketTypes.PUBLISH)  # type: ignore[no-untyped-call]
            if content_type:
                found.ContentType = content_type
            if alias:
                found.TopicAlias = alias
            self._properties[content_type, alias] = found
        return found

    def _misc(self) -> None:
        self._client.loop_misc()
        if not self._over:
            self._timer = self._loop.call_later(MISC_S, self._misc)

    def _on_readable(self) -> None:
        self._client.loop_read()
        # TLS may have decrypted more than one packet's worth, of which no select() knows.
        while not self._over and getattr(self._sock, "pending", int)():
            self._client.loop_read()

    def _on_writable(self) -> None:
        self._client.loop_write()
        if self.blocked and not self._over and not self._client.want_write():
            self.blocked = False
            self._ear.clear()

    def _on_register_write(self, *_: object) -> None:
        if self._watched:
            self._loop.add_writer(self._fd, self._on_writable)

    def _on_unregister_write(self, *_: object) -> None:
        if self._watched:
            self._loop.remove_writer(self._fd)

    def _on_socket_close(self, *_: object) -> None:
        # Before it is closed: a closed descriptor cannot be taken out of the selector.
        if self._watched:
            self._watched = False
            self._loop.remove_reader(self._fd)
            self._loop.remove_writer(self._fd)

    def _on_log(self, _client: object, _data: object, level: int, text: str) -> None:
        if level == LogLevel.MQTT_LOG_ERR:
            self._complaint = text

    def _on_connect(
        self, _client: object, _data: object, _flags: Any, reason: ReasonCode, limits: object
    ) -> None:
        if self._connack.done():
            return
        if reason.is_failure:
            step = "auth" if reason.value in _ABOUT_WHO_WE_ARE else "MQTT"
            what = f"{step}: the broker refused us: {reason} (0x{reason.value:02x})"
            self._connack.set_exception(LinkError(what))
            return
        self.receive_max = getattr(limits, "ReceiveMaximum", RECEIVE_MAX)
        self.packet_max = getattr(limits, "MaximumPacketSize", PACKET_BYTES_MAX)
        if self.packet_max < PACKET_BYTES_MIN:
            what = f"MQTT: the broker takes packets of {self.packet_max} bytes only"
            self._connack.set_exception(LinkError(f"{what}, {PACKET_BYTES_MIN} are needed"))
            return
        self._retain = getattr(limits, "RetainAvailable", 1) == 1
        self._aliases_max = min(ALIASES_MAX, getattr(limits, "TopicAliasMaximum", 0))
        if getattr(limits, "MaximumQoS", QOS) < QOS:
            self._connack.set_exception(LinkError("MQTT: the broker takes QoS 0 only"))
            return
        self._connack.set_result(None)

    def _on_disconnect(
        self, _client: object, _data: object, flags: Any, reason: ReasonCode, _more: object
    ) -> None:
        code = reason.value if flags.is_disconnect_packet_from_server else 0
        # paho has no words for a connection that ended without DISCONNECT.
        spoken = code or self._complaint
        why = f"MQTT: {self._complaint or reason}" if spoken else "MQTT: the connection broke"
        if "[SSL: " in why:  # with TLS 1.3 a refused certificate shows at the first read
            why = "TLS: " + why.split("] ", 1)[-1].split(" (_ssl", 1)[0]
        self._lose(why, code)

    def _on_subscribe(
        self, _client: object, _data: object, _id: int, reasons: list[ReasonCode], _more: object
    ) -> None:
        if any(reason.is_failure for reason in reasons):
            self._lose(f"ACL: the broker refused our subscription: {reasons[0]}")

    def _on_publish(
        self, _client: object, _data: object, mid: int, reason: ReasonCode, _more: object
    ) -> None:
        token = self._tokens.pop(mid, None)
        if token is not None:
            self._ear.puback(token, reason.value)

    def _on_message(self, _client: object, _data: object, message: paho.MQTTMessage) -> None:
        try:
            topic = message.topic
        except UnicodeDecodeError:
            self._lose("MQTT: the broker sent a topic that is no text")
        else:
            self._ear.message(topic, bytes(message.payload))

    def _lose(self, why: str, code: int = 0) -> None:
        if self._over:
            return  # paho tells of some ends twice
        self._end()
        if not self._connack.done():
            self._connack.set_exception(LinkError(why))
        else:
            self._ear.lost(why, code)

    def _end(self) -> None:
        self._over = True
        self._on_socket_close()
        if self._timer is not None:
            self._timer.cancel()
        self._sock.close()


def _secret(path: str) -> str:
    try:
        return Path(path).read_text().strip()
    except (OSError, UnicodeError) as error:
        raise ConfigError(f"platform: password file {path}: {error}")
