"""IEC 62056-21 readings of meters, and the P1 telegrams (DSMR) that grew from them.

A telegram is data sets `code(value*unit)(value)…`, plain, or in a mode C block with STX … ETX BCC,
or after `/identification` with `!` and a CRC at the end. Knows no port, no clock, no hand-shake,
and not what a code means.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from drivers.protocol import checksum
from drivers.protocol.telegram import Telegram
from gateway.core.errors import BadReply, Refused

if TYPE_CHECKING:
    from typing import Any

_SOH, _STX, _ETX, _EOT, _ACK = 1, 2, 3, 4, 6
_HEX = "0123456789ABCDEF"


def read(frame: bytes) -> Telegram:
    """Return the data sets: code as the meter prints it, and the texts in its parentheses.

    `kind` is the identification after `/`. A request gives its address (`/?`), its command as the
    code (SOH), or ACK. Refused for a meter's `(ER…)`; BadReply for what is no such frame.
    """
    for byte in frame:
        if byte > 0x7F:
            raise BadReply(f"byte {byte:02X} is no text: the line has 7 data bits", frame)
    if frame[:1] == b"/":
        end = frame.find(b"\r\n")
        if end < 0:
            raise BadReply("the identification is cut short", frame)
        head, rest = frame[1:end].decode(), frame[end + 2 :]
        if head[:1] == "?":
            return _request(head, rest, frame)
        if not rest:
            return Telegram("", [], 0, head)
        if rest[0] in (_SOH, _STX):
            return _block(rest, head, frame)
        return Telegram("", _sets(_ended(frame, end + 2), frame), 0, head)
    if frame[:1] and frame[0] in (_SOH, _STX):
        return _block(frame, "", frame)
    if frame[:1] and frame[0] == _ACK:
        if len(frame) != 6 or frame[4:] != b"\r\n":
            raise BadReply("an acknowledgement has three characters and CR LF", frame)
        acknowledged: list[Any] = [("ACK", [frame[1:4].decode()])]
        return Telegram("", acknowledged, _ACK, asks=True)
    if not frame.endswith(b"\r\n"):
        raise BadReply("the last line is cut short", frame)
    text = frame.decode()
    return Telegram("", _sets(text[:-3] if text.endswith("\n!\r\n") else text, frame))


def bcc(data: bytes) -> int:
    """Return the block check character: XOR of all after SOH or STX, ETX included (§5.2)."""
    return checksum.compute("xor8", data)[0]


def _request(head: str, rest: bytes, frame: bytes) -> Telegram:
    if rest or not head.endswith("!"):
        raise BadReply("a request is one line and ends with !", frame)
    return Telegram(head[1:-1], [], ord("?"), asks=True)


def _ended(frame: bytes, begin: int) -> str:
    """Return the lines from `begin` to the `!`, whose CRC, if there is one, is verified."""
    stop = frame.find(b"\n!", begin - 1) + 1
    if not stop:
        raise BadReply("the telegram is cut short: no line begins with !", frame)
    tail = frame[stop + 1 :].decode()
    if tail != "\r\n":
        digits = tail[:-2]
        if not 0 < len(digits) <= 4 or [c for c in digits if c not in _HEX] or tail[-2:] != "\r\n":
            raise BadReply("after the ! come four digits of CRC and CR LF, or CR LF", frame)
        right = bytes(reversed(checksum.compute("crc16", frame[: stop + 1], 0xFFFF))).hex().upper()
        if f"{digits:0>4}" != right:  # some meters leave zeros in front out
            raise BadReply(f"the CRC is {digits}, these characters have {right}", frame)
    return frame[begin:stop].decode()


def _block(block: bytes, head: str, frame: bytes) -> Telegram:
    """Return a block `SOH command STX sets ETX BCC` or `STX sets ETX BCC` (EOT: more follows)."""
    if len(block) < 3 or block[-2] not in (_ETX, _EOT):
        raise BadReply("the block is cut short: no ETX stands before its check character", frame)
    right = bcc(block[1:-1])
    if block[-1] != right:
        said = f"the check character is {block[-1]:02X}, these bytes have {right:02X}"
        raise BadReply(said, frame)
    control, body, more = block[0], block[1:-2], block[-2] == _EOT
    command = ""
    if control == _SOH:
        at = body.find(bytes((_STX,)))
        command = body[: at if at >= 0 else len(body)].decode()
        body = body[at + 1 :] if at >= 0 else b""
    text = body.decode()
    if text.endswith("!\r\n"):
        text = text[:-3]
    items = _sets(text, frame)
    if command:
        items = [(command + code, values) for code, values in items] or [(command, [])]
    elif len(items) == 1 and items[0][0] == "" and items[0][1][0].startswith("ER"):
        raise Refused(f"the meter says {items[0][1][0]}", _number(items[0][1][0]))
    return Telegram("", items, control, head, more)


def _sets(text: str, frame: bytes) -> list[Any]:
    """Return [(code, values)]; values that begin a line belong to the code before them."""
    items: list[Any] = []
    code, at = "", 0
    while at < len(text):
        char = text[at]
        if char == "(":
            end = text.find(")", at)
            value = text[at + 1 : end]
            if end < 0 or "(" in value or not _printable(value):
                raise BadReply(f"no value: {text[at : at + 20]!r}", frame)
            if code or not items:
                items.append((code, []))
            items[-1][1].append(value)
            code, at = "", end
        elif char in "\r\n":
            if code:
                raise BadReply(f"{code[:20]!r} has no value", frame)
        elif _printable(char) and char not in ")/!":
            code += char
        else:
            raise BadReply(f"{char!r} stands in no code", frame)
        at += 1
    if code:
        raise BadReply(f"{code[:20]!r} has no value", frame)
    return items


def _printable(text: str) -> bool:
    return not [char for char in text if not " " <= char <= "~"]


def _number(text: str) -> int:
    digits = "".join([char for char in text if char.isdigit()])
    return int(digits or "0") & 0xFFFF
