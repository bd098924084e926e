"""A Wi-SUN module on the B-route: lines in every form, and the talk from the scan to the meter."""

from __future__ import annotations

from drivers.protocol import echonet, skstack
from drivers.protocol.skstack import Lines, Session
from gateway.core.errors import ConfigError
from tests.portable.support import raised

RBID, PASSWORD = "00112233445566778899AABBCCDDEEFF", "0123456789AB"
METER = "FE80:0000:0000:0000:021C:6400:0312:3456"
SELF = "FE80:0000:0000:0000:021D:1290:1234:5678"
PAN = (
    b"EVENT 20 " + METER.encode() + b"\r\nEPANDESC\r\n  Channel:21\r\n  Channel Page:09\r\n"
    b"  Pan ID:8888\r\n  Addr:001C640003123456\r\n  LQI:E1\r\n  PairID:AABBCCDD\r\n"
)
POWER = bytes.fromhex("1081000102880105ff017201e704000002ae")


def udp(payload, written=True, extra="", port="0E1A"):
    head = f"ERXUDP {METER} {SELF} {port} {port} 001C640003123456 1 {extra}{len(payload):04X} "
    return head.encode() + (payload.hex().upper().encode() if written else payload) + b"\r\n"


class Module:
    """Answers commands as a module does; `two_sided`: its firmware wants a side."""

    def __init__(self, two_sided=False, scans=1, joins=True):
        self.sent = []
        self._side = "0" if two_sided else ""
        self._scans = scans
        self._joins = joins

    def answer(self, command):
        self.sent.append(command)
        words = command.split(b" ")
        side = (" " + self._side if self._side else "").encode()
        if words[0] == b"SKSENDTO":
            assert words[5 if self._side else 4][:1] != b"", command
            return b"EVENT 21 " + METER.encode() + side + b" 00\r\nOK\r\n"
        assert command.endswith(b"\r\n")
        name = words[0].strip()
        if name == b"SKSCAN":
            if len(words) != (5 if self._side else 4):
                return b"FAIL ER06\r\n"
            self._scans -= 1
            return b"OK\r\n" + (PAN if self._scans == 0 else b"") + b"EVENT 22 " + side + b"\r\n"
        if name == b"SKLL64":
            return METER.encode() + b"\r\n"
        if name == b"SKJOIN":
            code = b"25 " if self._joins else b"24 "
            return b"OK\r\nEVENT 21 " + METER.encode() + b" 00\r\nEVENT " + code + side + b"\r\n"
        if name == b"SKVER":
            return b"EVER 1.2.10\r\nOK\r\n"
        return b"OK\r\n"


def talk(session, module, sent, now_ms=0):
    """Let both talk until the session has nothing more to send; return what was heard."""
    telegrams, notes = [], []
    for _ in range(40):
        if not sent:
            return telegrams, notes
        heard = session.take(module.answer(sent), now_ms)
        telegrams += heard.telegrams
        notes += heard.notes
        sent = heard.send
    raise AssertionError("they never fall silent")


def test_lines_are_cut_the_same_however_they_come():
    stream = b"\r\nOK\r\n\xff\xfe\r\nEVENT 22 FE80::1\r\n" + udp(POWER) + udp(POWER, False)
    stream += udp(POWER, True, "0 ") + udp(b"\x10\r\n\x81", False, "0 ") + b"FAIL ER04\r\n"
    for size in (1, 2, 7, 50, len(stream)):
        lines, found = Lines(), []
        for at in range(0, len(stream), size):
            found += lines.feed(stream[at : at + size])
        words = [line.word for line in found]
        assert words == ["OK", "EVENT"] + ["ERXUDP"] * 4 + ["FAIL"]
        assert [line.data for line in found[2:6]] == [POWER] * 3 + [b"\x10\r\n\x81"]
        assert lines.skipped == 4
    lines = Lines()
    for _ in range(20):
        assert lines.feed(b"x" * 1000) == []
        assert len(lines._got) <= skstack.LINE_MAX
    for bad in (b"ERXUDP a b\r\n", udp(POWER)[:-4] + b"zz\r\n", b"ERXUDP " + b"1 " * 20 + b"\r\n"):
        fresh = Lines()
        assert [line.word for line in fresh.feed(bad + b"OK\r\n")] == ["OK"]
        assert fresh.skipped == len(bad)


