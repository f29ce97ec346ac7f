"""The dashboard as a person uses it, against real sandboxes."""

import json
import os
import re
import signal
import time

from playwright.sync_api import Browser, Page, WebSocketRoute, expect

from tests.e2e.conftest import open_context, sign_in
from tests.product import Product


def id_of(product: Product, network: str) -> str:
    return str(product.inspect_network(network)["Id"])


def container_id(product: Product, name: str) -> str:
    (shown,) = json.loads(product.do(f"inspect {name}"))
    return str(shown["Id"])


def test_a_wrong_password_is_told_and_a_right_one_opens_the_overview(
    browser: Browser, product: Product
) -> None:
    context = open_context(browser, product)
    page = context.new_page()
    page.goto("/networks")
    page.get_by_label("Name").fill("admin")
    page.get_by_label("Password").first.fill("wrong")
    page.get_by_role("button", name="Sign in").click()
    expect(page.get_by_role("alert")).to_have_text("Name and password do not fit; try again.")
    sign_in(page)
    expect(page.get_by_test_id("tally-containers")).to_contain_text("7")
    page.get_by_label("Account of admin").click()
    page.get_by_role("menuitem", name="Sign out").click()
    expect(page.get_by_role("button", name="Sign in")).to_be_visible()
    context.close()


def test_a_network_is_made_and_two_containers_become_active_without_reload(
    page: Page, product: Product
) -> None:
    page.goto("/")
    page.get_by_role("link", name="Networks", exact=True).click()
    page.get_by_role("link", name="Create network").click()
    page.get_by_label("Name").fill("bridge")
    expect(page.get_by_text("predefined", exact=False).first).to_be_visible()
    page.get_by_label("Name").fill("lab")
    expect(page.get_by_test_id("plan")).to_contain_text("addresses to give away")
    page.get_by_role("button", name="Choose a subnet").click()
    page.get_by_label("Subnet", exact=True).fill("10.50.0.1/24")
    expect(page.get_by_text("10.50.0.0/24", exact=False).first).to_be_visible()
    page.get_by_label("Subnet", exact=True).fill("10.50.0.0/24")
    expect(page.get_by_test_id("plan")).to_contain_text("10.50.0.0/24")
    expect(page.get_by_test_id("command")).to_have_text(
        "netadmin network create -d bridge --subnet 10.50.0.0/24 lab"
    )
    page.get_by_role("button", name="Create network").click()
    expect(page.get_by_role("heading", name="lab")).to_be_visible()
    for name, address in (("container1", "10.50.0.2"), ("container3", "10.50.0.3")):
        page.get_by_role("button", name="Connect", exact=True).or_(
            page.get_by_role("button", name="Connect a container")
        ).first.click()
        page.get_by_role("combobox", name="Container").click()
        page.get_by_role("option", name=re.compile(f"^{name} ")).click()
        page.get_by_role("dialog").get_by_role("button", name="Connect", exact=True).click()
        row = page.locator(f"[data-container={name}]")
        expect(row).to_contain_text(address)
        expect(row.locator("[data-state]")).to_have_text("active")
    assert set(product.addresses_on("lab")) == {"container1", "container3"}


def test_a_change_on_the_command_line_is_on_the_open_page_in_under_a_second(
    page: Page, product: Product
) -> None:
    product.do("network create quick")
    page.goto(f"/networks/{id_of(product, 'quick')}")
    expect(page.get_by_text("No container is on this network")).to_be_visible()
    took = []
    for _ in range(3):
        began = time.monotonic()
        product.do("network connect quick container1")
        done = time.monotonic()
        expect(page.locator("[data-container=container1] [data-state]")).to_have_text("active")
        took.append(time.monotonic() - done)
        assert time.monotonic() - began < 5
        product.do("network disconnect quick container1")
        expect(page.locator("[data-container=container1]")).to_have_count(0)
    assert sorted(took)[1] < 1, took
    product.do("network rm quick")
    expect(page.get_by_text("This network does not exist, or was removed.")).to_be_visible()


