"""The paho leaf against a server on loopback that says exactly what a test wants, byte by byte."""

from __future__ import annotations

import asyncio
import socket
from typing import TYPE_CHECKING

import pytest

from gateway.core.errors import LinkError
from gateway.site import Platform
from gateway.uplink import mqtt_cpython
from gateway.uplink.dial_cpython import UNSENT_BYTES, USER_TIMEOUT_MS
from gateway.uplink.mqtt_cpython import MqttLink, open_link

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

LIMIT_S = 5.0
CONNECT, PUBLISH, SUBSCRIBE, DISCONNECT = 0x10, 0x30, 0x80, 0xE0
WELCOME = bytes.fromhex("2003000000")


class Notes:
    """An Ear that remembers what it heard."""

    def __init__(self) -> None:
        self.pubacks: list[tuple[int, int]] = []
        self.messages: list[tuple[str, bytes]] = []
        self.losses: list[tuple[str, int]] = []
        self.clears = 0

    def puback(self, token: int, code: int) -> None:
        self.pubacks.append((token, code))

    def message(self, topic: str, payload: bytes) -> None:
        self.messages.append((topic, payload))

    def clear(self) -> None:
        self.clears += 1

    def lost(self, why: str, code: int = 0) -> None:
        self.losses.append((why, code))


class Server:
    """Answers each kind of packet with the bytes `says` gives for it; b"" closes."""

    def __init__(self, says: dict[int, bytes]) -> None:
        self.says = says
        self.heard: list[tuple[int, bytes]] = []
        self.reading = asyncio.Event()
        self.reading.set()
        self.port = 0
        self.over = False

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while True:
                await self.reading.wait()
                kind = (await reader.readexactly(1))[0]
                size = shift = 0
                while True:
                    digit = (await reader.readexactly(1))[0]
                    size |= (digit & 127) << shift
                    shift += 7
                    if digit < 128:
                        break
                self.heard.append((kind, await reader.readexactly(size)))
                answer = self.says.get(kind & 0xF0)
                if answer is not None:
                    writer.write(answer)
                if answer == b"":
                    break
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        writer.close()
        self.over = True

    def bodies(self, kind: int) -> list[bytes]:
        return [body for heard, body in self.heard if heard & 0xF0 == kind]


def meet(
    says: dict[int, bytes],
    scene: Callable[[MqttLink, Server, Notes], Awaitable[None]],
    protocol: str = "5",
) -> Server:
    """Connect to a Server, play `scene`, and return the Server for what it heard."""

    async def whole() -> Server:
        server = Server(says)
        listening = await asyncio.start_server(server.serve, "127.0.0.1", 0)
        server.port = listening.sockets[0].getsockname()[1]
        notes = Notes()
        place = Platform(f"mqtt://127.0.0.1:{server.port}", protocol)
        async with listening:
            link = await open_link("gw-1", place, notes)  # type: ignore[arg-type]
            await asyncio.wait_for(scene(link, server, notes), LIMIT_S)
            link.close()
            await asyncio.wait_for(until(lambda: server.over), LIMIT_S)
        return server

    return asyncio.run(whole())


async def until(met: Callable[[], object]) -> None:
    while not met():
        await asyncio.sleep(0)


async def nothing(_link: MqttLink, _server: Server, _notes: Notes) -> None:
    pass


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        ("2003008700", "auth: the broker refused us: Not authorized"),
        ("2003008600", "auth: the broker refused us: Bad user name or password"),
        ("2003008400", "MQTT: the broker refused us: Unsupported protocol version"),
        ("20050000022400", "MQTT: the broker takes QoS 0 only"),
        ("200800000527000003ff", "MQTT: the broker takes packets of 1023 bytes only"),
        ("ffffffffffffff", "MQTT: "),
        ("485454502f312e31", "MQTT: "),
        ("", "MQTT: "),
    ],
)
def test_link_connack_that_is_no_welcome_is_told(
    monkeypatch: pytest.MonkeyPatch, answer: str, words: str
) -> None:
    monkeypatch.setattr(mqtt_cpython, "CONNACK_S", 0.2)
    with pytest.raises(LinkError) as raised:
        meet({CONNECT: bytes.fromhex(answer)}, nothing)
    assert str(raised.value).startswith(words)


def test_link_without_connack_gives_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mqtt_cpython, "CONNACK_S", 0.05)
    with pytest.raises(LinkError, match="no CONNACK"):
        meet({}, nothing)


def test_link_takes_the_limits_of_the_connack() -> None:
    async def scene(link: MqttLink, _server: Server, _notes: Notes) -> None:
        assert (link.receive_max, link.packet_max) == (7, 1234)
        sock = link._sock
        assert sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)
        assert sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT) == USER_TIMEOUT_MS
        lowat = getattr(socket, "TCP_NOTSENT_LOWAT", 25)
        assert sock.getsockopt(socket.IPPROTO_TCP, lowat) == UNSENT_BYTES

    meet({CONNECT: bytes.fromhex("200b00000821000727000004d2")}, scene)


def test_link_without_limits_has_those_of_mqtt() -> None:
    async def scene(link: MqttLink, _server: Server, _notes: Notes) -> None:
        assert (link.receive_max, link.packet_max) == (65_535, 268_435_455)

    meet({CONNECT: WELCOME}, scene)
    meet({CONNECT: bytes.fromhex("20020000")}, scene, "3.1.1")


