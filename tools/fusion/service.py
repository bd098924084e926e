"""The platform's process: broker → ingest → durable commit → acknowledgement.

One thread and one loop. Messages gather while the line is busy and are committed together when it
falls quiet, so a commit's flush to disk is shared by whatever came meanwhile. Crash-only: there
is no shutdown; what was not committed was not acknowledged and comes again.
"""

from __future__ import annotations

import fcntl
import hashlib
import random
import socket
import time
from pathlib import Path
from typing import TYPE_CHECKING

import paho.mqtt.client as mqtt
from paho.mqtt.enums import CallbackAPIVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties

from gateway.core import log
from gateway.core.errors import LinkError
from gateway.uplink import topics
from gateway.uplink.dial_cpython import Tls, tls_context
from tools.fusion import schema
from tools.fusion.ingest import Ingest

if TYPE_CHECKING:
    from io import IOBase
    from typing import Any

    from gateway.uplink.address import Address

COMMIT_MS = 50  # the longest that a message waits for the flush it shares with others
COMMIT_MESSAGES = 256  # what the broker may have sent and we not confirmed
IDLE_S = 1.0  # how often an idle loop looks after its keepalive
KEEPALIVE_S = 20
SESSION_S = 3_600  # a broker that can keeps what comes while we restart; never relied upon
RETRY_S_MIN, RETRY_S_MAX = 0.2, 5.0
SUBSCRIPTIONS = [f"{topics.ROOT}+/{kind}" for kind in ("up/+", "state", "health", "now")]


class Service:
    """The loop that joins one broker and one database."""

    def __init__(
        self,
        broker: Address,
        path: Path,
        *,
        client_id: str = "",
        mqtt5: bool = True,
        tls_files: tuple[str, str, str] = ("", "", ""),  # to trust, our certificate, its key
    ) -> None:
        self._path = path
        self._lock = _lock(path)
        self.ingest = Ingest(schema.create_or_open(path))
        self._broker = broker
        self._tls_files = [name or None for name in tls_files]
        self._presence = log.Presence(f"broker {broker.shown}")
        self._unconfirmed: list[tuple[int, int]] = []  # (message id, QoS) received, not committed
        self._first_s = 0.0  # when the oldest message of the open transaction came
        self._refused = ""  # why the broker does not let us in
        self._mqtt5 = mqtt5
        self._client = self._make_client(client_id or default_client_id(path))

    def run(self) -> None:
        """Serve until killed."""
        log.event(log.INFO, "fusion", broker=self._broker.shown, database=self._path)
        attempt = 0
        while True:
            try:
                self._connect()
            except LinkError as error:
                self._presence.lose(str(error), _now_ms())
            while self._client.is_connected():
                attempt = 0
                self._turn()
            self._commit()
            time.sleep(random.uniform(0, min(RETRY_S_MAX, RETRY_S_MIN * 2**attempt)))
            attempt = min(attempt + 1, 10)

    def _make_client(self, client_id: str) -> mqtt.Client:
        client = mqtt.Client(
            CallbackAPIVersion.VERSION2,
            client_id=client_id,
            protocol=mqtt.MQTTv5 if self._mqtt5 else mqtt.MQTTv311,
            clean_session=None if self._mqtt5 else False,
            manual_ack=True,  # confirmed once committed, so that the broker keeps what we lose
        )
        if self._broker.tls:
            ca, cert, key = self._tls_files
            client.tls_set_context(tls_context(Tls(ca, cert, key)))
        if self._broker.username:
            client.username_pw_set(self._broker.username, self._broker.password)
        client.on_connect = self._on_connect
        client.on_subscribe = self._on_subscribe
        client.on_message = self._on_message
        client.on_disconnect = self._on_disconnect
        return client

    def _connect(self) -> None:
        """Open a session and subscribe; LinkError says which step failed."""
        options: dict[str, Any] = {}
        if self._mqtt5:
            properties = Properties(PacketTypes.CONNECT)  # type: ignore[no-untyped-call]
            properties.SessionExpiryInterval = SESSION_S
            properties.ReceiveMaximum = COMMIT_MESSAGES
            options = {"clean_start": False, "properties": properties}
        self._refused = "no answer to CONNECT"
        try:
            self._client.connect(self._broker.host, self._broker.port, KEEPALIVE_S, **options)
        except (OSError, ValueError) as error:
            raise LinkError(f"connect: {error}")
        deadline = time.monotonic() + KEEPALIVE_S
        while self._refused and time.monotonic() < deadline:
            if self._client.loop(timeout=IDLE_S) != mqtt.MQTT_ERR_SUCCESS:
                break
        if self._refused:
            self._client.disconnect()
            raise LinkError(self._refused)
        self._presence.find(_now_ms())

    def _turn(self) -> None:
        """Move bytes once; commit when the line is quiet, or the batch is old or full."""
        before = self.ingest.pending
        self._client.loop(timeout=0 if before else IDLE_S)
        pending = self.ingest.pending
        quiet = pending == before
        old = time.monotonic() - self._first_s > COMMIT_MS / 1000
        if pending and (quiet or old or pending >= COMMIT_MESSAGES):
            self._commit()

    def _commit(self) -> None:
        for gw, ack in self.ingest.commit(_now_ms()):
            self._client.publish(topics.of(gw, topics.ACK), topics.encode_ack(ack), qos=1)
        for message_id, qos in self._unconfirmed:
            self._client.ack(message_id, qos)
        self._unconfirmed.clear()

    def _on_connect(self, client: mqtt.Client, _: Any, __: Any, reason: Any, ___: Any) -> None:
        self._refused = f"CONNECT refused: {reason}"
        if not reason.is_failure:
            self._refused = "no answer to SUBSCRIBE"
            client.subscribe([(topic, 1) for topic in SUBSCRIPTIONS])

    def _on_subscribe(self, _: Any, __: Any, ___: Any, reasons: list[Any], ____: Any) -> None:
        bad = [str(reason) for reason in reasons if reason.is_failure]
        self._refused = f"SUBSCRIBE refused: {bad[0]}" if bad else ""

    def _on_message(self, _: Any, __: Any, message: mqtt.MQTTMessage) -> None:
        if not self.ingest.pending:
            self._first_s = time.monotonic()
        try:
            topic = message.topic
        except UnicodeDecodeError:
            topic = "not UTF-8"
        self.ingest.receive(topic, bytes(message.payload), _now_ms())
        self._unconfirmed.append((message.mid, message.qos))

    def _on_disconnect(self, _: Any, __: Any, flags: Any, reason: Any, ___: Any) -> None:
        # What no DISCONNECT explains is "Unspecified error" to paho.
        told = flags.is_disconnect_packet_from_server or str(reason) != "Unspecified error"
        self._presence.lose(str(reason) if told else "the connection broke", _now_ms())
        self._unconfirmed.clear()  # message ids belong to the connection that is gone


def default_client_id(path: Path) -> str:
    """Return a name that stays the same for one database on one machine."""
    place = f"{socket.gethostname()}:{path.absolute()}"
    return f"fusion-{hashlib.sha256(place.encode()).hexdigest()[:12]}"


def _lock(path: Path) -> IOBase:
    """Return the lock file of the database at `path`, held; LinkError if another writes to it."""
    # Not the database itself: SQLite's own locks would be dropped when that file is closed.
    file = Path(f"{path}.lock").open("ab")  # noqa: SIM115 - held as long as the process lives
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        file.close()
        raise LinkError(f"{path}: another process serves this database")
    return file


def _now_ms() -> int:
    return int(time.time() * 1000)