def test_a_session_identifies_scans_joins_and_asks():
    for two_sided in (False, True):
        session, module = Session(RBID, PASSWORD), Module(two_sided, scans=2)
        assert talk(session, module, session.start(0)) == ([], [])
        assert (session.joined, session.version, session.due_ms()) == (True, "1.2.10", None)
        sent = [command.strip() for command in module.sent]
        assert b"SKSETPWD C " + PASSWORD.encode() in sent
        assert b"SKSETRBID " + RBID.encode() in sent
        assert b"SKSREG S2 21" in sent
        assert b"SKSREG S3 8888" in sent
        assert sent[-2:] == [b"SKLL64 001C640003123456", b"SKJOIN " + METER.encode()]
        asked = session.request(["E7"], 0)
        want = echonet.get(1, ["D3", "D7", "E1", "E7"])
        side = b" 0" if two_sided else b""
        head = b"SKSENDTO 1 " + METER.encode() + b" 0E1A 1" + side
        assert asked == head + f" {len(want):04X} ".encode() + want
        talk(session, module, asked)
        heard = session.take(udp(POWER, two_sided, "0 " if two_sided else ""), 5)
        assert [one.items for one in heard.telegrams] == [[("power", ["686"])]]


def test_frames_wait_for_the_radio_and_only_a_few_of_them():
    session, module = Session(RBID, PASSWORD), Module()
    raised(ConfigError, session.request, ["E7"], 0)
    talk(session, module, session.start(0))
    assert session.request(["E7"], 0) != b""
    for _ in range(skstack.SENDS_MAX):
        assert session.request(["E8"], 0) == b""
    raised(ConfigError, session.request, ["E8"], 0)
    sends = session.take(b"EVENT 21 " + METER.encode() + b" 01\r\nOK\r\n", 0)
    assert sends.notes == ["a frame did not reach the meter"]
    talk(session, module, sends.send)
    assert len([one for one in module.sent if one[:8] == b"SKSENDTO"]) == skstack.SENDS_MAX
    session.request(["E7"], 0)
    assert session.due_ms() == skstack.REPLY_MS
    assert session.tick(skstack.REPLY_MS).send == b""  # its OK was lost; nothing else waits
    assert session.request(["E7"], 0) != b""
    refused = session.take(b"FAIL ER10\r\n", 0)
    assert refused.notes == ["the module does not send: ER10"]


def test_a_session_that_ends_is_joined_again():
    session, module = Session(RBID, PASSWORD), Module()
    talk(session, module, session.start(0))
    heard = session.take(b"EVENT 29 " + METER.encode() + b"\r\n", 0)
    assert not session.joined
    assert heard.send == b"SKJOIN " + METER.encode() + b"\r\n"
    talk(session, module, heard.send)
    assert session.joined
    assert "share" in session.take(b"EVENT 32 x\r\n", 0).notes[0]


def test_failures_are_told_and_tried_again_after_a_while():
    session, module = Session(RBID, PASSWORD), Module(joins=False)
    now, sent = 0, session.start(0)
    waits = []
    for _ in range(6):
        _, notes = talk(session, module, sent, now)
        assert "did not let us join" in notes[0]
        assert PASSWORD not in notes[0] + repr(session)
        module._scans = 1
        waits.append(session.due_ms() - now)
        now = session.due_ms()
        assert session.tick(now - 1).send == b""
        sent = session.tick(now).send
    assert waits == [10_000, 30_000, 60_000, 300_000, 300_000, 300_000]
    session = Session(RBID, PASSWORD)
    _, notes = talk(session, Module(scans=99), session.start(0))
    assert "no meter answers the scan" in notes[0]
    session.start(0)
    assert "does not answer (reset)" in session.tick(skstack.ANSWER_MS).notes[0]
    session.start(0)
    assert "refuses (reset): ER04" in session.take(b"FAIL ER04\r\n", 0).notes[0]


def test_packets_of_others_and_of_other_ports_are_left_alone():
    session, module = Session(RBID, PASSWORD), Module()
    talk(session, module, session.start(0))
    assert session.take(udp(b"\x00" * 8, port="02CC"), 0).telegrams == []
    stranger = udp(POWER).replace(METER.encode(), SELF.encode(), 1)
    assert session.take(stranger, 0).telegrams == []
    assert "ends within" in session.take(udp(POWER[:-1]), 0).notes[0]
    for wrong in (("1" * 31, PASSWORD), ("G" * 32, PASSWORD), (RBID, "short"), (RBID, "\n" * 12)):
        raised(ConfigError, Session, *wrong)
