from gateway.core.reading import BULK, CRIT
from gateway.uplink import topics
from gateway.uplink.events import (
    Acked,
    Advance,
    Announce,
    Blocked,
    Changed,
    Clear,
    Connect,
    Connected,
    Empty,
    Failed,
    Loaded,
    Lost,
    PubAck,
    Publish,
    Report,
    Tick,
    Unfit,
)
from gateway.uplink.lane import ITEMS_MAX, WINDOW, Flight, Lane
from gateway.uplink.session import CONNECTING, OFFLINE, ONLINE, Session
from tests.support.session_driver import BIG, LOG, Driver, kinds, packs


def test_session_dials_with_jitter_from_the_very_first_try() -> None:
    driver = Driver()
    assert driver.session.wake_ms(0) == 1000  # half of two seconds, as `random` says 0.5
    assert driver.wait(999) == []
    assert driver.wait(1) == [Connect()]
    assert driver.session.state == CONNECTING
    assert driver.session.wake_ms(1000) is None


def test_session_backs_off_up_to_two_minutes() -> None:
    driver = Driver()
    delays = []
    for _ in range(13):
        wake_ms = driver.session.wake_ms(driver.now_ms) or 0
        delays.append(wake_ms - driver.now_ms)
        driver.now_ms = wake_ms
        assert driver.tell(Tick()) == [Connect()]
        driver.tell(Failed())
    assert delays[:6] == [1000, 1000, 1500, 2250, 3375, 5062]
    assert delays[-2:] == [57665, 60000]


def test_session_forgives_only_after_a_minute_of_progress() -> None:
    driver = Driver(bulk=100)
    driver.online()
    for _ in range(4):
        driver.tell(Lost())
        driver.online()
    driver.tell(Acked(BULK, LOG, 10))
    driver.tell(Lost())
    assert (driver.session.wake_ms(0) or 0) - driver.now_ms == 5_062
    driver.online()
    driver.now_ms += 60_000
    driver.tell(Acked(BULK, LOG, 20))
    driver.tell(Lost())
    assert (driver.session.wake_ms(0) or 0) - driver.now_ms == 1_000


def test_session_announces_itself_before_anything_else() -> None:
    driver = Driver(crit=5, bulk=5)
    done = driver.online()
    assert kinds(done) == ["state", "now", "health", "Publish", "Publish"]
    assert [action.ring for action in done[3:] if isinstance(action, Publish)] == [CRIT, BULK]


def test_session_repeats_snapshot_and_health_every_minute() -> None:
    driver = Driver()
    driver.online()
    assert driver.session.wake_ms(driver.now_ms) == driver.now_ms + 60_000
    assert driver.wait(59_999) == []
    assert kinds(driver.wait(1)) == ["now", "health"]


def test_session_window_bounds_what_is_in_flight() -> None:
    driver = Driver(crit=1000, bulk=1000)
    done = driver.online()
    assert len(packs(done, CRIT)) == WINDOW
    assert len(packs(done, BULK)) == WINDOW
    done = driver.tell(Acked(CRIT, LOG, 30))  # three packs of ten
    assert len(packs(done, CRIT)) == 3
    assert packs(done, BULK) == []


def test_session_asks_for_crit_first_and_oldest_first() -> None:
    driver = Driver(bulk=1000)
    driver.online()
    driver.held[CRIT] = 15
    driver.tell(Changed())
    done = driver.tell(Acked(BULK, LOG, 200))
    assert packs(done, BULK)[0].ring == BULK
    assert len(driver.crit_packs) == 2
    assert driver.session.lanes[0].sent == 15


def test_session_cursor_moves_only_on_an_ack_of_the_same_log_within_what_was_sent() -> None:
    driver = Driver(bulk=50)
    driver.online()
    ignored = [
        Acked(BULK, b"otherlog", 10),
        Acked(BULK, LOG, 51),
        Acked(BULK, LOG, 1 << 60),
        Acked("tank", LOG, 1),
        Acked(CRIT, LOG, 1),
    ]
    for number, ack in enumerate(ignored, 1):
        assert driver.tell(ack) == []
        assert driver.session.counts["acks_ignored"] == number
    assert driver.tell(Acked(BULK, LOG, 50)) == [Advance(BULK, LOG, 50)]
    assert driver.tell(Acked(BULK, LOG, 40)) == []  # said before: nothing new, nothing wrong
    assert driver.session.counts["acks_ignored"] == len(ignored)
    assert driver.cursors[BULK] == 50


def test_session_believes_acks_for_what_an_earlier_process_may_have_sent() -> None:
    lane = Lane(BULK, LOG, 100, 9_000)
    session = Session([lane], lambda: 0.0, 0)
    session.on(Tick(), 0)
    session.on(Connected(20, BIG), 0)
    assert Advance(BULK, LOG, 8_999) in session.on(Acked(BULK, LOG, 8_999), 0)
    assert session.on(Acked(BULK, LOG, 9_001), 0) == []


