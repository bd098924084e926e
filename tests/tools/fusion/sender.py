"""A go-back-N sender in a few lines: what the real uplink does, without its care."""

from __future__ import annotations

import time

import paho.mqtt.client as mqtt
from paho.mqtt.enums import CallbackAPIVersion

from gateway.core.reading import BULK
from gateway.uplink import topics
from tests.tools.fusion import fake

PACK = 16
WINDOW = 10
SILENCE_S = 1.0  # then everything after the cursor is sent again


class Sender:
    """Sends numbers 1..total; `cursor` moves by the platform's acknowledgement only."""

    def __init__(self, port: int, total: int, gw: str = fake.GW, version: int = 5) -> None:
        self.gw = gw
        self.total = total
        self.cursor = self.sent = 0
        self.packs = 0
        self._moved_s = time.monotonic()
        protocol = mqtt.MQTTv5 if version == 5 else mqtt.MQTTv311
        self.client = mqtt.Client(CallbackAPIVersion.VERSION2, gw, protocol=protocol)
        self.client.reconnect_delay_set(0.1, 0.5)
        self.client.on_connect = self._on_connect
        self.client.on_message = self._on_message
        self.client.connect("127.0.0.1", port)
        self.client.loop_start()

    def pump(self, pause_s: float = 0.002) -> None:
        """Send one pack if the window is open, go back if the platform is silent."""
        if time.monotonic() - self._moved_s > SILENCE_S:
            self.sent = self.cursor
            self._moved_s = time.monotonic()
        open_ = self.sent < min(self.total, self.cursor + WINDOW * PACK)
        if open_ and self.client.is_connected():
            count = min(PACK, self.total - self.sent)
            made = fake.message(self.sent + 1, count, low=self.cursor + 1, gw=self.gw)
            self.client.publish(*made, qos=1)
            self.sent += count
            self.packs += 1
        time.sleep(pause_s)

    def close(self) -> None:
        self.client.disconnect()
        self.client.loop_stop()

    def _on_connect(self, client: mqtt.Client, *_: object) -> None:
        client.subscribe(topics.of(self.gw, topics.ACK), 1)
        self.sent = self.cursor

    def _on_message(self, _: mqtt.Client, __: object, message: mqtt.MQTTMessage) -> None:
        ack = topics.decode_ack(message.payload)
        if ack.ring == BULK and ack.log_id == fake.LOG and ack.seq > self.cursor:
            assert ack.seq <= self.total
            self.cursor = ack.seq
            self._moved_s = time.monotonic()
