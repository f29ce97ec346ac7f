"""Collecting garbage without looking through the whole program each time, nor again and again while it is loaded.

A full collection takes 70 ms of processor with Django, its models and the API loaded, and as much with what a host's
worker loads. Python begins one every few dozen requests: whichever request or change it met, waited for it.
"""

import gc

THRESHOLDS = (10_000, 20, 20)
"""Objects made since, and rounds, after which garbage is looked for among what was made since the start."""


WHILE_LOADING = 1_000_000
"""Objects made; modules keep nearly all of theirs, and to look through them takes a tenth of the time of a start."""


def begin_to_load() -> None:
    """To be called before what is large is imported. A bound: a program may never come to `spare_the_loaded`."""
    gc.set_threshold(WHILE_LOADING)


def spare_the_loaded() -> None:
    """To be called when everything is loaded: all of that stays until the end."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(*THRESHOLDS)