def test_session_puback_moves_nothing() -> None:
    driver = Driver(bulk=10)
    sent = packs(driver.online())
    driver.tell(PubAck(sent[0].token, 0))
    assert driver.cursors[BULK] == 0
    driver.tell(Lost())
    assert len(packs(driver.online())) == 1  # sent again


def test_session_goes_back_after_30_s_without_progress_and_probes_with_one_pack() -> None:
    driver = Driver(bulk=400)
    assert len(packs(driver.online())) == WINDOW
    assert packs(driver.wait(29_999)) == []
    done = driver.wait(1)
    assert Report("no acknowledgement") in done
    assert len(packs(done)) == 1
    assert driver.session.lanes[1].sent == 10
    done = driver.tell(Acked(BULK, LOG, 30))  # late, but the platform is there
    assert len(packs(done)) == WINDOW
    assert Report("") not in done
    driver.wait(10_000)
    assert Report("") in driver.tell(Acked(BULK, LOG, 40))


def test_session_puback_codes_lead_where_the_table_says() -> None:
    table = [
        # code, counter, packs resent at once, after 1 s, after 120 s without any other event
        (0x00, None, 0, 0),
        (0x10, "puback_absent", 0, 0),
        (0x87, "puback_denied", 0, 0),
        (0x97, "puback_busy", 0, 1),
        (0x80, "puback_busy", 0, 1),
        (0x99, "puback_busy", 0, 1),
        (0x95, "puback_too-large", 1, 0),
    ]
    for code, counter, at_once, after_1_s in table:
        driver = Driver(bulk=10)
        sent = packs(driver.online())
        assert len(sent) == 1
        done = driver.tell(PubAck(sent[0].token, code))
        assert len(packs(done)) == at_once, code
        assert len(packs(driver.wait(1_000))) == after_1_s, code
        assert driver.cursors[BULK] == 0
        counted = [name for name in driver.session.counts if name.startswith("puback")]
        assert [name for name in counted if driver.session.counts[name]] == [counter] * bool(
            counter
        )


def test_session_platform_the_broker_cannot_see_is_no_trouble_while_it_answers() -> None:
    driver = Driver(bulk=100)
    for sent in packs(driver.online()):
        done = driver.tell(PubAck(sent.token, 0x10))
        assert [action for action in done if isinstance(action, Report)] == []
    assert driver.session.counts["puback_absent"] == 10
    assert Report("nobody subscribes") in driver.wait(30_000)


def test_session_denied_lane_stops_and_tries_again_after_two_minutes() -> None:
    driver = Driver(crit=5, bulk=5)
    done = driver.online()
    done = driver.tell(PubAck(packs(done)[0].token, 0x87))
    assert Report("broker: denied (0x87)") in done
    driver.held[CRIT] = driver.held[BULK] = 9
    done = driver.tell(Changed())
    assert len(packs(done, CRIT)) == 1  # the other lane goes on
    assert packs(done, BULK) == []
    driver.tell(Acked(CRIT, LOG, 9))
    resent = 0
    for _ in range(119):
        resent += len(packs(driver.wait(1_000)))
    assert resent == 0
    assert len(packs(driver.wait(1_000))) == 1


def test_session_refusals_in_a_row_are_asked_less_and_less() -> None:
    driver = Driver(bulk=10)
    sent = packs(driver.online())
    delays = []
    for _ in range(4):
        driver.tell(PubAck(sent[-1].token, 0x97))
        wake_ms = driver.session.wake_ms(driver.now_ms) or 0
        delays.append(wake_ms - driver.now_ms)
        driver.now_ms = wake_ms
        sent = packs(driver.tell(Tick()))
    assert delays == [1_000, 1_500, 2_250, 3_375]


def test_session_receive_maximum_counts_every_unanswered_publish() -> None:
    driver = Driver(bulk=400)
    driver.answering = False
    done = driver.online(receive_max=2)
    assert kinds(done) == ["state", "now"]
    done = driver.tell(PubAck(done[0].token, 0))
    assert kinds(done) == ["health"]
    done = driver.tell(PubAck(done[0].token, 0))
    assert kinds(done) == ["Publish"]


def test_session_cuts_packs_to_the_brokers_maximum() -> None:
    driver = Driver(bulk=40, size=100)
    done = driver.online(packet_max=256 + 300)
    assert {len(pack.payload) for pack in packs(done)} == {200}  # ten, five, two items
    assert driver.session.lanes[1].sent == 40
    assert driver.rejected == []


def test_session_rejects_the_single_item_the_broker_can_never_take() -> None:
    driver = Driver(bulk=40, size=100)
    driver.held[BULK] = 2
    driver.online(packet_max=256 + 99)
    assert driver.rejected == [(BULK, 1), (BULK, 2)]
    assert driver.session.lanes[1].sent == 2