def test_half_filled_forms_outlive_changes(page: Page, product: Product) -> None:
    page.goto(f"/networks/{id_of(product, 'isolated_nw')}")
    page.get_by_role("button", name="Connect", exact=True).click()
    page.get_by_label("IPv4 address").fill("172.25.9.9")
    product.do("network create passing")
    product.do("network connect isolated_nw container1")
    expect(page.locator("[data-container=container1] [data-state]")).to_have_text("active")
    expect(page.get_by_label("IPv4 address")).to_have_value("172.25.9.9")
    product.do("network disconnect isolated_nw container1")
    product.do("network rm passing")


def test_a_matrix_turns_green_and_red_and_says_why(page: Page, product: Product) -> None:
    product.do("network create pair")
    product.do("network connect pair container1")
    product.do("network connect pair container7")
    page.goto(f"/connectivity?network={id_of(product, 'pair')}")
    cell = page.locator("[data-pair='container1 container7']")
    expect(cell).to_have_attribute("data-reachable", "true")
    # By their ids, for then they stay in the picture when they leave the network.
    page.goto("/connectivity")
    field = page.get_by_role("combobox", name="or these containers")
    for name in ("container1", "container7"):
        field.fill(name)
        page.get_by_role("option", name=re.compile(f"^{name} ")).click()
    page.keyboard.press("Escape")
    expect(cell).to_have_attribute("data-reachable", "true")
    product.do("network disconnect pair container1")
    expect(cell).to_have_attribute("data-reachable", "false", timeout=15_000)
    cell.click()
    why = page.get_by_test_id("why")
    expect(why).to_contain_text(
        "container1 and container7 are on no common network; networks are kept apart."
    )
    expect(why).to_contain_text("netadmin network connect")
    product.do("network disconnect pair container7")
    product.do("network rm pair")


def test_an_alias_moves_to_the_next_holder_when_the_first_stops(page: Page, product: Product) -> None:
    product.do("start container6")
    page.goto(f"/networks/{id_of(product, 'isolated_nw')}")
    page.get_by_role("tab", name="Aliases").click()
    row = page.locator("[data-alias=app]")
    expect(row).to_contain_text("container6")
    product.do("stop -t 1 container6")
    expect(row.locator("td").nth(1)).not_to_contain_text("container6")
    expect(row.locator("td").nth(1)).to_contain_text("container7")
    page.goto(f"/containers/{container_id(product, 'container4')}")
    page.get_by_role("tab", name="Names").click()
    page.get_by_label("Ask its name service").fill("app")
    page.get_by_role("button", name="Ask").click()
    address = product.addresses_on("isolated_nw")["container7"].partition("/")[0]
    expect(page.get_by_test_id("answer")).to_have_text(f"app is {address}, known by alias.")


def test_a_terminal_in_the_browser_is_inside_and_the_history_says_so(page: Page, product: Product) -> None:
    page.goto(f"/containers/{container_id(product, 'container2')}")
    page.get_by_role("tab", name="Terminal").click()
    page.get_by_role("button", name="Open").click()
    terminal = page.get_by_test_id("terminal")
    expect(terminal.locator(".xterm-rows")).to_contain_text(re.compile(r"[#$]"))
    page.keyboard.type("ping -c1 container3\n")
    expect(terminal.locator(".xterm-rows")).to_contain_text("1 packets transmitted, 1 received")
    page.keyboard.type("exit\n")
    expect(page.get_by_text("It ended with exit status 0.")).to_be_visible()
    page.get_by_role("link", name="History", exact=True).click()
    row = page.get_by_test_id("operations").locator("tr", has_text="container.exec").first
    expect(row).to_contain_text("container2")
    expect(row).to_contain_text("admin")


