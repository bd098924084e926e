from gateway.core.duration import milliseconds


def test_duration_is_read_as_people_write_it() -> None:
    written = [("500ms", 500), ("10s", 10_000), ("5m", 300_000), ("5 min", 300_000)]
    for text, ms in written + [("1h", 3_600_000), ("7d", 604_800_000)]:
        assert milliseconds(text) == ms, text


def test_duration_without_number_or_unit_is_refused() -> None:
    for text in ("", "10", "s", "-1s", "1.5s", "1e3s", "10 parsecs", "9999999999s", "1s1s"):
        try:
            milliseconds(text)
        except ValueError:
            continue
        assert False, text
