"""The replies that one sandbox may get again, byte for byte."""

from workers.dns.shares import Share

MOST_SHARED = 32 << 20
"""Bytes that the kept answers of all sandboxes may take."""
MOST_OWN = 256 << 10
"""Bytes of one sandbox: some 800 usual answers."""
LONGEST = 512
"""Bytes of a question that is kept; whoever asks longer ones seldom asks the same again."""
_FRAME = 200
"""Bytes that Python takes for a question and its reply beside what they hold."""


class Answers:
    """Replies by the questions they answer, both without their ids. One that finds no room throws the others out."""

    __slots__ = ("_known", "_share", "get")

    def __init__(self, share: Share) -> None:
        self._share = share
        self._known: dict[bytes, bytes] = {}
        self.get = self._known.get
        """Bound once: this is asked for each question."""

    def keep(self, question: bytes, reply: bytes) -> None:
        if len(question) > LONGEST:
            return
        size = len(question) + len(reply) + _FRAME
        if not self._share.take(size):
            self.clear()
            if not self._share.take(size):
                return
        self._known[question] = reply

    def clear(self) -> None:
        self._known.clear()
        self._share.give_back(self._share.held)