def test_interfaces_show_what_the_kernel_counts(page: Page, product: Product) -> None:
    page.goto(f"/containers/{container_id(product, 'container2')}")
    received = page.locator("[data-interface=eth1] [data-packets=Received]")
    expect(received).to_be_visible()
    before = int(received.inner_text().replace(",", ""))
    product.do("exec container2 ping -c5 -i0.2 container3")
    page.wait_for_function(
        """before => {
            const cell = document.querySelector('[data-interface=eth1] [data-packets=Received]');
            return +cell.textContent.replace(',', '') >= before + 5;
        }""",
        arg=before,
    )
    expect(page.locator("[data-interface=eth1] canvas")).to_be_visible()


def test_a_cut_socket_is_told_and_what_happened_meanwhile_is_caught_up(page: Page, product: Product) -> None:
    sockets: list[WebSocketRoute] = []
    is_cut = False

    def answer(socket: WebSocketRoute) -> None:
        if is_cut:
            socket.close()
        else:
            socket.connect_to_server()
            sockets.append(socket)

    page.route_web_socket(re.compile("/ws/events/"), answer)
    page.goto("/networks")
    expect(page.get_by_test_id("liveness")).to_have_text("Live")
    is_cut = True
    sockets[-1].close()
    expect(page.get_by_test_id("liveness")).to_have_text("Polling")
    product.do("network create unheard")
    expect(page.get_by_role("link", name="unheard")).to_be_visible()
    is_cut = False
    expect(page.get_by_test_id("liveness")).to_have_text("Live", timeout=20_000)
    product.do("network rm unheard")
    expect(page.get_by_role("link", name="unheard")).to_have_count(0)


def test_a_server_that_does_not_answer_is_told_on_every_page_which_goes_on_by_itself(
    page: Page, product: Product
) -> None:
    page.goto("/history")
    expect(page.get_by_test_id("operations")).to_be_visible()
    page.get_by_role("link", name="Hosts").click()
    expect(page.get_by_role("link", name="node1")).to_be_visible()
    expect(page.get_by_test_id("liveness")).to_have_text("Live")
    away, web = page.get_by_test_id("away"), product.find_part("web server")
    # As behind a network that is gone: connections stay, and nobody says anything.
    os.kill(web, signal.SIGSTOP)
    try:
        expect(away).to_contain_text(re.compile(r"What is shown is of \d\d:\d\d:\d\d"))
        expect(page.get_by_test_id("liveness")).to_have_text("No answer")
        expect(page.get_by_role("link", name="node1")).to_be_visible()
        page.get_by_role("link", name="History").click()
        expect(page.get_by_test_id("operations")).to_be_visible()
        expect(page.get_by_label("Loading")).to_have_count(0)
        expect(away).to_be_visible()
    finally:
        os.kill(web, signal.SIGCONT)
    expect(page.get_by_test_id("liveness")).to_have_text("Live", timeout=20_000)
    expect(away).to_have_count(0)


def test_a_page_outlives_the_end_of_the_server(page: Page, product: Product) -> None:
    page.goto("/networks")
    expect(page.get_by_role("link", name="isolated_nw")).to_be_visible()
    # Refused, and what is not loaded yet cannot be: no page may be lost by that.
    page.route("**/*", lambda route: route.abort("connectionrefused"))
    page.get_by_role("link", name="Connectivity").click()
    expect(page.get_by_test_id("away")).to_be_visible()
    expect(page.get_by_label("Loading")).to_have_count(0)
    page.unroute_all()
    expect(page.get_by_role("heading", name="Connectivity")).to_be_visible(timeout=20_000)
    expect(page.get_by_test_id("away")).to_have_count(0)


def test_a_browser_that_calls_itself_offline_is_not_believed(page: Page, product: Product) -> None:
    page.goto("/hosts")
    expect(page.get_by_role("link", name="node1")).to_be_visible()
    page.evaluate("dispatchEvent(new Event('offline'))")
    page.get_by_role("link", name="History").click()
    expect(page.get_by_test_id("operations")).to_be_visible()


