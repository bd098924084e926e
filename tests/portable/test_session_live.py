from gateway.core.reading import BULK, CRIT
from gateway.uplink.events import Acked, Announce, Blocked, Changed, Clear, Lost, PubAck
from gateway.uplink.lane import WINDOW
from gateway.uplink.session import LIVE_MS
from gateway.uplink.topics import LIVE
from tests.support.session_driver import LOG, Driver, kinds, packs


def behind() -> Driver:
    """A gateway with more history than fits into its window."""
    driver = Driver(bulk=100_000)
    driver.online()
    assert len(driver.session.lanes[1].flights) == WINDOW
    return driver


def lives(done: list[object]) -> list[object]:
    return [one for one in done if isinstance(one, Announce) and one.kind == LIVE]


def test_session_tells_what_is_new_each_second_while_history_is_on_its_way() -> None:
    driver = behind()
    began_ms = driver.now_ms
    told = []
    for _ in range(10):
        wake_ms = driver.session.wake_ms(driver.now_ms)
        told += lives(driver.wait(wake_ms - driver.now_ms))
        driver.tell(Acked(BULK, LOG, driver.session.lanes[1].cursor + 10))
    assert len(told) == 10
    assert driver.now_ms == began_ms + 10 * LIVE_MS


def test_session_tells_it_even_while_the_window_never_fills() -> None:
    driver = behind()
    told = []
    for _ in range(300):
        done = driver.tell(Acked(BULK, LOG, driver.session.lanes[1].sent))
        for pack in packs(done):  # the broker keeps up as well
            done += driver.tell(PubAck(pack.token, 0))
        told += lives(done + driver.wait(10))
    assert len(told) == 300 * 10 // LIVE_MS


def test_session_tells_nothing_new_once_history_is_through() -> None:
    driver = Driver(bulk=20)
    driver.online()
    assert lives(driver.wait(30_000)) == []
    for _ in range(60):  # ordinary life: a commit every ten seconds
        driver.held[BULK] += 100
        assert lives(driver.tell(Changed())) == []
        driver.tell(Acked(BULK, LOG, driver.held[BULK]))
        assert lives(driver.wait(1_000)) == []


def test_session_tells_nothing_new_to_a_platform_that_is_silent() -> None:
    driver = behind()
    assert lives(driver.wait(29_000)) != []
    driver.wait(1_000)  # silence for too long: one pack at a time from here on
    told = [lives(driver.wait(1_000)) for _ in range(60)]
    assert told == 60 * [[]]


def test_session_what_is_new_waits_for_alarms_and_never_overtakes_itself() -> None:
    driver = behind()
    driver.held[CRIT] = 5
    driver.now_ms += LIVE_MS
    done = driver.tell(Changed())
    assert kinds(done) == ["Publish", "live"]
    assert len(packs(done, CRIT)) == 1
    driver.answering = False
    (first,) = lives(driver.wait(LIVE_MS))
    assert lives(driver.wait(20_000)) == []  # the one before is still on its way
    driver.tell(Acked(BULK, LOG, 10))
    assert len(lives(driver.tell(PubAck(first.token, 0)))) == 1


def test_session_what_is_new_is_left_out_while_the_link_takes_no_more() -> None:
    driver = behind()
    driver.tell(Blocked())
    assert lives(driver.wait(5_000)) == []
    assert len(lives(driver.tell(Clear()))) == 1


def test_session_after_a_loss_the_whole_picture_comes_first_again() -> None:
    driver = behind()
    driver.tell(Lost())
    done = driver.online()
    assert kinds(done)[:3] == ["state", "now", "health"]
    assert lives(done) == []
    assert lives(driver.wait(LIVE_MS - 1)) == []
    driver.tell(Acked(BULK, LOG, 10))
    assert len(lives(driver.wait(1))) == 1
