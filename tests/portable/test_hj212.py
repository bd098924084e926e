"""Packets of environmental loggers (HJ 212): published ones, streams, and a centre."""

from __future__ import annotations

import json

from drivers.protocol import hj212
from drivers.protocol.hj212_centre import ANSWER_MS, RESULT_MS, Centre
from gateway.core.errors import BadReply, ConfigError
from tests.portable.support import raised

MN = "010000A8900016F000169DC0"
QN = "20160801085857223"
CLOCK = "2016-08-01T08:59:00"
DATA = [[("DataTime", "20160801085800")], [("a34004-Rtd", "25"), ("a34004-Flag", "N")]]


def examples():
    with open("tests/vectors/report-frames.jsonl") as file:
        rows = [json.loads(line) for line in file if '"hj212"' in line]
    for row in rows:
        row["bytes"] = row["text"].encode() if "text" in row else b""
        row["crc"] = row.get("crc", hj212.ANNEX_A)
    return rows


def upload(cn=hj212.REALTIME, flag=5, groups=None, qn=QN, pnum=0, pno=0, st="22"):
    packet = hj212.Packet(st, cn, MN, groups or DATA, qn, "123456", flag, pnum, pno)
    return hj212.build(packet)


def said(cn, qn, name, value):
    return upload(cn, 4, [[(name, value)]] if name else [[]], qn, st=hj212.SYSTEM)


def answers(heard):
    cut = hj212.stream().feed(heard.send)
    assert b"".join(cut) == heard.send
    return [hj212.parse(one) for one in cut]


def test_published_packets_are_read_as_published():
    packets = bad = values = 0
    for row in examples():
        if "bad" in row:
            assert row["bad"] in str(raised(BadReply, hj212.read, row["bytes"])), row
            bad += 1
            continue
        packet, head = hj212.parse(row["bytes"], row["crc"]), row["head"]
        assert (packet.mn, packet.cn, packet.st) == (row["address"], row["control"], row["kind"])
        assert packet.qn == head.get("QN", "")
        assert packet.pw == head["PW"]
        assert packet.flag == (int(head["Flag"]) if "Flag" in head else None)
        assert (packet.pnum, packet.pno) == (int(head.get("PNUM", 0)), int(head.get("PNO", 0)))
        if "version" in head:
            assert (packet.version, packet.wants_answer) == (head["version"], head["ack"])
        assert [[list(pair) for pair in group] for group in packet.groups] == row["groups"]
        found = hj212.telegram(packet)
        assert [[name, value] for name, [value] in found.items] == [
            pair for group in row["groups"] for pair in group
        ]
        assert found.more == (packet.pno < packet.pnum)
        if not row["bytes"].endswith(b";&&c0c1\r\n"):  # one logger ends its list with `;`
            assert hj212.build(packet, row["crc"]).upper() == row["bytes"].upper(), row
        values += len(found.items)
        packets += 1
    assert (packets, bad, values) == (22, 3, 153)


def test_the_two_check_sums_are_never_taken_for_each_other():
    assert hj212.annex_a(b"123456789") == 0x2F80
    assert hj212._check(b"123456789", hj212.MODBUS) == b"4B37"
    checked = 0
    for row in examples():
        if "bad" not in row:
            other = hj212.MODBUS if row["crc"] == hj212.ANNEX_A else hj212.ANNEX_A
            assert "check sum" in str(raised(BadReply, hj212.parse, row["bytes"], other))
            checked += 1
    assert checked == 22
    raised(ValueError, hj212.refusal, examples()[0]["bytes"], "crc32")


