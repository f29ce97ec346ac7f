"""Which options of ps(1) may be asked for to show a container's processes: none that show their variables."""

import re

from apps.common.errors import Invalid

DEFAULT = "-ef"
_FLAGS = re.compile(r"-aux|-[aAdefFHjlLTwy]*o?|[afjluvwxX]*o?")
_COLUMNS = re.compile(r"[a-z%_]+(:[0-9]{1,3})?(,[a-z%_]+(:[0-9]{1,3})?)*")
_SECRET = frozenset({"environ"})
_WORDS = 16


def read_options(text: str) -> list[str]:
    """As words for ps; Invalid for those that do not choose columns or how they are shown."""
    words = text.split()
    columns = False
    for word in words[:_WORDS]:
        if not (_are_columns(word) if columns else _FLAGS.fullmatch(word)):
            raise _refuse(word)
        columns = not columns and word.endswith("o")
    if columns or len(words) > _WORDS:
        raise _refuse(words[-1])
    return words


def _are_columns(word: str) -> bool:
    names = {each.partition(":")[0] for each in word.split(",")}
    return bool(_COLUMNS.fullmatch(word)) and not names & _SECRET


def _refuse(word: str) -> Invalid:
    return Invalid(
        "bad_ps_options",
        f"{word!r} is not taken of ps's options: use -ef, aux, or -o with names of columns (-o pid,user,args).",
        "options",
    )
