from gateway.health import Beats, summary, unaccounted


def test_beats_name_what_has_stopped() -> None:
    beats = Beats()
    beats.expect("store", 30_000, 0)
    beats.expect("uplink", 60_000, 0)
    assert beats.late(30_000) == []
    assert beats.late(30_001) == ["store"]
    beats.beat("store", 30_001)
    assert beats.late(60_001) == ["uplink"]
    assert beats.late(60_002) == ["store", "uplink"]


def test_a_reading_that_does_not_account_for_itself_shows() -> None:
    counts = {"sampled": 10, "delivered": 6, "gaps": 1, "buffered": 3}
    assert unaccounted(counts) == 0
    assert summary(counts) == "sampled 10 = delivered 6 + gaps 1 + buffered 3"
    counts["delivered"] = 5
    assert unaccounted(counts) == 1