def test_session_rejects_the_single_item_that_cannot_be_packed() -> None:
    driver = Driver(bulk=100)
    driver.unfit = {37, 38}
    driver.online()
    assert driver.rejected == [(BULK, 37), (BULK, 38)]
    assert driver.session.lanes[1].sent == 100
    assert driver.session.lanes[1].items_max == ITEMS_MAX


def test_session_waits_while_the_connection_is_full() -> None:
    driver = Driver(bulk=400)
    driver.held[BULK] = 0
    driver.online()
    driver.tell(Blocked())
    driver.held[BULK] = 10
    assert driver.tell(Changed()) == []
    assert len(packs(driver.tell(Clear()))) == 1


def test_session_rate_limit_spreads_bulk_and_spares_crit() -> None:
    driver = Driver(crit=50, bulk=400, rate=1256)  # a pack of 1000 + 256 bytes takes a second
    done = driver.online()
    assert len(packs(done, CRIT)) == 5
    assert len(packs(done, BULK)) == 1
    assert driver.session.wake_ms(driver.now_ms) == driver.now_ms + 1000
    assert packs(driver.wait(999)) == []
    assert len(packs(driver.wait(1))) == 1


def test_session_events_out_of_season_change_nothing() -> None:
    driver = Driver(bulk=10)
    late = [Lost(), PubAck(1, 0x87), Acked(BULK, LOG, 1), Changed(), Blocked(), Clear(), Failed()]
    late += [Connected(1, 1), Empty(BULK), Loaded(BULK, 1, 2, b""), Unfit(BULK, 1, 2)]
    for event in late:
        assert driver.tell(event) == []
        assert driver.session.state == OFFLINE
    driver.online()
    before = driver.session.lanes[1].flights
    for event in (Connected(1, 1), Failed(), PubAck(999, 0x97), Loaded(BULK, 5, 9, b"")):
        assert driver.tell(event) == []
    assert driver.session.state == ONLINE
    assert driver.session.lanes[1].flights == before


def test_session_after_a_loss_starts_again_behind_the_cursor() -> None:
    driver = Driver(bulk=30)
    driver.online()
    driver.tell(Acked(BULK, LOG, 15))  # in the middle of the second pack
    driver.tell(Lost())
    done = driver.online()
    assert kinds(done)[0] == topics.STATE
    assert driver.session.lanes[1].flights[0].first == 16
    assert len(packs(done)) == 1  # it asks what the platform holds already
    assert len(packs(driver.tell(Acked(BULK, LOG, 25)))) == 1
    assert driver.session.lanes[1].flights[0].first == 26


def test_session_after_a_start_one_pack_asks_what_the_platform_holds_already() -> None:
    lane = Lane(BULK, LOG, 0, 9_000)  # its cursor is as old as its last write
    assert lane.wants()
    lane.published(Flight(1, 1, 10), 0)
    assert not lane.wants()
    lane.acked(8_000, 0)
    assert (lane.wants(), lane.sent) == (True, 8_000)


def test_session_asks_ever_later_while_the_broker_is_back_and_the_platform_is_not() -> None:
    driver = Driver(bulk=400)
    driver.online()
    driver.tell(Lost())
    sent = packs(driver.online())
    for wait_ms in (2_000, 4_000, 8_000, 16_000, 30_000, 30_000):
        assert len(sent) == 1
        driver.tell(PubAck(sent[0].token, 0x10))
        assert packs(driver.wait(wait_ms - 1)) == []
        done = driver.wait(1)
        sent = packs(done)
        assert (Report("nobody subscribes") in done) == (wait_ms >= 16_000)
    driver.tell(PubAck(sent[0].token, 0x10))
    assert len(packs(driver.tell(Acked(BULK, LOG, 10)))) == WINDOW
    assert packs(driver.wait(29_999)) == []


def test_session_a_slow_way_to_the_broker_is_no_silence_of_the_platform() -> None:
    driver = Driver(bulk=400)
    driver.online()
    driver.tell(Lost())
    sent = packs(driver.online())
    assert packs(driver.wait(29_000)) == []
    driver.tell(PubAck(sent[0].token, 0))
    assert packs(driver.wait(1_999)) == []
    assert len(packs(driver.wait(1))) == 1


def test_session_first_pack_waits_for_the_answers_to_the_announcements() -> None:
    # A broker that hangs up with unread bytes takes the answers it gave with it (a TCP reset).
    driver = Driver(crit=1, bulk=400)
    driver.online()
    driver.tell(Lost())
    driver.answering = False
    done = driver.online()
    assert kinds(done) == ["state", "now", "health"]
    waiting = [action for action in done if isinstance(action, Announce)]
    assert packs(driver.tell(PubAck(waiting[0].token, 0))) == []
    assert packs(driver.tell(PubAck(waiting[1].token, 0))) == []
    assert len(packs(driver.tell(PubAck(waiting[2].token, 0)))) == 1
