"""For every suite: in CI a skipped test is a failure, so that nothing is silently left out there."""

import os
from collections.abc import Iterator

import pytest
from hypothesis import settings

# A busy machine takes longer over an example than a test can know.
settings.register_profile("patient", settings(), deadline=None)
settings.load_profile("patient")
skipped: list[str] = []


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    # An expected failure is reported as skipped too; it did run.
    if report.skipped and not hasattr(report, "wasxfail"):
        skipped.append(report.nodeid)


def pytest_collectreport(report: pytest.CollectReport) -> None:
    if report.skipped:
        skipped.append(report.nodeid)


@pytest.hookimpl(wrapper=True)
def pytest_sessionfinish(session: pytest.Session) -> Iterator[None]:
    # Before the terminal's own summary, which shows the exit status.
    if skipped and os.environ.get("CI") and session.exitstatus == pytest.ExitCode.OK:
        session.exitstatus = pytest.ExitCode.TESTS_FAILED
    yield


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    if skipped and os.environ.get("CI"):
        terminalreporter.write_line(f"{len(skipped)} skipped, which counts as failed in CI:", red=True)
        for name in skipped:
            terminalreporter.write_line(f"  {name}", red=True)
