"""A real browser before the real product, which `make demo`'s own code has started with its scenario."""

import os
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import (
    Browser,
    BrowserContext,
    ConsoleMessage,
    Page,
    StorageState,
    expect,
    sync_playwright,
)

from tests.isolation import enter_private_host, require_root
from tests.product import Product

PASSWORD = "correct horse battery"
ROOT = Path(__file__).resolve().parents[2]
PICTURES = ROOT / "build" / "screenshots"
FLAGS = [
    f"--{flag}"
    for flag in (
        "no-sandbox",
        "disable-gpu",
        "disable-background-networking",
        "disable-component-update",
        "disable-sync",
    )
]
expect.set_options(timeout=10_000)


def find_chromium() -> str:
    """The browser of the machine; without one the suite is skipped, in CI it fails."""
    path = shutil.which("chromium") or shutil.which("google-chrome")
    if path is None:
        if os.environ.get("CI"):
            pytest.fail("CI must have Chromium", pytrace=False)
        pytest.skip("needs Chromium: apt-get install chromium", allow_module_level=True)
    return path


@pytest.fixture(scope="session")
def private_host() -> None:
    require_root()
    enter_private_host()


@pytest.fixture(scope="session")
def product(private_host: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Product]:
    product = Product(
        tmp_path_factory.mktemp("state"),
        settings={"NETADMIN_ADMIN_PASSWORD": PASSWORD},
        arguments=("--demo",),
    )
    product.start()
    deadline = time.monotonic() + 90
    # The last that the tour makes.
    while "container8" not in product.run("history", "--limit", "5").stdout:
        assert time.monotonic() < deadline, product.read_logs()
        time.sleep(0.2)
    yield product
    product.stop()
    left = product.kill_leftovers()
    product.run("host", "purge")
    assert left == []


@pytest.fixture(scope="session")
def browser(private_host: None) -> Iterator[Browser]:
    path = find_chromium()
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=FLAGS)
        yield browser
        browser.close()


def open_context(browser: Browser, product: Product, **options: object) -> BrowserContext:
    return browser.new_context(
        base_url=f"http://{product.listen}", viewport={"width": 1280, "height": 860}, **options
    )  # type: ignore[arg-type]


def sign_in(page: Page, name: str = "admin", password: str = PASSWORD) -> None:
    page.goto("/")
    page.get_by_label("Name").fill(name)
    page.get_by_label("Password").first.fill(password)
    page.get_by_role("button", name="Sign in").click()
    expect(page.get_by_role("heading", name="Overview")).to_be_visible()
    expect(page.get_by_test_id("liveness")).to_have_text("Live")


def watch_errors(page: Page, errors: list[str]) -> None:
    """Collect what goes wrong in the page: also what the router catches and shows in its place."""
    page.on("pageerror", lambda error: errors.append(str(error)))

    def hear(message: ConsoleMessage) -> None:
        # Before the sign-in the server says 401, and sockets are cut on purpose.
        if message.type == "error" and not re.search("Failed to load resource|WebSocket", message.text):
            errors.append(message.text)

    page.on("console", hear)


@pytest.fixture(scope="session")
def signed_in(browser: Browser, product: Product) -> StorageState:
    """The cookies of somebody who may do everything: to sign in takes seconds, and has tests of its own."""
    context = open_context(browser, product)
    sign_in(context.new_page())
    state = context.storage_state()
    context.close()
    return state


@pytest.fixture
def page(browser: Browser, product: Product, signed_in: StorageState) -> Iterator[Page]:
    """An empty one, signed in; what is logged in it as an error fails the test."""
    context = open_context(browser, product, storage_state=signed_in)
    page = context.new_page()
    errors: list[str] = []
    watch_errors(page, errors)
    yield page
    context.close()
    assert errors == []


def take_picture(page: Page, name: str) -> None:
    """Kept in build/screenshots, for who wants to see what the run saw."""
    PICTURES.mkdir(parents=True, exist_ok=True)
    page.screenshot(path=PICTURES / f"{name}.png")


def manage(product: Product, *words: str) -> None:
    """manage.py, with the product's database."""
    command = [sys.executable, str(ROOT / "manage.py"), *words]
    done = subprocess.run(command, env=product.environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
