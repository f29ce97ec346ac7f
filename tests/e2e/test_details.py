"""What is shown and changed on the pages of one network and one container."""

import json
import re
import subprocess

from playwright.sync_api import Page, WebSocket, expect

from tests.e2e.test_dashboard import container_id, id_of
from tests.product import Product


def test_figures_come_over_the_socket_while_they_are_shown(page: Page, product: Product) -> None:
    heard: list[dict[str, object]] = []

    def listen(socket: WebSocket) -> None:
        socket.on("framereceived", lambda text: heard.append(json.loads(text)))

    page.on("websocket", listen)
    page.goto(f"/networks/{id_of(product, 'isolated_nw')}")
    row = page.locator("[data-container=container3]")
    expect(row).to_be_visible()
    product.do("exec container2 ping -c20 -i0.1 -s1400 container3")
    expect(row.get_by_text("kB/s").first).to_be_visible()
    figures = [each for each in heard if each["kind"] == "statistics"]
    assert figures and figures[-1]["of"] == {"network": id_of(product, "isolated_nw")}
    page.get_by_role("link", name="History", exact=True).click()
    expect(page.get_by_role("heading", name="History")).to_be_visible()
    page.wait_for_timeout(300)
    before = len([each for each in heard if each["kind"] == "statistics"])
    page.wait_for_timeout(3000)
    assert len([each for each in heard if each["kind"] == "statistics"]) == before


def test_logs_are_followed(page: Page, product: Product) -> None:
    product.run("run", "-d", "--name", "talker", "sh", "-c", "echo begun; sleep 4; echo later; sleep 60")
    page.goto(f"/containers/{container_id(product, 'talker')}")
    page.get_by_role("tab", name="Logs").click()
    logs = page.get_by_label("Logs", exact=True)
    expect(logs.get_by_text("begun")).to_be_visible()
    expect(logs.get_by_text("later")).to_be_visible()
    product.do("rm -f talker")


def test_the_history_of_one_thing_is_a_click_away(page: Page, product: Product) -> None:
    page.goto(f"/containers/{container_id(product, 'container6')}")
    page.get_by_role("tab", name="About").click()
    page.get_by_role("link", name="its changes").click()
    rows = page.get_by_test_id("operations").locator("tbody tr")
    expect(rows.first).to_contain_text("container6")
    expect(rows.filter(has_not_text="container6")).to_have_count(0)


def test_labels_are_changed_and_a_container_is_renamed(page: Page, product: Product) -> None:
    product.do("network create marked")
    page.goto(f"/networks/{id_of(product, 'marked')}")
    page.get_by_role("tab", name="About").click()
    page.get_by_role("combobox", name="Labels").fill("stage=live")
    page.keyboard.press("Enter")
    page.get_by_role("button", name="Save labels").click()
    expect(page.locator("dd", has_text="stage=live")).to_be_visible()
    assert product.inspect_network("marked")["Labels"] == {"stage": "live"}
    product.do("create --name first")
    page.goto(f"/containers/{container_id(product, 'first')}")
    page.get_by_role("tab", name="About").click()
    page.get_by_label("New name").fill("second")
    expect(page.get_by_test_id("command")).to_have_text("netadmin rename first second")
    page.get_by_role("button", name="Rename").click()
    expect(page.get_by_role("heading", name="second")).to_be_visible()
    product.do("rm second")
    product.do("network rm marked")


def test_what_a_removal_would_do_is_shown_before(page: Page, product: Product) -> None:
    page.goto(f"/containers/{container_id(product, 'container7')}")
    page.get_by_role("button", name="Remove", exact=True).click()
    page.get_by_role("button", name="Show what would be done").click()
    plan = page.get_by_test_id("plan")
    expect(plan).to_contain_text("node1: ")
    expect(plan).to_contain_text("remove namespace of container container7")
    page.get_by_role("button", name="Cancel").click()
    product.do("inspect container7")


def test_a_host_says_what_it_would_mend(page: Page) -> None:
    page.goto("/hosts/node1")
    page.get_by_role("tab", name="Drift").click()
    page.get_by_role("button", name="Show what would be mended now").click()
    expect(page.get_by_text("Nothing to do on any host.")).to_be_visible()


def test_the_history_tells_what_a_host_mended_and_how_long_it_was_wrong(page: Page, product: Product) -> None:
    bridge = f"br-{product.inspect_network('isolated_nw')['Id'][:12]}"
    subprocess.run(["ip", "link", "set", bridge, "down"], check=True)
    page.goto("/history")
    row = page.get_by_test_id("operations").locator("tr", has_text="host.mend").first
    expect(row).to_be_visible(timeout=20_000)
    row.get_by_role("button", name="Details").click()
    told = page.get_by_test_id("mended")
    expect(told).to_contain_text(bridge)
    expect(told).to_contain_text("It was wrong for")
    assert re.search(r"host\.mend.*It was wrong for (at most )?\d+ m?s\.", product.do("history"))


def test_long_names_stay_on_a_small_page_and_an_idle_attachment_is_not_called_active(
    page: Page, product: Product
) -> None:
    network = "n" * 128
    product.do(f"network create {network}")
    identity = product.do(f"create --name idle --net name={network},alias={'a' * 63}")
    page.set_viewport_size({"width": 390, "height": 844})
    page.goto(f"/networks/{product.inspect_network(network)['Id']}")
    expect(page.get_by_role("heading", name=network)).to_be_visible()
    expect(page.locator("[data-container=idle] [data-state=created]")).to_be_visible()
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    page.goto(f"/containers/{identity}")
    expect(page.locator("[data-interface=eth0] [data-state=created]")).to_be_visible()
    # As it is called, not in capitals.
    expect(page.get_by_text("node1", exact=True)).to_have_css("text-transform", "none")
    product.do("rm idle")
    product.do(f"network rm {network}")
