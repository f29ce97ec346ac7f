"""Reading what anybody made in a process of its own, which has an end in memory and time."""

import json
import lzma
import resource
import signal
import subprocess
import sys
import tarfile
import zlib
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from workers.images.errors import ImageError

MEMORY = 1 << 30
"""Bytes of address space (setrlimit(2), RLIMIT_AS): an archive with a million files takes less than half."""
SECONDS = 600
"""Of a processor: nobody waits for longer (`apps.delivery.transfers`)."""
_HEADER = 1 << 20
"""Bytes of a header that goes on beyond its block: long names, and all that the pax format has to say of a file."""


class Unusable(Exception):
    """One sentence."""


class Member(tarfile.TarInfo):
    """One entry of an archive, whose headers are neither endless nor point back: `tarfile` reads them whole into
    memory, and before Python 3.11.14 follows a negative size round and round."""

    def _block(self, count: int) -> int:
        if count < 0:
            raise Unusable("The archive has a file of a negative size.")
        return int(super()._block(count))  # type: ignore[misc]  # For subclasses, says tarfile's own comment.

    def _proc_member(self, archive: tarfile.TarFile) -> Any:
        goes_on = self.type in (
            tarfile.GNUTYPE_LONGNAME,
            tarfile.GNUTYPE_LONGLINK,
            tarfile.XHDTYPE,
            tarfile.XGLTYPE,
            tarfile.SOLARIS_XHDTYPE,
        )
        if goes_on and self.size > _HEADER:
            raise Unusable(f"The archive has a header of more than {_HEADER >> 20} MiB.")
        return super()._proc_member(archive)  # type: ignore[misc]


def run(module: str, words: Sequence[str], archive: Path) -> dict[str, Any]:
    """What `tell` says there, with the archive on its standard input. Raises ImageError, OSError."""
    with open(archive, "rb") as source:
        done = subprocess.run(
            [sys.executable, "-m", module, *words], stdin=source, capture_output=True, check=False
        )
    if done.returncode == -signal.SIGXCPU:
        raise ImageError(f"The archive takes longer to read than {SECONDS // 60} minutes.")
    try:
        answer: dict[str, Any] = json.loads(done.stdout)
    except ValueError as error:
        raise ImageError(f"The archive could not be read: {done.stderr[-300:]!r}.", 500) from error
    if "error" in answer:
        raise ImageError(answer["error"])
    return answer


def tell(work: Callable[[], dict[str, Any]], kind: str) -> int:
    """The whole of such a process: prints what `work` returns, or `{"error"}`. `kind`: of archive that is wanted."""
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    resource.setrlimit(resource.RLIMIT_CPU, (SECONDS, SECONDS + 5))
    try:
        answer = work()
    except Unusable as error:
        answer = {"error": str(error)}
    except MemoryError:
        answer = {"error": "The archive takes more memory to read than any image's should."}
    except (
        tarfile.TarError,
        EOFError,
        zlib.error,
        lzma.LZMAError,
        ValueError,
        KeyError,
        TypeError,
        AttributeError,
        RecursionError,
    ) as error:
        answer = {"error": f"This is no {kind}: {error}."}
    except OSError as error:
        answer = {"error": f"The archive cannot be unpacked: {error.strerror or error}."}
    print(json.dumps(answer))
    return 1 if "error" in answer else 0
