"""The comparison of `make diff-docker`, without an engine: it sees what differs, and only that."""

from dataclasses import replace

from tests.differential.answers import Answer, compare, mask, meant
from tests.differential.commands import draw_commands

COMMAND = ("network", "connect", "net1", "box1")
ID = "0123456789abcdef" * 4
GOOD = Answer(0, "", {"net1": {"box1": "10.60.0.2/16"}})


def test_the_same_seed_draws_the_same_commands_and_another_one_others() -> None:
    first, again, other = (list(draw_commands(seed, 60)) for seed in (7, 7, 8))
    assert first == again != other
    assert {command[1] for command in first} == {"create", "connect", "disconnect", "rm", "ls", "prune"}


def test_status_text_and_state_are_compared() -> None:
    assert compare(COMMAND, GOOD, GOOD) is None
    for changed in (
        replace(GOOD, status=1),
        replace(GOOD, text="something"),
        replace(GOOD, state={"net1": {"box1": "10.60.0.3/16"}}),
    ):
        difference = compare(COMMAND, GOOD, changed)
        assert difference is not None and difference.startswith("docker network connect net1 box1\n")
        assert meant(COMMAND, GOOD, changed) is None


def test_ids_and_the_words_of_older_engines_do_not_count() -> None:
    assert mask(f"{ID}\n") == "ID"
    old, new = (
        "Error response from daemon: Pool overlaps with other one on this address space",
        "Error response from daemon: invalid pool request: Pool overlaps with other one on this address space",
    )
    assert mask(old) == mask(new)
    assert mask(old) != mask("Error response from daemon: network with name net1 already exists")


def test_a_difference_that_is_meant_has_its_reason() -> None:
    refused = Answer(1, "Error response from daemon: no such address", GOOD.state)
    assert meant(("network", "connect", "--ip", "10.9.0.1", "net1", "box3"), GOOD, refused)
    assert meant(COMMAND, GOOD, refused) is None
