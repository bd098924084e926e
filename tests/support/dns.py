"""A name server of one name that can be mute (RFC 1035 §4): on loopback or in a namespace."""

from __future__ import annotations

import contextlib
import ipaddress
import socket
import struct
import threading

_TYPE_A = 1
_ANSWER, _NAME_ABOVE, _TTL_S = 0x8180, 0xC00C, 1


class NameServer:
    """Answers every question for an IPv4 address with `answer`, unless `mute`."""

    def __init__(self, host: str, answer: str) -> None:
        self.mute = False
        self.asked = 0
        self._answer = ipaddress.IPv4Address(answer).packed
        # Made here, so that it stays in the namespace its maker is in.
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.bind((host, 53))
        self._thread = threading.Thread(target=self._serve, daemon=True)

    def __enter__(self) -> NameServer:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        with contextlib.suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)  # wakes the thread; says it was not connected
        self._thread.join()
        self._socket.close()

    def _serve(self) -> None:
        while True:
            message, sender = self._socket.recvfrom(512)
            if not message:
                return
            self.asked += 1
            if not self.mute:
                self._socket.sendto(self._reply(message), sender)

    def _reply(self, message: bytes) -> bytes:
        end = message.index(0, 12) + 5  # the name's last label, type and class
        question = message[12:end]
        (kind,) = struct.unpack(">H", question[-4:-2])
        found = b""
        if kind == _TYPE_A:
            record = struct.pack(">HHHIH", _NAME_ABOVE, _TYPE_A, 1, _TTL_S, len(self._answer))
            found = record + self._answer
        counts = struct.pack(">HHHHH", _ANSWER, 1, 1 if found else 0, 0, 0)
        return message[:2] + counts + question + found
