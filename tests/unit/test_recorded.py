"""The recorded command lines are all there: replayed once, or left out with a reason; and differences have theirs."""

from pathlib import Path

from tests.clients.recording import mask, read_cases, read_omissions

LAST = 536
DIFFERENCES = Path(__file__).parents[2] / "docs" / "docker.md"


def test_each_recorded_line_is_replayed_once_or_left_out_with_a_reason() -> None:
    replayed = [step.number for case in read_cases() for step in case.steps]
    left_out = [number for omission in read_omissions() for number in omission.numbers]
    assert sorted(replayed + left_out) == list(range(1, LAST + 1))
    assert all(omission.because for omission in read_omissions())


def test_each_difference_is_one_and_has_its_reason() -> None:
    reasons = {
        line.split("|")[1].strip() for line in DIFFERENCES.read_text().splitlines() if line[:2] == "| "
    }
    for case in read_cases():
        for step in case.steps:
            differs = step.wanted != (step.exit, mask(step.says))
            assert differs == bool(step.because), step.number
            assert not differs or step.because in reasons, (step.number, step.because)
