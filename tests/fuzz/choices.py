"""What a fuzzing target does is chosen by the bytes it is given, one after the other."""

import struct


class Choices:
    """Choices read from bytes; past their end every choice is the first one.

    Args:
        data: The bytes.
    """

    def __init__(self, data):
        self.data, self.at = data, 0

    @property
    def left(self):
        """How many bytes are still to be read."""
        return len(self.data) - self.at

    def take(self, count):
        """Return the next bytes, fewer at the end."""
        taken = self.data[self.at : self.at + count]
        self.at += count
        return taken

    def below(self, bound):
        """Return a number from 0 up to a bound of at most 65,536."""
        width = 1 if bound <= 256 else 2
        return int.from_bytes(self.take(width), "big") % bound

    def pick(self, *options):
        return options[self.below(len(options))]

    def yes(self):
        return bool(self.below(2))

    def raw(self):
        """Return some bytes: few as a rule, seldom many."""
        length = self.below(256)
        if length < 200:
            return self.take(length % 20)
        return self.take(4) * 10 ** (length % 5)

    def number(self):
        """Return an int of any size, most often a small one or one at an edge."""
        kind, number = self.below(4), self.below(256)
        if kind == 0:
            return number - 128
        edge = 2 ** self.pick(7, 8, 15, 31, 32, 53, 62, 63, 64, 65, 127, 1024)
        return (edge if kind < 3 else -edge) + number % 5 - 2

    def real(self):
        """Return a float of any bits."""
        return struct.unpack("<d", self.take(8).ljust(8, b"\0"))[0]

    def text(self):
        """Return a str of any characters: astral ones, lone surrogates and NUL among them."""
        kind, raw = self.below(4), self.raw()
        if kind == 0:
            return raw.decode("latin1")
        if kind == 1:
            return raw.decode("utf-8", "surrogateescape")
        if kind == 2:
            return raw.decode("utf-16-le", "surrogatepass" if len(raw) % 2 == 0 else "replace")
        return self.pick("", "\ud800", "a", "view//", "a\0b", "\U00010000", "é", "%s", "\udcff", "\U0010ffff")