def test_a_stream_split_anywhere_and_full_of_garbage_gives_the_same_packets():
    sound = [row["bytes"] for row in examples() if "bad" not in row and "a" in row["crc"][:1]]
    stream = b"".join([b"##00##9999#\r\n" + packet for packet in sound])
    for size in (1, 7, 100, len(stream)):
        cut, found = hj212.stream(), []
        for at in range(0, len(stream), size):
            found += cut.feed(stream[at : at + size])
        assert found == sound
        assert cut.skipped == 13 * len(sound)
    for at in range(len(sound[0])):
        cut = hj212.stream()
        assert cut.feed(sound[0][:at]) == []
        assert cut.feed(sound[0][at:]) == sound[:1]
    hidden = hj212.stream()
    assert hidden.feed(b"##0400" + sound[0]) == []
    assert hidden.flush() == sound[:1]


def test_packets_out_of_form_are_refused():
    def packet(segment):
        return b"##%04d" % len(segment) + segment + hj212._check(segment, hj212.ANNEX_A) + b"\r\n"

    good = b"ST=22;CN=2011;PW=1;MN=A;CP=&&DataTime=20160801085800;a=1,b=2;&&"
    assert hj212.read(packet(good)).items[1:] == [("a", ["1"]), ("b", ["2"])]
    for bad in (
        b"ST=22;CN=2011;CP=&&&&",
        b"ST=22;MN=A;CP=&&&&",
        b"ST=22;CN=x;MN=A;CP=&&&&",
        b"ST=22;CN=2011;MN=A;CP=&&a&&",
        b"ST=22;CN=2011;MN=A;CP=&&a=1",
        b"ST=22;CN=2011;MN=A;CP=&&a=1&&b=2",
        b"ST=22;CN=2011;MN=A;XX=1;CP=&&&&",
        b"ST=22;ST=23;CN=2011;MN=A;CP=&&&&",
        b"ST=22;CN=2011;MN=A;Flag=7;PNUM=2;PNO=3;CP=&&&&",
        b"ST=22;CN=2011;MN=\xff;CP=&&&&",
        b"ST=22;CN=2011;MN=A;CP=&&" + b"a=1;" * 300 + b"&&",
    ):
        assert raised(BadReply, hj212.parse, packet(bad)), bad
    for bad in (b"", b"##", packet(good)[:-1], b"x" + packet(good), packet(good) + b"\n"):
        raised(BadReply, hj212.parse, bad)
    long = hj212.Packet("22", 2011, MN, [[("a", "1" * 1100)]])
    raised(ValueError, hj212.build, long)
    assert hj212.when("20160801085857223") == "2016-08-01T08:58:57"
    assert [hj212.when(text) for text in ("", "2016080108585", "20161301085857")] == ["", "", ""]


def test_an_upload_is_acknowledged_if_it_asks_for_it_and_told_once():
    centre = Centre()
    told = 0
    for _ in range(3):
        heard = centre.take(upload(), 0, CLOCK)
        told += len(heard.telegrams)
        [answer] = answers(heard)
        assert (answer.cn, answer.st, answer.qn, answer.mn) == (9014, "91", QN, MN)
        assert (answer.flag, answer.pw) == (4, "123456")
    assert told == 1
    heard = centre.take(upload(flag=4, qn="20160801085858000"), 0, CLOCK)
    assert (len(heard.telegrams), heard.send) == (1, b"")
    published = [row["bytes"] for row in examples() if row.get("control") == 9014]
    ack = hj212.answer(hj212.parse(upload()), hj212.DATA_ACK)
    assert hj212.build(ack) in published


def test_strangers_get_no_answer():
    heard = Centre(lambda mn: mn == "other").take(upload(), 0, CLOCK)
    assert (heard.telegrams, heard.send) == ([], b"")
    assert "not allowed" in heard.notes[0]


def test_parts_of_an_upload_keep_the_time_of_the_first():
    centre = Centre()
    first = centre.take(upload(pnum=2, pno=1, flag=7), 0, CLOCK).telegrams[0]
    rest = [[("a34002-Rtd", "30")]]
    last = centre.take(upload(pnum=2, pno=2, flag=7, groups=rest), 0, CLOCK).telegrams[0]
    assert (first.more, last.more) == (True, False)
    assert last.items == [("DataTime", ["20160801085800"]), ("a34002-Rtd", ["30"])]
    other = upload(pnum=2, pno=2, flag=7, groups=rest, qn="20160801090000000")
    assert centre.take(other, 0, CLOCK).telegrams[0].items == [("a34002-Rtd", ["30"])]


