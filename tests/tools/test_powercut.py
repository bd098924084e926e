"""Logs of block writes, and what cuts leave of them."""

from __future__ import annotations

import struct
from random import Random

import pytest

from gateway.core.errors import BadReply
from tools.powercut.blocklog import DISCARD, ENDINGS, FLUSH, FUA, MAGIC, Cuts, read_log

BLANK = bytes(8 * 512)


def log_of(*entries: tuple[int, bytes, int]) -> bytes:
    """Return the log of writes (sector, data, flags)."""
    log = struct.pack("<QQQI", MAGIC, 1, len(entries), 512).ljust(512, b"\0")
    for sector, data, flags in entries:
        log += struct.pack("<QQQQ", sector, len(data) // 512, flags, 0).ljust(512, b"\0")
        log += b"" if flags & DISCARD else data
    return log


def letters(text: str) -> bytes:
    """Return one sector full of each letter."""
    return b"".join(letter.encode() * 512 for letter in text)


def shown(disk: bytearray) -> str:
    return "".join(chr(disk[at] or ord(".")) for at in range(0, len(disk), 512))


def every_end(log: bytes, moment: int, ending: str) -> set[str]:
    entries = read_log(log)
    return {shown(Cuts(BLANK, entries).left(moment, ending, Random(n))) for n in range(200)}


def test_block_log_entries_are_read_with_where_they_end() -> None:
    log = log_of((2, letters("ab"), 0), (0, b"", FLUSH), (1, letters("c"), FUA))
    entries = read_log(log)
    assert [(entry.at, len(entry.data), entry.flags) for entry in entries] == [
        (1024, 1024, 0),
        (0, 0, FLUSH),
        (512, 512, FUA),
    ]
    assert [entry.end for entry in entries] == [2048, 2560, len(log)]


@pytest.mark.parametrize("log", [b"", bytes(512), log_of((0, letters("a"), 0))[:-600]])
def test_block_log_that_is_none_is_refused(log: bytes) -> None:
    with pytest.raises(BadReply):
        read_log(log)


def test_cut_never_takes_what_a_flush_confirmed() -> None:
    log = log_of((0, letters("abc"), 0), (0, b"", FLUSH), (1, letters("x"), 0))
    for ending in ENDINGS:
        assert every_end(log, 2, ending) == {"abc....."}
    assert every_end(log, 3, "dropped") == {"abc....."}
    assert every_end(log, 3, "kept") == {"axc....."}


def test_cut_keeps_any_part_of_what_was_not_flushed() -> None:
    log = log_of((0, letters("ab"), 0), (2, letters("c"), 0), (3, letters("de"), 0))
    assert every_end(log, 2, "some") == {"........", "ab......", "..c.....", "abc....."}
    torn = every_end(log, 3, "torn")
    assert {"ab.d....", "ab..e...", "...de...", "abcde...", "........"} <= torn
    assert len(torn) == 16


def test_cut_never_tears_what_is_to_stay_whole() -> None:
    entries = read_log(log_of((0, letters("abcd"), 0)))
    torn = {shown(Cuts(BLANK, entries, 1024).left(1, "torn", Random(n))) for n in range(100)}
    assert torn == {
        "........",
        "ab......",
        "ab.d....",
        "abc.....",
        "abcd....",
        "..c.....",
        "..cd....",
        "...d....",
    }


def test_cut_keeps_what_was_written_through() -> None:
    log = log_of((0, letters("a"), 0), (1, letters("b"), FUA))
    assert every_end(log, 2, "dropped") == {".b......"}
    assert every_end(log, 2, "torn") == {".b......", "ab......"}


def test_cuts_agree_however_many_were_asked_before() -> None:
    dice = Random(3)
    writes = [(dice.randrange(8), letters(chr(97 + n % 26)), 0) for n in range(60)]
    entries = read_log(
        log_of(*((0, b"", FLUSH) if n % 7 == 6 else w for n, w in enumerate(writes)))
    )
    one = Cuts(BLANK, entries)
    for moment in range(1, len(entries) + 1):
        for ending in ENDINGS:
            alone = Cuts(BLANK, entries).left(moment, ending, Random(moment))
            assert one.left(moment, ending, Random(moment)) == alone
