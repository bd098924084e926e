"""The uplink against a real mosquitto: killed, stalled, strict, and refusing."""

from __future__ import annotations

import asyncio
import random
import socket
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from gateway.core import cbor
from gateway.core.errors import ConfigError, LinkError
from gateway.core.reading import BULK, CRIT
from gateway.site import Platform
from gateway.uplink import lane, topics
from gateway.uplink.deflate_cpython import deflate
from gateway.uplink.mqtt_cpython import KEEPALIVE_S, open_link
from tests.gateway.uplink.fakes import GW, FakePlatform, FakeSource, everything
from tests.support.mosquitto import OPEN, mosquitto, need, openssl, platform, until, uplink

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = pytest.mark.system


def at(port: int, protocol: str = "5") -> Platform:
    return Platform(f"mqtt://127.0.0.1:{port}", protocol)


@pytest.mark.parametrize("protocol", ["5", "3.1.1"])
def test_uplink_loses_nothing_while_the_broker_is_killed_and_stalled(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, protocol: str
) -> None:
    monkeypatch.setattr(lane, "ACK_TIMEOUT_MS", 1_000)
    chance = random.Random(11)
    broker, port = mosquitto(tmp_path, OPEN)
    source = FakeSource(crit=50, bulk=5_000)
    faults = 12

    async def storm(held: FakePlatform) -> None:
        for number in range(faults):
            source.add(BULK, 1_500)
            source.add(CRIT, 3)
            await asyncio.sleep(chance.uniform(0.05, 0.3))
            if number % 3 == 2:
                broker.pause()
                await asyncio.sleep(0.2)
                broker.resume()
            else:
                broker.kill()
                broker.start()
        await until(lambda: everything(source, held), lambda: (source.cursors, held.high))

    async def run() -> FakePlatform:
        async with platform(port) as held, uplink(source, at(port, protocol)):
            await storm(held)
            return held

    try:
        held = asyncio.run(run())
    finally:
        broker.kill()
    assert broker.starts == 9
    assert held.missing(BULK, source.durable[BULK]) == []
    assert held.missing(CRIT, source.durable[CRIT]) == []
    assert source.durable == {CRIT: 86, BULK: 23_000}
    assert source.rejected == []
    assert source.wrong_acks == 0


def test_uplink_puback_without_a_platform_moves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lane, "ACK_TIMEOUT_MS", 1_000)
    broker, port = mosquitto(tmp_path, OPEN)
    source = FakeSource(crit=5, bulk=1_000)

    async def run() -> None:
        async with uplink(source, at(port)) as up:
            await until(lambda: up.counts().get("puback_absent", 0) >= 5, up.counts)
            await asyncio.sleep(0.2)
            assert source.cursors == {CRIT: 0, BULK: 0}
            async with platform(port) as held:
                await until(lambda: everything(source, held), up.counts)

    try:
        asyncio.run(run())
    finally:
        broker.kill()


def test_uplink_obeys_packet_size_and_receive_maximum(tmp_path: Path) -> None:
    lines = (OPEN, "max_packet_size 2500", "max_inflight_messages 2")
    broker, port = mosquitto(tmp_path, *lines)
    source = FakeSource(bulk=3_000)
    source.values = {700: "x" * 3_000}  # one reading that this broker can never take

    async def run() -> dict[str, int]:
        async with platform(port) as held, uplink(source, at(port)) as up:
            await until(lambda: everything(source, held), up.counts)
            return up.counts()

    try:
        counts = asyncio.run(run())
    finally:
        broker.kill()
    assert source.rejected == [(BULK, 700)]
    assert counts["connects"] == 1


