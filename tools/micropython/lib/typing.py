"""Stands in for CPython's module: portable files ask only whether a checker reads them."""

TYPE_CHECKING = False
