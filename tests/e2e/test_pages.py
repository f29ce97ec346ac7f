"""Every page, as it is seen: light, dark, on a phone, by a screen reader, and by how much it loads."""

import gzip
import json
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, Response, StorageState, expect

from tests.e2e.conftest import ROOT, open_context, take_picture, watch_errors
from tests.product import Product

AXE = ROOT / "frontend" / "node_modules" / "axe-core" / "axe.min.js"
LIMIT = 300_000
"""Bytes of compressed JavaScript that the overview may load."""
PAGES = {
    "overview": "/",
    "map": "/map",
    "networks": "/networks",
    "network-new": "/networks/new",
    "network": "/networks/{isolated_nw}",
    "containers": "/containers",
    "container": "/containers/{container4}",
    "connectivity": "/connectivity?network={isolated_nw}",
    "hosts": "/hosts",
    "host": "/hosts/node1",
    "addresses": "/addresses",
    "history": "/history",
    "account": "/account",
}


@pytest.fixture(scope="module")
def addresses(product: Product) -> dict[str, str]:
    """The pages' addresses, with the ids of what the tour has made."""
    (container,) = json.loads(product.do("inspect container4"))
    ids = {"isolated_nw": product.inspect_network("isolated_nw")["Id"], "container4": container["Id"]}
    return {name: path.format(**ids) for name, path in PAGES.items()}


@pytest.fixture(scope="module")
def context(browser: Browser, product: Product, signed_in: StorageState) -> Iterator[BrowserContext]:
    context = open_context(browser, product, storage_state=signed_in)
    yield context
    context.close()


def visit(page: Page, path: str) -> None:
    page.goto(path)
    expect(page.get_by_role("heading", level=1)).to_be_visible()
    expect(page.get_by_label("Loading")).to_have_count(0)
    if path == "/map":
        expect(page.get_by_test_id("map").locator("canvas").first).to_be_visible()
    if path.startswith("/connectivity"):
        expect(page.get_by_test_id("matrix")).to_be_visible()
    page.wait_for_timeout(400)


@pytest.mark.parametrize("name", PAGES)
def test_a_page_is_readable_in_light_and_dark_and_has_no_serious_fault(
    context: BrowserContext, addresses: dict[str, str], name: str
) -> None:
    page = context.new_page()
    errors: list[str] = []
    watch_errors(page, errors)
    for scheme in ("light", "dark"):
        page.emulate_media(color_scheme=scheme, reduced_motion="reduce")  # type: ignore[arg-type]
        visit(page, addresses[name])
        assert page.locator("html").get_attribute("data-mantine-color-scheme") == scheme
        take_picture(page, f"{name}-{scheme}")
        page.evaluate(AXE.read_text())
        found = page.evaluate(
            "async () => (await axe.run(document, {resultTypes: ['violations']})).violations"
        )
        serious = {
            each["id"]: [node["html"][:160] for node in each["nodes"][:3]]
            for each in found
            if each["impact"] in ("serious", "critical")
        }
        assert serious == {}, (name, scheme)
    page.close()
    assert errors == []


@pytest.mark.parametrize("name", PAGES)
def test_a_page_can_be_looked_at_on_a_phone(
    context: BrowserContext, addresses: dict[str, str], name: str
) -> None:
    page = context.new_page()
    page.set_viewport_size({"width": 390, "height": 844})
    visit(page, addresses[name])
    take_picture(page, f"{name}-phone")
    # Wide things scroll in themselves, the page does not.
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    page.close()


def test_the_overview_loads_little_and_heavy_parts_only_when_opened(
    context: BrowserContext, addresses: dict[str, str]
) -> None:
    page = context.new_page()
    loaded: dict[str, int] = {}
    carried: set[tuple[str, bool]] = set()

    def weigh(response: Response) -> None:
        if response.url.endswith(".js"):
            loaded[response.url.rpartition("/")[2]] = len(gzip.compress(response.body()))
            kept = "immutable" in response.headers["cache-control"]
            carried.add((response.headers.get("content-encoding", "large as it is"), kept))

    page.on("response", weigh)
    visit(page, addresses["overview"])
    assert 0 < sum(loaded.values()) <= LIMIT, loaded
    # Small files are not worth it.
    assert ("large as it is", False) not in carried and carried & {("br", True), ("gzip", True)}, carried
    assert not any(name.startswith(("canvas", "terminal", "rates")) for name in loaded)
    visit(page, addresses["map"])
    assert any(name.startswith("canvas") for name in loaded)
    page.close()


def test_the_pages_are_used_by_keyboard_alone(context: BrowserContext, addresses: dict[str, str]) -> None:
    page = context.new_page()
    visit(page, addresses["overview"])
    page.get_by_role("link", name="Networks", exact=True).focus()
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name="Networks")).to_be_visible()
    page.get_by_label("Search networks").focus()
    page.keyboard.type("isolated")
    expect(page.get_by_role("link", name="isolated_nw")).to_be_visible()
    expect(page.get_by_role("link", name="local_alias")).to_have_count(0)
    for _ in range(30):
        page.keyboard.press("Tab")
        if page.evaluate("document.activeElement.textContent") == "isolated_nw":
            break
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name="isolated_nw")).to_be_visible()
    page.close()
