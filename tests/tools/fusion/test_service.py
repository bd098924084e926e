"""The service's own decisions, with a client that is no broker's."""

from __future__ import annotations

import argparse
import sqlite3
import time
from typing import TYPE_CHECKING

import pytest
from paho.mqtt.client import DisconnectFlags
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.reasoncodes import ReasonCode

from gateway.core.errors import ConfigError, LinkError
from gateway.core.reading import BULK
from gateway.uplink import address, topics
from gateway.uplink.topics import Ack
from tests.tools.fusion import fake
from tools.fusion import cli, schema, service
from tools.fusion.service import Service

if TYPE_CHECKING:
    from pathlib import Path


BROKER = address.parse("mqtt://localhost")


class Message:
    def __init__(self, mid: int, topic: str, payload: bytes) -> None:
        self.mid, self.qos, self.payload = mid, 1, payload
        self._topic = topic

    @property
    def topic(self) -> str:
        if not self._topic:
            raise UnicodeDecodeError("utf-8", b"\xff", 0, 1, "no text")
        return self._topic


class FakeClient:
    """Hands over messages one a turn, and looks into the database at each acknowledgement."""

    def __init__(self, served: Service, path: Path) -> None:
        self.served, self.path = served, path
        self.arriving: list[Message] = []
        self.log: list[object] = []

    def loop(self, timeout: float) -> int:
        assert timeout == 0 or not self.served.ingest.pending
        if self.arriving:
            self.served._on_message(None, None, self.arriving.pop(0))
        return 0

    def publish(self, topic: str, payload: bytes, qos: int) -> None:
        database = schema.open_readonly(self.path)
        stored = database.execute("SELECT count(*) FROM readings").fetchone()[0]
        database.close()
        self.log.append((topic, topics.decode_ack(payload), qos, stored))

    def ack(self, mid: int, qos: int) -> None:
        self.log.append((mid, qos))


@pytest.fixture
def client(tmp_path: Path) -> FakeClient:
    path = tmp_path / "fusion.db"
    served = Service(BROKER, path)
    served._client = FakeClient(served, path)
    return served._client


def turn(client: FakeClient, times: int) -> None:
    for _ in range(times):
        client.served._turn()


def test_service_acknowledges_only_what_another_process_could_read(client: FakeClient) -> None:
    client.arriving = [Message(n, *fake.message(4 * n - 3)) for n in (1, 2)]
    turn(client, 2)
    assert client.log == []
    turn(client, 1)  # the line is quiet: commit, acknowledge, and only then confirm to the broker
    ack = (topics.of(fake.GW, topics.ACK), Ack(BULK, fake.LOG, 8), 1, 8)
    assert client.log == [ack, (1, 1), (2, 1)]


def test_service_commits_a_full_batch_although_the_line_is_busy(
    client: FakeClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(service, "COMMIT_MESSAGES", 3)
    monkeypatch.setattr(service, "COMMIT_MS", 60_000)
    client.arriving = [Message(n, *fake.message(4 * n - 3)) for n in range(1, 5)]
    turn(client, 3)
    assert len(client.log) == 4
    assert len(client.arriving) == 1


def test_service_commits_an_old_batch_although_the_line_is_busy(
    client: FakeClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    client.arriving = [Message(n, *fake.message(4 * n - 3)) for n in range(1, 5)]
    turn(client, 1)
    assert client.log == []
    later_s = time.monotonic() + service.COMMIT_MS / 1000 + 1
    monkeypatch.setattr(service.time, "monotonic", lambda: later_s)
    turn(client, 1)
    assert len(client.log) == 3


def test_service_confirms_what_it_refuses_or_the_broker_would_send_it_for_ever(
    client: FakeClient,
) -> None:
    client.arriving = [Message(7, "", b""), Message(8, topics.up(fake.GW, BULK), b"\xff")]
    turn(client, 3)
    assert client.log == [(7, 1), (8, 1)]


def test_service_of_one_database_runs_once(client: FakeClient) -> None:
    with pytest.raises(LinkError, match="another process"):
        Service(BROKER, client.path)


def test_service_commits_survive_a_power_cut(client: FakeClient) -> None:
    database = client.served.ingest.store.database
    assert database.execute("PRAGMA journal_mode").fetchone() == ("wal",)
    assert database.execute("PRAGMA synchronous").fetchone() == (2,)  # FULL


def test_service_refuses_a_database_that_is_not_the_platforms(tmp_path: Path) -> None:
    path = tmp_path / "notes.db"
    path.write_bytes(b"x" * 5_000)
    with pytest.raises(ConfigError, match="no database"):
        schema.create_or_open(path)
    other = sqlite3.connect(tmp_path / "other.db")
    other.execute("CREATE TABLE notes (text)")
    for opened in (schema.create_or_open, schema.open_readonly):
        with pytest.raises(ConfigError, match=r"other\.db: no database of the platform"):
            opened(tmp_path / "other.db")
    newer = schema.create_or_open(tmp_path / "newer.db")
    newer.execute("PRAGMA user_version = 99")
    newer.close()
    with pytest.raises(ConfigError, match="version 99"):
        schema.create_or_open(tmp_path / "newer.db")


def test_service_client_id_belongs_to_the_database(tmp_path: Path) -> None:
    one, two = (service.default_client_id(tmp_path / name) for name in ("a.db", "b.db"))
    assert one == service.default_client_id(tmp_path / "a.db") != two
    assert len(one) <= 23  # what every broker must accept


def test_fusion_ends_with_an_io_error_when_the_disk_is_full(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def fail(_: Service) -> None:
        raise sqlite3.OperationalError("database or disk is full")

    monkeypatch.setattr(Service, "run", fail)
    parser = argparse.ArgumentParser()
    cli.arguments(parser)
    url, database = "mqtt://localhost", str(tmp_path / "fusion.db")
    args = parser.parse_args(["run", "--broker", url, "--db", database])
    assert cli.main(args) == cli.IO_ERROR
    assert "disk is full" in capsys.readouterr().err


def test_service_names_the_certificate_file_that_is_not_there(tmp_path: Path) -> None:
    secure = address.parse("mqtts://localhost")
    absent = str(tmp_path / "absent.pem")
    for files in ((absent, "", ""), ("", absent, absent)):
        with pytest.raises(ConfigError, match=r"absent\.pem"):
            Service(secure, tmp_path / "fusion.db", tls_files=files)


def test_service_says_of_a_connection_that_broke_that_it_broke(
    client: FakeClient, capsys: pytest.CaptureFixture[str]
) -> None:
    flags = DisconnectFlags(is_disconnect_packet_from_server=False)
    unspecified = ReasonCode(PacketTypes.DISCONNECT, "Unspecified error")
    client.served._on_disconnect(None, None, flags, unspecified, None)
    assert 'why="the connection broke"' in capsys.readouterr().err
