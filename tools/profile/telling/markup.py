"""Pages as blocks of text, written as Markdown or as one HTML file that needs nothing else.

Knows headings, paragraphs, lists, tables and code; every text is escaped here and nowhere else.
"""

from __future__ import annotations

import html
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import TypeAlias

    Inline: TypeAlias = "str | Piece | Sequence[str | Piece]"

TEXT, CODE, BOLD, LINK = "text", "code", "bold", "link"
_SPECIAL = re.compile(r"([\\`*_\[\]<>|])")
_LINE_START = re.compile(r"^(#|[-+] |[0-9]+[.)] |=)")
_STYLE = """\
body{font:15px/1.45 system-ui,sans-serif;margin:2em auto;max-width:76em;padding:0 1em;color:#111}
table{border-collapse:collapse;margin:.6em 0 1.2em}
th,td{border:1px solid #bbb;padding:.25em .6em;text-align:left;vertical-align:top}
th{background:#eee}code,pre{font:13px/1.4 ui-monospace,monospace;background:#f4f4f4}
pre{padding:.7em;overflow-x:auto}div.wide{overflow-x:auto}"""


@dataclass(frozen=True, slots=True)
class Piece:
    """Text in a line: `how` is CODE, BOLD or LINK (to `target`)."""

    how: str
    text: str
    target: str = ""


def code(text: str) -> Piece:
    """Return text as it stands in a file or on a line."""
    return Piece(CODE, text)


def bold(text: str) -> Piece:
    """Return text that stands out."""
    return Piece(BOLD, text)


def link(text: str, target: str) -> Piece | str:
    """Return a link; what leads neither to a page of ours nor to the web is only text."""
    outside = re.match(r"[a-z][a-z0-9+.-]*:", target, re.IGNORECASE)
    if (outside and not target.startswith(("https://", "http://"))) or " " in target:
        return text
    return Piece(LINK, text, target)


@dataclass(frozen=True, slots=True)
class Heading:
    level: int
    text: str


@dataclass(frozen=True, slots=True)
class Paragraph:
    text: Inline


@dataclass(frozen=True, slots=True)
class Items:
    rows: Sequence[Inline]


@dataclass(frozen=True, slots=True)
class Table:
    """Columns that no row fills are left out."""

    head: Sequence[str]
    rows: Sequence[Sequence[Inline]]


@dataclass(frozen=True, slots=True)
class Code:
    text: str
    language: str = ""


@dataclass(slots=True)
class Page:
    """A title, and blocks below it."""

    title: str
    blocks: list[Heading | Paragraph | Items | Table | Code] = field(default_factory=list)

    def add(self, *blocks: Heading | Paragraph | Items | Table | Code) -> None:
        """Append blocks; tables and lists without rows are left out."""
        self.blocks += [one for one in blocks if getattr(one, "rows", True)]

    def markdown(self) -> str:
        """Return the page as GitHub-flavoured Markdown."""
        parts = [_md_block(one) for one in (Heading(1, self.title), *self.blocks)]
        return "\n\n".join(parts) + "\n"

    def html(self, language: str = "en") -> str:
        """Return the page as one HTML document without scripts."""
        body = "\n".join(_html_block(one) for one in (Heading(1, self.title), *self.blocks))
        return (
            f'<!doctype html>\n<html lang="{html.escape(language)}"><head><meta charset="utf-8">\n'
            '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
            f"<title>{html.escape(self.title)}</title>\n<style>\n{_STYLE}\n</style></head>\n"
            f"<body>\n{body}\n</body></html>\n"
        )


def _pieces(text: Inline) -> list[str | Piece]:
    return [text] if isinstance(text, (str, Piece)) else list(text)


def _filled(table: Table) -> list[int]:
    return [
        at for at in range(len(table.head)) if any(row[at] not in ("", []) for row in table.rows)
    ]


def _md_block(block: Heading | Paragraph | Items | Table | Code) -> str:
    if isinstance(block, Heading):
        return f"{'#' * block.level} {_md_text(block.text)}"
    if isinstance(block, Paragraph):
        return _LINE_START.sub(r"\\\1", _md(block.text))
    if isinstance(block, Items):
        return "\n".join(f"* {_md(row)}" for row in block.rows)
    if isinstance(block, Code):
        return f"```{block.language}\n{block.text.rstrip()}\n```"
    columns = _filled(block)
    rows = [[_md_text(block.head[at]) for at in columns], ["---"] * len(columns)]
    rows += [[_md(row[at]) for at in columns] for row in block.rows]
    return "\n".join(f"| {' | '.join(row)} |" for row in rows)


def _md(text: Inline) -> str:
    return "".join(_md_piece(one) for one in _pieces(text))


def _md_piece(piece: str | Piece) -> str:
    if isinstance(piece, str):
        return _md_text(piece)
    if piece.how == CODE:
        # In a table even code must not hold a bare |.
        fence = "``" if "`" in piece.text else "`"
        pad = " " if fence == "``" else ""
        return f"{fence}{pad}{_flat(piece.text).replace('|', chr(92) + '|')}{pad}{fence}"
    if piece.how == BOLD:
        return f"**{_md_text(piece.text)}**"
    target = piece.target.replace("(", "%28").replace(")", "%29").replace("|", "%7C")
    return f"[{_md_text(piece.text)}]({target})"


def _md_text(text: str) -> str:
    # _ inside a word means nothing to GitHub; ids stay readable.
    escaped = _SPECIAL.sub(r"\\\1", _flat(text))
    return re.sub(r"(?<=\w)\\_(?=\w)", "_", escaped)


def _flat(text: str) -> str:
    return " ".join(text.split()) if "\n" in text or "\t" in text else text


def _html_block(block: Heading | Paragraph | Items | Table | Code) -> str:
    if isinstance(block, Heading):
        return f"<h{block.level}>{html.escape(block.text)}</h{block.level}>"
    if isinstance(block, Paragraph):
        return f"<p>{_html(block.text)}</p>"
    if isinstance(block, Items):
        return "<ul>" + "".join(f"<li>{_html(row)}</li>" for row in block.rows) + "</ul>"
    if isinstance(block, Code):
        return f"<pre>{html.escape(block.text.rstrip())}</pre>"
    columns = _filled(block)
    head = "".join(f"<th>{html.escape(block.head[at])}</th>" for at in columns)
    rows = [
        "<tr>" + "".join(f"<td>{_html(row[at])}</td>" for at in columns) + "</tr>"
        for row in block.rows
    ]
    return f'<div class="wide"><table><tr>{head}</tr>\n' + "\n".join(rows) + "</table></div>"


def _html(text: Inline) -> str:
    return "".join(_html_piece(one) for one in _pieces(text))


def _html_piece(piece: str | Piece) -> str:
    if isinstance(piece, str):
        return html.escape(piece)
    inner = html.escape(piece.text)
    if piece.how == LINK:
        return f'<a href="{html.escape(piece.target)}">{inner}</a>'
    return f"<code>{inner}</code>" if piece.how == CODE else f"<b>{inner}</b>"
