"""Numbers of things in a sentence: 1 channel, 2 channels. Knows English words that take an s."""

from __future__ import annotations


def many(number: int, word: str) -> str:
    """Return the number and the word, which takes an s unless it is one."""
    return f"{number} {word}" if number == 1 else f"{number} {word}s"
