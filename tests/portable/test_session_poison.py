from gateway.core.reading import BULK, CRIT
from gateway.uplink import events
from gateway.uplink.events import Acked, Changed, Empty, Load, Lost, PubAck, Report, Unfit
from gateway.uplink.lane import ITEMS_MAX
from tests.support.session_driver import LOG, Driver, kinds, packs


def test_session_finds_the_item_that_kills_connections_and_loses_only_that() -> None:
    driver = Driver(bulk=60)
    driver.items_max = ITEMS_MAX
    poison = 23
    lost = 0
    driver.online()
    while driver.cursors[BULK] < 60:
        flights = driver.session.lanes[1].flights
        bad = [flight for flight in flights if flight.first <= poison <= flight.last]
        if bad and not driver.rejected:
            lost += 1
            assert lost < 30
            driver.tell(Lost())
            driver.online()
        else:
            driver.tell(PubAck(flights[0].token, 0))
            driver.tell(Acked(BULK, LOG, flights[0].last))
    assert driver.rejected == [(BULK, poison)]
    assert lost == 12  # three to suspect the first pack, four to halve it, five to convict


def test_session_poison_in_bulk_does_not_stop_crit() -> None:
    driver = Driver(bulk=8)
    driver.items_max = 8
    for number in range(1, 30):
        driver.held[CRIT] = number
        (sent,) = packs(driver.online(), CRIT)
        driver.tell(PubAck(sent.token, 0))
        driver.tell(Acked(CRIT, LOG, number))
        assert driver.session.lanes[1].flights or driver.rejected
        driver.tell(Lost())
    assert driver.cursors[CRIT] == 29
    assert driver.rejected == [(BULK, 1)]  # once: if it was not the item, the item is not blamed


def test_session_does_not_hurry_when_what_replaced_an_item_cannot_be_sent_either() -> None:
    driver = Driver(bulk=1)

    def always_unfit(ask: Load) -> events.Event:
        return Unfit(ask.ring, 1, 1) if ask.ring == BULK else Empty(ask.ring)

    driver.load = always_unfit  # type: ignore[method-assign]
    done = driver.online()
    assert driver.rejected == [(BULK, 1)]
    assert Report("bulk 1 cannot be sent") in done
    assert kinds(driver.wait(119_000)) == ["now", "health"]


def test_session_gives_up_one_item_at_most_while_nothing_gets_through() -> None:
    driver = Driver(bulk=60)
    driver.online()
    for _ in range(200):  # a link that dies whenever something is sent
        driver.tell(Lost())
        driver.online()
    assert len(driver.rejected) == 1


def test_session_pack_that_the_broker_answered_is_never_blamed() -> None:
    driver = Driver(bulk=1)
    for _ in range(100):
        (sent,) = packs(driver.online())
        driver.tell(PubAck(sent.token, 0))
        driver.tell(Lost())
    assert driver.rejected == []
    assert not driver.session.lanes[1].careful


def test_session_blames_the_first_pack_without_answer_not_those_before_it() -> None:
    driver = Driver(bulk=100)
    for _ in range(3):
        sent = packs(driver.online())
        driver.session.lanes[1].acked(0, driver.now_ms)  # the platform is there
        sent += packs(driver.wait(0))
        for good in sent[:4]:
            driver.tell(PubAck(good.token, 0))  # and the platform's word comes too late
        driver.tell(Lost())
    lane = driver.session.lanes[1]
    assert (lane.careful, lane.small_until, lane.items_max) == (True, 50, 5)


def test_session_announcement_that_ends_connections_is_left_out_every_other_time() -> None:
    driver = Driver(bulk=5)
    driver.answering = False
    seen = []
    for _ in range(7):
        done = driver.online()
        seen.append(kinds(done)[0])
        if seen[-1] != "state":
            for action in done[:2]:
                driver.tell(PubAck(action.token, 0))
        driver.tell(Lost())
    assert seen == ["state"] * 3 + ["now", "state"] * 2
    assert not driver.session.lanes[1].careful


def test_session_broker_that_finds_everything_too_large_costs_one_item_at_most() -> None:
    driver = Driver(bulk=60)
    sent = packs(driver.online())
    for _ in range(50):
        sent = packs(driver.tell(PubAck(sent[0].token, 0x95))) or packs(driver.wait(120_000))
    assert driver.rejected == [(BULK, 1)]


def test_session_suspect_travels_alone() -> None:
    driver = Driver(bulk=100)
    for _ in range(3):
        driver.online()
        driver.tell(Lost())
    driver.answering = False
    done = driver.online()
    assert kinds(done) == ["state", "now", "health"]
    for action in done:
        sent = driver.tell(PubAck(action.token, 0))
    assert kinds(sent) == ["Publish"]
    driver.held[CRIT] = 1
    assert driver.tell(Changed()) == []
    assert len(packs(driver.tell(PubAck(sent[0].token, 0)), CRIT)) == 1


def test_session_disconnect_for_a_large_packet_is_believed_at_once() -> None:
    driver = Driver(bulk=10)
    driver.online()
    driver.tell(Lost(0x95))
    driver.online()
    assert driver.session.lanes[1].flights[0].last == 5
