"""Work of one sort that meets in this process and can only be done in turn: whoever comes while another's is being done
waits, and the first of those who waited does the work of all of them together.

So what a turn costs besides the work is paid once by all who met, and by nobody who did not.
"""

import threading
from collections import deque
from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass, field
from itertools import islice
from typing import Generic, TypeVar

T = TypeVar("T")
R = TypeVar("R")


@dataclass(eq=False)
class _Turn(Generic[T, R]):
    item: T
    called: threading.Event = field(default_factory=threading.Event)
    over: bool = False
    """Another has tried to do it; without a result it is done alone."""
    result: R | None = None


class Turns(Generic[T, R]):
    """`do` does the work of several, at most `most`, and returns what came of each; None of what must be done alone, as
    all of it must be when it raises. What it raises for a single one is that one's."""

    def __init__(self, do: Callable[[Sequence[T]], Sequence[R | None]], most: int) -> None:
        self._do, self._most, self._lock = do, most, threading.Lock()
        self._lines: dict[Hashable, deque[_Turn[T, R]]] = {}
        """Who is at work, and behind those who wait."""

    def take(self, line: Hashable, item: T) -> R:
        """What came of the item, done alone or together with others of its line."""
        mine: _Turn[T, R] = _Turn(item)
        with self._lock:
            waiting = self._lines.setdefault(line, deque())
            waiting.append(mine)
            first = waiting[0] is mine
        if not first:
            mine.called.wait()
        if not mine.over:
            self._work(line)
        if mine.result is None:
            (mine.result,) = self._do([item])
        assert mine.result is not None, "nothing prevents a single one from being done"
        return mine.result

    def _work(self, line: Hashable) -> None:
        """For the first of the line: its own item, and with it those of all who wait by now."""
        with self._lock:
            met = list(islice(self._lines[line], self._most))
        try:
            for one, result in zip(met, self._do([turn.item for turn in met]), strict=True):
                one.result = result
        except Exception:
            # Whose fault it was, each finds out for itself.
            if len(met) == 1:
                raise
        finally:
            self._leave(line, met)

    def _leave(self, line: Hashable, met: Sequence[_Turn[T, R]]) -> None:
        with self._lock:
            waiting = self._lines[line]
            for _ in met:
                waiting.popleft()
            if waiting:
                waiting[0].called.set()
            else:
                del self._lines[line]
        for turn in met[1:]:
            turn.over = True
            turn.called.set()
