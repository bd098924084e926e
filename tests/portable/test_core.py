from gateway.core import log
from gateway.core.decimal import Decimal
from gateway.core.errors import BadReply, LinkError, Refused, TidegateError
from gateway.core.log import Presence
from gateway.core.reading import GOOD, QUALITIES, Point, Reading


def test_record_equal_fields_are_equal_values() -> None:
    assert Reading("a/b", 1, 5) == Reading("a/b", 1, 5)
    assert Reading("a/b", 1, 5) != Reading("a/b", 1, 6)
    assert Reading("a/b", 1, 5) != Point("a/b", "", "", "bulk", 5)
    assert hash(Decimal(1, -1)) == hash(Decimal(1, -1))
    assert "quality='good'" in repr(Reading("a/b", 1, 5))


def test_quality_numbers_in_the_buffer_never_change() -> None:
    assert QUALITIES.index(GOOD) == 0
    assert QUALITIES[1:5] == ("no-reply", "bad-reply", "refused", "sentinel")
    assert QUALITIES[5:] == ("out-of-range", "stale", "unit-conflict")


def test_errors_have_one_root_and_keep_their_evidence() -> None:
    assert BadReply("short", b"\x01").got == b"\x01"
    assert Refused("no", 2).code == 2
    for error in (BadReply("x"), Refused("x"), LinkError("x")):
        assert isinstance(error, TidegateError)


def test_presence_is_lost_once_and_found_once() -> None:
    presence = Presence("unit 5")
    assert not presence.lost
    presence.lose("no reply", 1000)
    presence.lose("no reply", 2000)
    assert presence.lost
    presence.find(3000)
    assert not presence.lost


def test_presence_tells_each_cause_of_one_loss_once() -> None:
    told = []
    real, log.event = log.event, lambda _severity, name, **fields: told.append((name, fields))
    try:
        broker, sensor = Presence("broker", 2), Presence("sensor")
        for why in ("DNS: a", "TCP: b", "DNS: c", "TCP: b", "TLS: d"):
            broker.lose(why, 1000)
            sensor.lose(why, 1000)
        broker.find(3000)
        broker.lose("DNS: e", 4000)
    finally:
        log.event = real
    whys = [(fields["what"], fields.get("why")) for _, fields in told]
    first = [("broker", "DNS: a"), ("sensor", "DNS: a"), ("broker", "TCP: b")]
    assert whys == first + [("broker", None), ("broker", "DNS: e")]
    assert told[3] == ("back", {"what": "broker", "after_ms": 2000, "missed": 5})