def test_uplink_denied_lane_waits_and_the_other_goes_on(tmp_path: Path) -> None:
    rules = "topic readwrite sensing/1/+/ack\ntopic readwrite sensing/1/+/up/crit\n"
    (tmp_path / "acl").write_text(rules + "topic readwrite sensing/1/+/state\n")
    broker, port = mosquitto(tmp_path, OPEN, f"acl_file {tmp_path / 'acl'}")
    source = FakeSource(crit=200, bulk=200)

    async def run() -> dict[str, int]:
        async with platform(port), uplink(source, at(port)) as up:
            await until(lambda: source.cursors[CRIT] == 200, up.counts)
            await until(lambda: up.counts()["puback_denied"] >= 3, up.counts)
            return up.counts()

    try:
        counts = asyncio.run(run())
    finally:
        broker.kill()
    assert source.cursors[BULK] == 0
    assert counts["packs"] <= 10  # the denied lane was not hammered
    assert counts["connects"] == 1


def test_uplink_says_offline_by_its_will_and_deflates(tmp_path: Path) -> None:
    broker, port = mosquitto(tmp_path, OPEN)
    source = FakeSource(bulk=500)

    async def run() -> None:
        async with platform(port) as held:
            for protocol in ("5", "3.1.1"):
                source.add(BULK, 100)
                async with uplink(source, at(port, protocol), deflate=deflate) as up:
                    await until(lambda: everything(source, held), up.counts)
                    assert cbor.decode(held.retained["state"])["state"] == "online"
                await until(lambda: held.retained["state"] == topics.OFFLINE, "no will")

    try:
        asyncio.run(run())
    finally:
        broker.kill()


def why(place: Platform) -> str:
    """Return why a connection to `place` is refused."""

    async def run() -> str:
        try:
            link = await open_link(GW, place, FakePlatform())
        except LinkError as error:
            return str(error)
        link.close()
        return ""

    return asyncio.run(run())


def test_link_errors_name_their_step(tmp_path: Path) -> None:
    need("mosquitto_passwd")
    passwords = tmp_path / "passwords"
    passwords.touch(0o600)
    command = ["mosquitto_passwd", "-b", str(passwords), "gw", "right"]
    subprocess.run(command, check=True, capture_output=True)
    secret = tmp_path / "secret"
    secret.write_text("right\n")
    broker, port = mosquitto(tmp_path, "allow_anonymous false", f"password_file {passwords}")
    with socket.socket() as mute:
        mute.bind(("127.0.0.1", 0))
        try:
            assert why(at(mute.getsockname()[1])).startswith("TCP: 127.0.0.1 port")
            assert why(Platform("mqtt://nowhere.invalid")).startswith("DNS: nowhere.invalid")
            assert "auth: the broker refused us" in why(at(port))
            assert "auth: " in why(Platform(f"mqtt://gw:wrong@127.0.0.1:{port}", "3.1.1"))
            assert why(Platform(f"mqtt://gw:right@127.0.0.1:{port}", "3.1.1")) == ""
            place = Platform(f"mqtt://127.0.0.1:{port}", username="gw", password_file=str(secret))
            assert why(place) == ""
            with pytest.raises(ConfigError, match="password file"):
                why(Platform(place.url, username="gw", password_file=str(tmp_path / "none")))
        finally:
            broker.kill()


@pytest.fixture(scope="module")
def keys(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two CAs, and certificates of the first: a broker's, an expired broker's, a gateway's."""
    where = tmp_path_factory.mktemp("keys")
    new_key = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]
    for ca in ("ca", "other-ca"):
        subject = ["-subj", f"/CN={ca}", "-keyout", f"{ca}.key", "-out", f"{ca}.pem"]
        openssl(where, "req", "-x509", *new_key, "-days", "2", *subject)
    (where / "san").write_text("subjectAltName=DNS:localhost,IP:127.0.0.1\n")
    (where / "elsewhere").write_text("subjectAltName=DNS:broker.example\n")
    for name, ca, days, names in (
        ("broker", "ca", "2", "san"),
        ("expired", "ca", "0", "san"),
        ("elsewhere", "ca", "2", "elsewhere"),
        (GW, "ca", "2", ""),
        ("stranger", "other-ca", "2", ""),
    ):
        subject = ["-subj", f"/CN={name}", "-keyout", f"{name}.key", "-out", f"{name}.csr"]
        openssl(where, "req", *new_key, *subject)
        signer = ["-CA", f"{ca}.pem", "-CAkey", f"{ca}.key", "-CAcreateserial", "-days", days]
        more = ["-extfile", names] if names else []
        openssl(where, "x509", "-req", "-in", f"{name}.csr", *signer, "-out", f"{name}.pem", *more)
    return where


