"""What a fuzzer throws at the readers of devices that report by themselves: streams and bodies.

A stream gives the same frames however it comes. A body is wrapped in a frame with a right check
sum, for no fuzzer would find one. Knows the readers and what to start from; knows no fuzzer.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

from drivers.protocol import checksum, echonet, hj212, hj212_centre, nmea, sl651, sl651_centre
from drivers.protocol.skstack import Lines, Session
from gateway.core.errors import BadReply, Refused

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from drivers.protocol.stream import Stream

ROOT = Path(__file__).resolve().parents[2]
CLOCK = "2025-01-15T06:31:07"
KEPT_MAX = {"sl651": 2 * sl651.BODY_MAX, "hj212": 2 * hj212.ACCEPTED_MAX, "nmea": 512}
_STATION = "0012345678"


def one_input(data: bytes) -> bool:
    """Read one input as the gateway would; return whether anything came of it.

    Whatever else than a refusal comes of it is a finding.
    """
    targets = sorted(_TARGETS)
    target = _TARGETS[targets[data[0] % len(targets)]] if data else None
    try:
        return target is not None and target(data[1:])
    except (BadReply, Refused) as error:
        assert str(error), "refused without a reason"
        return False


def seeds() -> Iterator[bytes]:
    """Yield inputs to start from: published frames, whole and as bodies."""
    kinds = {one: bytes((at,)) for at, one in enumerate(sorted(_TARGETS))}
    rows = (ROOT / "tests/vectors/report-frames.jsonl").read_text().splitlines()
    for row in map(json.loads, rows):
        frame = row["text"].encode() if "text" in row else bytes.fromhex(row["frame"])
        lump = bytes((len(frame) // 2 & 0xFF,))
        if row["protocol"] == "sl651":
            text = frame[:1] == b"\x01"
            head, tail = (24, 5) if text else (14, 3)
            body = frame[head + (16 if text else 8) : -tail]
            yield kinds["sl651 stream"] + lump + frame
            yield kinds["sl651 text" if text else "sl651 body"] + frame[10:11] + body
        elif row["protocol"] == "hj212":
            yield kinds["hj212 stream"] + lump + frame
            yield kinds["hj212 segment"] + frame[6:-6]
        elif row["protocol"] == "nmea0183":
            yield kinds["nmea stream"] + lump + frame
            yield kinds["nmea body"] + frame[1:-5]
        else:
            yield kinds["echonet"] + frame
            yield kinds["skstack"] + lump + _udp(frame)


def write_seeds(folder: Path) -> int:
    """Put the seeds into a folder; return how many there are."""
    folder.mkdir(parents=True, exist_ok=True)
    count = 0
    for count, data in enumerate(seeds(), 1):
        (folder / f"seed-{count:04}").write_bytes(data)
    return count


def _stream(make: Callable[[], Stream], kept_max: int, data: bytes) -> list[bytes]:
    """Return the frames of a stream, the same whole and in lumps."""
    whole, lumps = make(), make()
    size, data = 1 + (data[0] if data else 0), data[1:]
    wanted = whole.feed(data)
    found = [one for at in range(0, len(data), size) for one in lumps.feed(data[at : at + size])]
    assert found == wanted, "the lumps change what is found"
    assert len(lumps._got) <= kept_max, "more is kept than a frame"
    rest = whole.flush()
    assert lumps.flush() == rest
    total = sum([len(one) for one in wanted + rest]) + whole.skipped
    assert total + len(whole._got) == len(data), "bytes are lost without being counted"
    return wanted + rest


def _sl651_stream(data: bytes) -> bool:
    frames = _stream(sl651.stream, KEPT_MAX["sl651"], data)
    centre = sl651_centre.Centre(join_max=4096)
    for step, frame in enumerate(frames):
        for one in sl651.stream().feed(centre.take(frame, step, CLOCK).send):
            assert not sl651.parse(one).up
    for step in range(3):
        centre.tick(100_000 * step, CLOCK)
    return bool(frames)


def _sl651(data: bytes, text: bool) -> bool:
    head = sl651.head(1, CLOCK, text)
    body = head + data[1 : sl651.BODY_MAX - 16]
    function = data[0] if data else sl651.TIMED
    for up in (True, False):
        end = sl651.ETX if up else sl651.ENQ
        frame = sl651.Frame(_STATION, function, body, end, up=up, text=text)
        sent = sl651.build(frame)
        assert sl651.build(sl651.parse(sent)) == sent
        sl651.read(sent)
    return True


def _hj212_stream(data: bytes) -> bool:
    packets = _stream(hj212.stream, KEPT_MAX["hj212"], data)
    centre = hj212_centre.Centre()
    for step, packet in enumerate(packets):
        centre.take(packet, step, CLOCK)
    for step in range(3):
        centre.tick(100_000 * step, CLOCK)
    return bool(packets)


def _hj212_segment(data: bytes) -> bool:
    data = data[: hj212.ACCEPTED_MAX]
    head = f"##{len(data):04}".encode()
    packet = head + data + f"{hj212.annex_a(data):04X}\r\n".encode()
    assert hj212.stream().feed(packet) == [packet]
    hj212_centre.Centre().take(packet, 0, CLOCK)
    found = hj212.read(packet)
    return bool(found.items)


def _nmea_stream(data: bytes) -> bool:
    sentences = _stream(nmea.stream, KEPT_MAX["nmea"], data)
    for sentence in sentences:
        nmea.read(sentence)
    return bool(sentences)


def _nmea_body(data: bytes) -> bool:
    body = data[: nmea.ACCEPTED_MAX - 8]
    check = checksum.compute("xor8", body).hex().upper().encode()
    return bool(nmea.read(b"$" + body + b"*" + check + b"\r\n").items)


def _echonet(data: bytes) -> bool:
    frame = echonet.parse(data)
    assert echonet.build(frame) == data
    meter = echonet.Meter()
    meter.take(echonet.Frame(1, echonet.METER, echonet.CONTROLLER, 0x72, [("E1", b"\x01")]))
    return bool(meter.take(frame).items)


def _skstack(data: bytes) -> bool:
    size, data = 1 + (data[0] if data else 0), data[1:]
    lines, whole = Lines(), Lines()
    wanted = whole.feed(data)
    cuts = range(0, len(data), size)
    assert [one for at in cuts for one in lines.feed(data[at : at + size])] == wanted
    session = Session("0" * 32, "0" * 12)
    session.start(0)
    for line in (b"OK\r\n" * 5, b"Channel:21\r\nPan ID:8888\r\nAddr:00\r\nEVENT 22\r\n", data):
        session.take(line, 0)
    session.tick(100_000)
    return bool(wanted)


def _udp(frame: bytes) -> bytes:
    address = b"FE80:0000:0000:0000:021C:6400:0312:3456"
    head = b" ".join([b"ERXUDP", address, address, b"0E1A 0E1A 001C640003123456 1"])
    return head + f" {len(frame):04X} {frame.hex().upper()}\r\n".encode() + b"EVENT 22\r\nOK\r\n"


_TARGETS: dict[str, Callable[[bytes], bool]] = {
    "echonet": _echonet,
    "hj212 segment": _hj212_segment,
    "hj212 stream": _hj212_stream,
    "nmea body": _nmea_body,
    "nmea stream": _nmea_stream,
    "skstack": _skstack,
    "sl651 body": lambda data: _sl651(data, False),
    "sl651 stream": _sl651_stream,
    "sl651 text": lambda data: _sl651(data, True),
}