def test_a_request_goes_in_three_steps():
    centre = Centre()
    span = [[("BeginTime", "20160801080000")], [("EndTime", "20160801090000")]]
    centre.ask(MN, hj212.HOUR, span)
    assert centre.tick(0, CLOCK).send == b""  # nobody was heard yet
    [_, asked] = answers(centre.take(upload(), 0, CLOCK))
    assert (asked.cn, asked.st, asked.flag, asked.groups) == (2061, "22", 5, span)
    assert centre.due_ms() == ANSWER_MS
    centre.take(said(9011, asked.qn, "QnRtn", "1"), 10, CLOCK)
    assert centre.due_ms() == 10 + RESULT_MS
    heard = centre.take(upload(hj212.HOUR, 4, qn=asked.qn), 20, CLOCK)
    assert [one.control for one in heard.telegrams] == [2061]
    heard = centre.take(said(9012, asked.qn, "ExeRtn", "1"), 30, CLOCK)
    assert (heard.notes, centre.due_ms()) == ([], None)
    late = centre.take(said(9012, asked.qn, "ExeRtn", "1"), 30, CLOCK)
    assert "was not asked" in late.notes[0]


def test_a_request_that_is_refused_or_fails_says_why():
    for cn, name, value, why in (
        (9011, "QnRtn", "3", "PW is wrong"),
        (9012, "ExeRtn", "100", "there are no data"),
    ):
        centre = Centre()
        centre.take(upload(), 0, CLOCK)
        centre.ask(MN, hj212.MINUTE)
        [asked] = answers(centre.tick(0, CLOCK))
        assert why in centre.take(said(cn, asked.qn, name, value), 1, CLOCK).notes[0]
        assert centre.due_ms() is None


def test_a_request_without_an_answer_is_sent_three_times_and_never_again_once_known():
    centre = Centre()
    centre.take(upload(), 0, CLOCK)
    centre.ask(MN, hj212.DAY)
    sent, notes = [], []
    for turn in range(5):
        heard = centre.tick(turn * ANSWER_MS, CLOCK)
        sent += answers(heard)
        notes += heard.notes
    assert len(sent) == len({one.qn for one in sent}) == 3
    assert notes == [f"logger {MN} does not answer: 2031"]
    centre.ask(MN, hj212.DAY)
    [asked] = answers(centre.tick(0, CLOCK))
    centre.take(said(9011, asked.qn, "", ""), 0, CLOCK)
    heard = centre.tick(RESULT_MS, CLOCK)
    assert (heard.send, heard.notes) == (b"", [f"logger {MN} does not say how it ended: 2031"])
    for _ in range(8):
        centre.ask(MN, hj212.DAY)
    raised(ConfigError, centre.ask, MN, hj212.DAY)


def test_a_logger_that_asks_for_the_time_is_told_it():
    centre = Centre()
    notice = upload(hj212.ASK_TIME, 5, [[("PolId", "w01018")]])
    assert [one.cn for one in answers(centre.take(notice, 0))] == [9013]  # no clock, no time
    [told] = answers(centre.tick(1, CLOCK))
    assert (told.cn, told.groups) == (1012, [[("SystemTime", "20160801085900")]])
    assert centre.take(said(9013, told.qn, "", ""), 2, CLOCK).notes == []
    assert centre.due_ms() is None


def test_what_is_kept_of_loggers_is_bounded():
    centre = Centre()
    for number in range(200):
        packet = hj212.Packet("22", 2011, f"logger-{number}", DATA, QN, "1", 4)
        centre.take(hj212.build(packet), number, CLOCK)
    assert len(centre._loggers) <= 64
    cut = hj212.stream()
    assert cut.feed(b"##9999" + bytes(3000)) == []
    assert len(cut._got) < 20
    assert hj212.stream().feed(b"##4096" * 500) == []