def test_link_refused_subscription_is_a_loss_with_its_reason() -> None:
    async def scene(link: MqttLink, _server: Server, notes: Notes) -> None:
        link.subscribe("sensing/1/gw-1/ack")
        await until(lambda: notes.losses)
        assert notes.losses[0][0].startswith("ACL: the broker refused our subscription")

    meet({CONNECT: WELCOME, SUBSCRIBE: bytes.fromhex("900400010087")}, scene)
    meet(
        {CONNECT: bytes.fromhex("20020000"), SUBSCRIBE: bytes.fromhex("9003000180")}, scene, "3.1.1"
    )


def test_link_hands_on_why_the_broker_hung_up() -> None:
    async def scene(link: MqttLink, _server: Server, notes: Notes) -> None:
        link.publish(1, "a", b"x", "b", retain=False)
        await until(lambda: notes.losses)
        assert notes.losses == [("MQTT: Packet too large", 0x95)]

    meet({CONNECT: WELCOME, PUBLISH: bytes.fromhex("e0019500")[:3]}, scene)


def test_link_message_with_a_topic_that_is_no_text_is_a_loss() -> None:
    async def scene(link: MqttLink, _server: Server, notes: Notes) -> None:
        link.publish(1, "a", b"x", "b", retain=False)
        await until(lambda: notes.losses)
        assert notes.losses == [("MQTT: the broker sent a topic that is no text", 0)]
        assert notes.messages == []

    meet({CONNECT: WELCOME, PUBLISH: bytes.fromhex("30050001ff0061")}, scene)


def test_link_is_lost_once_when_the_broker_closes() -> None:
    async def scene(link: MqttLink, _server: Server, notes: Notes) -> None:
        link.publish(1, "a", b"x", "b", retain=False)
        await until(lambda: notes.losses)
        link.publish(2, "a", b"x", "b", retain=False)  # into the void, without complaint
        for _ in range(10):
            await asyncio.sleep(0)
        assert [code for _, code in notes.losses] == [0]

    meet({CONNECT: WELCOME, PUBLISH: b""}, scene)


def test_link_answers_come_with_the_token_of_their_publish() -> None:
    async def scene(link: MqttLink, server: Server, notes: Notes) -> None:
        # Two answers in one segment, the second with a reason; then a message.
        link.publish(501, "a", b"x", "b", retain=False)
        server.says[PUBLISH] = bytes.fromhex("4002000140030002973006000161006869")
        link.publish(502, "a", b"x", "b", retain=False)
        await until(lambda: notes.messages and len(notes.pubacks) == 2)
        assert notes.pubacks == [(501, 0), (502, 0x97)]
        assert notes.messages == [("a", b"hi")]

    meet({CONNECT: WELCOME}, scene)


def test_link_publishes_qos_1_with_content_type_and_never_2() -> None:
    async def scene(link: MqttLink, server: Server, _notes: Notes) -> None:
        link.publish(1, "t", b"payload", "application/x", retain=True)
        await until(lambda: server.bodies(PUBLISH))

    server = meet({CONNECT: WELCOME}, scene)
    first, body = next(packet for packet in server.heard if packet[0] & 0xF0 == PUBLISH)
    assert first == 0x33  # QoS 1, retained
    assert body == b"\x00\x01t" + b"\x00\x01" + b"\x10\x03\x00\x0dapplication/x" + b"payload"
    server = meet({CONNECT: bytes.fromhex("20050000022500")}, scene)
    assert [kind for kind, _ in server.heard if kind & 0xF0 == PUBLISH] == [0x32]  # not retained
    assert mqtt_cpython.QOS == 1


def test_link_says_a_topic_once_where_the_broker_takes_an_alias_for_it() -> None:
    async def scene(link: MqttLink, server: Server, _notes: Notes) -> None:
        for number, (topic, retain) in enumerate(
            [("a/up", False), ("a/up", False), ("a/now", True), ("a/now", False), ("a/up", False)]
        ):
            link.publish(number, topic, b"x", "", retain=retain)
        await until(lambda: len(server.bodies(PUBLISH)) == 5)

    server = meet({CONNECT: bytes.fromhex("2006000003220001")}, scene)
    told = [
        (body[2 : 2 + body[1]], body[4 + body[1] : -1])  # topic; properties with their length
        for body in server.bodies(PUBLISH)
    ]
    alias = bytes.fromhex("03230001")
    assert told == [
        (b"a/up", alias),
        (b"", alias),
        (b"a/now", b"\0"),
        (b"a/now", b"\0"),
        (b"", alias),
    ]
    server = meet({CONNECT: WELCOME}, scene)
    assert [body[2 : 2 + body[1]] for body in server.bodies(PUBLISH)].count(b"a/up") == 3


def test_link_connects_clean_with_a_will_and_asks_for_it_at_the_end() -> None:
    server = meet({CONNECT: WELCOME}, nothing)
    (connect,) = server.bodies(CONNECT)
    assert connect[:7] == b"\x00\x04MQTT\x05"
    assert connect[7] == 0x02 | 0x04 | 0x08 | 0x20  # clean start; will: QoS 1, retained
    assert connect[8:10] == b"\x00\x14"  # keepalive 20 s
    assert b"sensing/1/gw-1/state" in connect
    assert server.bodies(DISCONNECT) in ([b"\x04"], [b"\x04\x00"])


def test_link_says_when_it_is_full_and_when_it_is_clear_again() -> None:
    async def scene(link: MqttLink, server: Server, notes: Notes) -> None:
        server.reading.clear()
        sent = 0
        while not link.blocked:
            link.publish(sent, "t", bytes(100_000), "b", retain=False)
            sent += 1
            assert sent < 1_000
        assert notes.clears == 0
        server.reading.set()
        await until(lambda: notes.clears)
        assert not link.blocked
        await until(lambda: len(server.bodies(PUBLISH)) == sent)

    meet({CONNECT: WELCOME}, scene)
