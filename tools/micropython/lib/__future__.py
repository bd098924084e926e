"""Stands in for CPython's module: MicroPython never evaluates annotations anyway."""

annotations = None
