"""What no database can store in a text."""


def check_text(text: str) -> str | None:
    """What is wrong with it: PostgreSQL stores no NUL, and no UTF-8 has half a surrogate pair."""
    if "\0" in text:
        return "holds a NUL character"
    if any("\ud800" <= character <= "\udfff" for character in text):
        return "holds half a character"
    return None