def test_a_container_is_dragged_onto_a_network(page: Page, product: Product) -> None:
    page.goto("/map")
    drawn = page.get_by_test_id("map")
    expect(drawn.locator("canvas").first).to_be_visible()
    page.wait_for_function("() => document.querySelector('[data-testid=map]')._cyreg?.cy.nodes().length > 8")
    places = drawn.evaluate(
        """(map) => {
            const nodes = map._cyreg.cy.nodes();
            const at = (label) => nodes.filter((node) => node.data('label') === label)[0].renderedPosition();
            return [at('container1'), at('local_alias')];
        }"""
    )
    box = drawn.bounding_box()
    assert box is not None
    (x, y), (to_x, to_y) = [(place["x"] + box["x"], place["y"] + box["y"]) for place in places]
    page.mouse.move(x, y)
    page.mouse.down()
    page.mouse.move((x + to_x) / 2, (y + to_y) / 2, steps=5)
    page.mouse.move(to_x, to_y, steps=5)
    page.mouse.up()
    dialog = page.get_by_role("dialog")
    dialog.get_by_label("Aliases").fill("dragged")
    page.keyboard.press("Enter")
    expect(dialog.get_by_test_id("command")).to_have_text(
        "netadmin network connect --alias dragged local_alias container1"
    )
    dialog.get_by_role("button", name="Connect", exact=True).click()
    expect(dialog).to_have_count(0)
    assert "container1" in product.addresses_on("local_alias")
    product.do("network disconnect local_alias container1")


def test_a_process_that_ends_by_itself_is_seen_on_the_open_page(page: Page, product: Product) -> None:
    product.run("run", "-d", "--name", "brief", "sh", "-c", "sleep 2; exit 3")
    page.goto(f"/containers/{container_id(product, 'brief')}")
    state = page.locator("[data-state]").first
    expect(state).to_have_text("exited")
    page.get_by_role("tab", name="About").click()
    expect(page.get_by_text("exit status 3", exact=False)).to_be_visible()
    product.do("rm brief")
    expect(page.get_by_text("This container does not exist, or was removed.")).to_be_visible()


def test_the_history_shows_before_and_after(page: Page, product: Product) -> None:
    product.do("create --name former")
    page.goto("/history")
    product.do("rename former latter")
    row = page.get_by_test_id("operations").locator("tr", has_text="container.rename").first
    expect(row).to_contain_text("latter")
    row.get_by_role("button", name="Details").click()
    expect(page.get_by_test_id("difference")).to_contain_text("former")
    product.do("rm latter")


def test_the_devices_of_a_network_are_seen(page: Page, product: Product) -> None:
    page.goto(f"/networks/{id_of(product, 'isolated_nw')}")
    page.get_by_role("tab", name="Kernel").click()
    devices = page.get_by_test_id("devices")
    expect(devices).to_contain_text(f"br-{id_of(product, 'isolated_nw')[:12]}")
    expect(devices.get_by_text("of container3")).to_be_visible()


def test_what_stands_in_the_way_of_a_removal_is_named(page: Page, product: Product) -> None:
    page.goto(f"/networks/{id_of(product, 'isolated_nw')}")
    page.get_by_role("button", name="Remove", exact=True).click()
    dialog = page.get_by_role("dialog")
    expect(dialog).to_contain_text("disconnect or stop them first: container2, container3, container4")
    expect(dialog.get_by_role("button", name="Remove", exact=True)).to_have_count(0)
    product.do("network create idle")
    page.goto(f"/networks/{id_of(product, 'idle')}")
    page.get_by_role("button", name="Remove", exact=True).click()
    expect(dialog.get_by_test_id("command")).to_have_text("netadmin network rm idle")
    dialog.get_by_role("button", name="Remove", exact=True).click()
    expect(page.get_by_role("heading", name="Networks")).to_be_visible()
    expect(page.get_by_role("link", name="idle")).to_have_count(0)
