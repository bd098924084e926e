"""A log line stays one line, whatever a stranger put into its values."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gateway.core import log

if TYPE_CHECKING:
    import pytest


def test_log_a_strangers_words_forge_neither_line_nor_field(
    capsys: pytest.CaptureFixture[str],
) -> None:
    log.event(log.ERROR, "lost", what="a\tb", why='no\n<3>lost what=x \x1b[2J\x9b" after_ms=1')
    assert capsys.readouterr().err == ('lost what=a·b why="no·<3>lost what=x ·[2J·\' after_ms=1"\n')


def test_log_quotes_what_would_not_read_as_one_value(capsys: pytest.CaptureFixture[str]) -> None:
    log.event(log.INFO, "start", a="plain", b="two words", c="", d=7, e="k=v", f="°C")
    assert capsys.readouterr().err == 'start a=plain b="two words" c="" d=7 e="k=v" f=°C\n'
