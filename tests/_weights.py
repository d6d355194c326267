"""Values of each kind that is stored in its own way, for the tests of bytes."""

import datetime as dt
import decimal
import uuid

from flask import Response


class Plain:
    """What only pickle can store."""

    def __init__(self, text):
        self.text = text


class Odd:
    """A serializer that keeps objects as they are."""

    def dumps(self, value):
        return {"kept": value}

    def loads(self, dumped):
        return dumped["kept"]


VALUES = {
    "text": "x" * 200,
    "other text": "\u20ac" * 100,
    "bytes": b"x" * 300,
    "small": 7,
    "large": 2**62,
    "huge": 2**4000,
    "float": 1.5,
    "moment": dt.datetime(2026, 11, 23, tzinfo=dt.UTC),
    "decimal": decimal.Decimal("1.23"),
    "uuid": uuid.UUID(int=2**127),
    "tuple": ("a" * 50, (1, 2.5), b"xyz"),
    "frozenset": frozenset({"a" * 30, 99}),
    "list": [{"id": number, "name": f"name {number}", "tags": ["a", "b"]} for number in range(20)],
    "pickled": Plain("x" * 500),
    "response": Response("x" * 400, headers={"X-A": "b"}),
}
