from gateway.core.reading import BULK, CRIT
from gateway.uplink import topics
from gateway.uplink.events import Acked, Announce, Changed, PubAck, Report
from gateway.uplink.session import ANNOUNCE_MS, DENIED_MS
from tests.support.session_driver import LOG, Driver, packs

DENIED = 0x87


def reports(done: list[object]) -> list[str]:
    return [one.why for one in done if isinstance(one, Report)]


def test_session_is_not_back_while_one_ring_is_refused_though_the_other_arrives() -> None:
    driver = Driver(crit=300, bulk=10, size=1)
    driver.items_max = 1
    code, said = DENIED, []
    done = driver.online()
    for second in range(3 * DENIED_MS // 1_000 + 2):
        if second == 2 * DENIED_MS // 1_000 + 10:
            # Ten packs were in flight, and then one each two minutes.
            assert said == (10 + 1 + 1) * ["broker: denied (0x87)"]
            code, said = 0, []
        for sent in packs(done):
            done += driver.tell(PubAck(sent.token, code))
            if not code:
                done += driver.tell(Acked(BULK, LOG, 10))
        for sent in packs(done, CRIT):
            done += driver.tell(PubAck(sent.token, 0))
        said += reports(done)
        driver.crit_packs.clear()  # boards have less room
        # What the platform says of alarms comes before what the broker says of the rest.
        done = driver.wait(1_000)
        done += driver.tell(Acked(CRIT, LOG, driver.cursors[CRIT] + 1))
    assert said == [""]
    assert driver.cursors[BULK] > 0


def test_session_is_not_back_while_an_announcement_is_refused() -> None:
    driver = Driver(bulk=10, size=1)
    driver.answering = False
    said = []
    done = driver.online()
    for second in range(3 * ANNOUNCE_MS // 1_000 + 2):
        code = DENIED if second < 3 * ANNOUNCE_MS // 1_000 - 10 else 0
        for one in done:
            if isinstance(one, Announce):
                found = driver.tell(PubAck(one.token, code if one.kind == topics.HEALTH else 0))
                said += reports(found)
        driver.held[BULK] += 1
        done = driver.tell(Changed()) + driver.wait(1_000)
        for sent in packs(done):
            driver.tell(PubAck(sent.token, 0))
        said += reports(driver.tell(Acked(BULK, LOG, driver.held[BULK])))
    assert said == 3 * ["broker: denied (0x87)"] + [""]
