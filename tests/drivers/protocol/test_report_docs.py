"""The page about reporting devices: its example runs."""

from __future__ import annotations

import re
from pathlib import Path

PAGE = Path("docs/protocols/reports.md").read_text()


def test_examples_of_the_page_run() -> None:
    examples = re.findall(r"^```python\n(.*?)^```", PAGE, re.DOTALL | re.MULTILINE)
    assert len(examples) == 1
    for example in examples:
        exec(compile(example, "reports.md", "exec"), {})


def test_the_limits_of_the_page_are_those_of_the_code() -> None:
    from drivers.protocol import hj212, hj212_centre, nmea, skstack, sl651, sl651_centre, stream

    for said, limit in (
        ("(8 bytes for each byte sent", stream.WORK == 8),
        ("At most 256 KiB are joined", sl651_centre.JOIN_MAX == 256 * 1024),
        ("three times at 10 s", (sl651_centre.TRIES, sl651_centre.ANSWER_MS) == (3, 10_000)),
        ("10 s of silence", sl651_centre.PACKET_MS == 10_000),
        ("bodies beyond 4095 bytes", sl651.BODY_MAX == 4095),
        ("waits 10 s for 9011, three times", hj212_centre.ANSWER_MS == 10_000),
        ("up to 60 s for data", hj212_centre.RESULT_MS == 60_000),
        ("4096 bytes of data", hj212.ACCEPTED_MAX == 4096),
        ("(the standard: 1024)", hj212.SEGMENT_MAX == 1024),
        ("more than 256 items", hj212.GROUPS_MAX == 256),
        ("256 characters (the standard: 82)", (nmea.ACCEPTED_MAX, nmea.SENTENCE_MAX) == (256, 82)),
        ("10 s to 5 min", skstack.BACK_OFF_MS[0::3] == (10_000, 300_000)),
    ):
        assert said in PAGE.replace("\n", " "), said
        assert limit, said
