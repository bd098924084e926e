from drivers.breaker import CAP_MS, SHARE, STEP_MS, Breaker, Patience


def silent(breaker, now_ms, cost_ms=100):
    """Ask at each first permitted millisecond; return the waits between the asks."""
    waits = []
    for _ in range(30):
        start = now_ms
        while not breaker.allows(now_ms):
            now_ms += 1
        waits.append(now_ms - start)
        now_ms += cost_ms
        breaker.missed(now_ms, cost_ms)
    return waits


def test_breaker_steps_up_by_half_seconds_to_its_cap():
    waits = silent(Breaker(), 0)
    assert waits[:5] == [0, 0, 0, STEP_MS, 2 * STEP_MS]
    assert waits[-1] == CAP_MS == max(waits)


def test_breaker_is_closed_by_any_answer():
    breaker = Breaker()
    silent(breaker, 0)
    assert breaker.open
    breaker.answered()
    assert not breaker.open and breaker.allows(0)
    breaker.missed(10, 10)
    assert not breaker.open and breaker.allows(10)
    breaker.missed(20, 10)
    assert breaker.open and breaker.allows(20)


def test_breaker_a_silent_device_takes_its_share_of_the_bus_and_no_more():
    for cost_ms in (50, 200, 1000, 3000):
        breaker = Breaker(cap_ms=2000)
        for _ in range(400):
            breaker.missed(0, cost_ms)
        now_ms = 1_000_000
        breaker.missed(now_ms, cost_ms)
        assert not breaker.allows(now_ms + cost_ms * (SHARE - 1) - 1)
        assert breaker.allows(now_ms + max(2000, cost_ms * (SHARE - 1)))


def test_patience_follows_latency_up_at_once_and_down_slowly():
    patience = Patience(1000)
    patience.heard(200)
    assert patience.timeout_ms() == 800
    patience.heard(10)
    assert 600 < patience.timeout_ms() < 800
    for _ in range(60):
        patience.heard(10)
    assert patience.latency_ms == 10
    assert patience.timeout_ms() == 100  # the least
    patience.heard(700)
    assert patience.timeout_ms() == 1000  # the most


def test_patience_now_and_then_a_try_waits_in_full():
    patience = Patience(1000)
    patience.heard(20)
    waits = []
    for _ in range(40):
        waits.append(patience.timeout_ms() == 1000)
        patience.missed()
    assert [i for i in range(40) if waits[i]] == [3, 19, 35]
    patience.heard(300)
    assert patience.timeout_ms() == 1000


def test_patience_never_exceeds_a_short_limit():
    assert Patience(40).timeout_ms() == 40
