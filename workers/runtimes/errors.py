"""What the supervisor refuses, as one sentence for a person."""

REFUSED = 125
"""It was not even tried, or the namespace could not be entered."""
NOT_EXECUTABLE = 126
NOT_FOUND = 127


class Refusal(Exception):
    """One sentence: what is wrong, what to do. `code` is what a shell would exit with: 125, 126 or 127."""

    def __init__(self, sentence: str, code: int = REFUSED) -> None:
        super().__init__(sentence)
        self.code = code
