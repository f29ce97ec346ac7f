"""What the store refuses, as one sentence for a person."""


class ImageError(Exception):
    """`code`: 400 the input is wrong, 404 there is no such image, 409 something is in the way, 500 the host failed."""

    def __init__(self, sentence: str, code: int = 400) -> None:
        super().__init__(sentence)
        self.code = code