@pytest.fixture
def tls_broker(tmp_path: Path, keys: Path) -> Iterator[dict[str, int]]:
    """One mosquitto with three TLS listeners, by the certificate each shows."""
    lines = ["allow_anonymous true"]
    ports: dict[str, int] = {}
    with socket.socket() as first, socket.socket() as second, socket.socket() as third:
        for name, sock in (("broker", first), ("expired", second), ("elsewhere", third)):
            sock.bind(("127.0.0.1", 0))
            ports[name] = sock.getsockname()[1]
    for name, port in ports.items():
        lines += [f"listener {port} 127.0.0.1", f"cafile {keys / 'ca.pem'}"]
        lines += [f"certfile {keys / name}.pem", f"keyfile {keys / name}.key"]
        lines += ["require_certificate true", "use_identity_as_username true"]
    broker, _ = mosquitto(tmp_path, *lines)
    broker.ready(ports["broker"])
    yield ports
    broker.kill()


def secured(
    port: int, keys: Path, name: str = GW, ca: str = "ca", host: str = "localhost"
) -> Platform:
    files = {"cert": str(keys / f"{name}.pem"), "key": str(keys / f"{name}.key")} if name else {}
    return Platform(f"mqtts://{host}:{port}", ca=str(keys / f"{ca}.pem"), **files)


def test_link_mutual_tls_accepts_only_the_right_pair(
    tls_broker: dict[str, int], keys: Path
) -> None:
    port = tls_broker["broker"]
    assert why(secured(port, keys)) == ""
    assert why(secured(port, keys, host="127.0.0.1")) == ""
    refused = [
        (secured(port, keys, ca="other-ca"), "TLS trust: "),
        (secured(tls_broker["elsewhere"], keys), "TLS name: "),
        (secured(tls_broker["expired"], keys), "TLS date: "),
        (secured(port, keys, name=""), "TLS: tlsv13 alert certificate required"),
        (secured(port, keys, name="stranger"), "TLS: tlsv1 alert unknown ca"),
    ]
    for place, words in refused:
        found = why(place)
        assert found.startswith(words), found
    assert why(Platform(f"mqtt://localhost:{port}")).startswith("MQTT: ")


def test_link_tls_files_are_checked_before_anything_is_sent(keys: Path) -> None:
    unusable = [
        secured(1, keys, name="nobody"),
        secured(1, keys, ca="nothing"),
        Platform("mqtts://h", cert=str(keys / f"{GW}.pem")),
        Platform("mqtts://h", cert=str(keys / f"{GW}.pem"), key=str(keys / "ca.key")),
        Platform("mqtt://h", ca=str(keys / "ca.pem")),
    ]
    for place in unusable:
        with pytest.raises(ConfigError):
            why(place)


def test_uplink_delivers_over_mutual_tls(tmp_path: Path, keys: Path) -> None:
    plain = "listener {} 127.0.0.1"
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        tls_port = sock.getsockname()[1]
    lines = [OPEN, plain.format(tls_port), f"cafile {keys / 'ca.pem'}"]
    lines += [f"certfile {keys / 'broker'}.pem", f"keyfile {keys / 'broker'}.key"]
    broker, port = mosquitto(tmp_path, *lines, "require_certificate true")
    source = FakeSource(crit=100, bulk=20_000)

    async def run() -> dict[str, int]:
        async with platform(port) as held, uplink(source, secured(tls_port, keys)) as up:
            await until(lambda: everything(source, held), up.counts)
            return up.counts()

    try:
        counts = asyncio.run(run())
    finally:
        broker.kill()
    assert counts["connects"] == 1
    assert KEEPALIVE_S == 20
