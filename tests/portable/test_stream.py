"""A stream cut into frames: what is kept, what is counted, what a stranger may cost."""

from __future__ import annotations

from drivers.protocol.stream import MARKS_MAX, MORE, WORK, WORK_AHEAD, Seen, Stream

LONG = 1000


def size(got, at):
    """Frames are `<n…` with n bytes behind the digit; `[` begins a long one that is never right."""
    if got[at : at + 1] == b"[":
        return -LONG if len(got) - at >= LONG else MORE
    if at + 1 >= len(got):
        return MORE
    whole = 2 + got[at + 1] - 48
    return 0 if not 2 <= whole <= 11 else whole if at + whole <= len(got) else MORE


def cut(data, lump):
    stream, found = Stream(b"<[", size), []
    for at in range(0, len(data), lump):
        found += stream.feed(data[at : at + lump])
    return found, stream


def test_frames_are_found_behind_garbage_and_every_byte_is_accounted_for():
    data = b"x<x<3abc<0y<2ab[<1z"
    for lump in (1, 2, 5, len(data)):
        found, stream = cut(data, lump)
        assert found == [b"<3abc", b"<0", b"<2ab"]
        assert stream.flush() == [b"<1z"]
        assert stream.skipped + len(b"".join(found)) + 3 == len(data)


def test_heads_of_long_frames_cost_a_bounded_work_and_lumps_change_nothing():
    bad = b"[" * 6 * LONG + b"<3abc" * LONG
    outcomes = []
    for lump in (1, 333, 4000):
        vain = [0]

        def counted(got, at, vain=vain):
            found = size(got, at)
            vain[0] -= min(0, found - MORE)
            return found

        stream, found = Stream(b"<[", counted), 0
        for at in range(0, len(bad), lump):
            found += len(stream.feed(bad[at : at + lump]))
        outcomes.append((found, stream.skipped))
        assert vain[0] <= WORK_AHEAD + WORK * len(bad) + LONG
    assert outcomes[0] == outcomes[1] == outcomes[2]
    assert outcomes[0][0] >= LONG - LONG // 5


def test_what_was_told_is_remembered_within_bounds():
    seen = Seen(senders_max=3)
    assert seen.is_new("a", b"1")
    assert not seen.is_new("a", b"1")
    assert seen.is_new("b", b"1")
    for number in range(2, 2 + MARKS_MAX - 1):
        assert seen.is_new("a", str(number).encode())
    assert not seen.is_new("a", b"1")
    assert seen.is_new("a", b"last")
    assert seen.is_new("a", b"1")
    for sender in ("c", "a", "d"):
        seen.is_new(sender, b"1")
    assert len(seen._marks) == 3
    assert seen.is_new("b", b"1")  # silent for longest: forgotten
    assert not seen.is_new("a", b"1")


def test_a_few_false_heads_hide_nothing():
    data = b"[" * 20 + b"<3abc" * 400
    assert len(cut(data, 7)[0]) == 400
