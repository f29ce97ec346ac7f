"""The pages under the policies that browsers are given: nothing that we need is refused, what we do not is."""

from playwright.sync_api import Browser, Page, StorageState, expect

from tests.e2e.conftest import open_context, sign_in
from tests.e2e.test_dashboard import container_id, id_of
from tests.product import Product

ADMIN = (
    "",
    "networks/network/",
    "networks/network/add/",
    "containers/container/",
    "hosts/host/",
    "delivery/operation/",
    "auth/user/",
    "accounts/grant/add/",
)
LISTEN = """
addEventListener("securitypolicyviolation", (event) => {
  console.error("POLICY " + event.violatedDirective + " " + event.blockedURI + " " + event.sourceFile);
});
"""


def watched(browser: Browser, product: Product, **options: object) -> tuple[Page, list[str]]:
    page = open_context(browser, product, **options).new_page()
    page.add_init_script(LISTEN)
    told: list[str] = []
    page.on("console", lambda message: told.append(message.text) if message.type == "error" else None)
    page.on("pageerror", lambda error: told.append(str(error)))
    return page, told


def test_dashboard_admin_and_api_pages_need_nothing_that_they_may_not(
    browser: Browser, product: Product
) -> None:
    page, told = watched(browser, product)
    sign_in(page)
    network, container = id_of(product, "isolated_nw"), container_id(product, "container2")
    places = ["/map", "/networks", "/networks/new", f"/networks/{network}", "/connectivity", "/hosts"]
    for place in [*places, "/addresses", "/history", "/account", f"/containers/{container}"]:
        page.goto(place)
        expect(page.get_by_role("heading", level=1)).to_be_visible()
    page.get_by_role("tab", name="Terminal").click()
    page.get_by_role("button", name="Open").click()
    expect(page.locator(".xterm-screen")).to_be_visible()
    for place in ADMIN:
        page.goto(f"/admin/{place}")
        expect(page.locator("#content, #main").first).to_be_visible()
    page.goto("/api/v1/docs/")
    expect(page.get_by_role("heading", name="netadmin").first).to_be_visible()
    page.wait_for_load_state("networkidle")
    told = [text for text in told if "Failed to load resource" not in text]
    assert told == []
    page.context.close()


def test_a_script_that_got_into_a_page_does_not_run(
    browser: Browser, product: Product, signed_in: StorageState
) -> None:
    page, told = watched(browser, product, storage_state=signed_in)
    page.goto("/")
    expect(page.get_by_role("heading", name="Overview")).to_be_visible()
    page.evaluate(
        """() => {
            const script = document.createElement("script");
            script.textContent = "window.intruder = true";
            document.body.append(script);
            const image = document.createElement("img");
            image.setAttribute("onerror", "window.intruder = true");
            image.src = "/nothing.png";
            document.body.append(image);
            fetch("http://127.0.0.1:9/stolen").catch(() => undefined);
        }"""
    )
    page.wait_for_timeout(500)
    assert page.evaluate("window.intruder") is None
    refused = {text.split()[1] for text in told if text.startswith("POLICY")}
    assert {"script-src-elem", "script-src-attr", "connect-src"} <= refused
    page.context.close()
