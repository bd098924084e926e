"""What can go wrong, sorted by who must act."""

from __future__ import annotations


class TidegateError(Exception):
    """The root of all errors the project raises on purpose."""


class ConfigError(TidegateError):
    """A person must change something; the message names the file, place and value."""


class LinkError(TidegateError):
    """The way to the other side is gone: reopen it."""


class NoReply(TidegateError):
    """Nobody answered in time: wait, then ask again."""


class BadReply(TidegateError):
    """What came breaks its format; `got` holds the offending bytes. Ask again."""

    def __init__(self, message: str, got: bytes = b"") -> None:
        super().__init__(message)
        self.got = got


class Refused(TidegateError):
    """The other side understood and said no with `code`: do not ask again."""

    def __init__(self, message: str, code: int = 0) -> None:
        super().__init__(message)
        self.code = code
