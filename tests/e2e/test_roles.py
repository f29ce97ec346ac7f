"""What the dashboard offers to whom."""

import re

from playwright.sync_api import Browser, Page, expect

from tests.e2e.conftest import manage, open_context, sign_in
from tests.e2e.test_dashboard import container_id, id_of
from tests.product import Product

CHANGES = re.compile("^(Create|Run|Connect|Disconnect|Remove|Stop|Start|Restart|Rename|Add|Drain|Revoke)\\b")


def offered(page: Page, place: str) -> set[str]:
    page.goto(place)
    expect(page.get_by_role("heading", level=1)).to_be_visible()
    page.wait_for_load_state("networkidle")
    return set(page.get_by_role("button", name=CHANGES).all_inner_texts())


def test_who_may_only_read_sees_all_and_is_offered_no_change(browser: Browser, product: Product) -> None:
    manage(
        product,
        "shell",
        "-c",
        "from django.contrib.auth.models import User; User.objects.create_user('rita', password='reads only')",
    )
    context = open_context(browser, product)
    page = context.new_page()
    sign_in(page, "rita", "reads only")
    places = ["/networks", "/containers", "/hosts", "/hosts/node1", "/map"]
    places.append(f"/networks/{id_of(product, 'isolated_nw')}")
    places.append(f"/containers/{container_id(product, 'container2')}")
    assert {place: offered(page, place) for place in places} == {place: set() for place in places}
    expect(page.get_by_role("tab", name="Terminal")).to_have_count(0)
    page.goto("/connectivity?network=" + id_of(product, "isolated_nw"))
    expect(page.locator("[data-pair='container2 container3']")).to_have_attribute("data-reachable", "true")
    context.close()


def test_a_member_of_a_team_is_offered_what_its_grants_cover(browser: Browser, product: Product) -> None:
    manage(
        product,
        "shell",
        "-c",
        "from django.contrib.auth.models import Group, User; team = Group.objects.create(name='blue'); "
        "User.objects.create_user('mona', password='changes some').groups.add(team)",
    )
    product.do("network create --label team=blue blue_nw")
    product.do("run -d --name blue1 --net blue_nw --label team=blue")
    granted = product.do("grant add --label team=blue blue")
    context = open_context(browser, product)
    page = context.new_page()
    sign_in(page, "mona", "changes some")
    network, container = (
        f"/networks/{id_of(product, 'blue_nw')}",
        f"/containers/{container_id(product, 'blue1')}",
    )
    assert offered(page, network) == {"Connect", "Disconnect", "Remove"}
    assert offered(page, container) == {"Connect", "Disconnect", "Stop", "Restart", "Remove"}
    expect(page.get_by_role("tab", name="Terminal")).to_have_count(0)
    assert offered(page, f"/networks/{id_of(product, 'isolated_nw')}") == set()
    assert offered(page, f"/containers/{container_id(product, 'container2')}") == set()
    # Taken back, the open page offers it no more.
    page.goto(container)
    expect(page.get_by_role("button", name="Stop")).to_be_visible()
    product.do(f"grant rm {granted}")
    expect(page.get_by_role("button", name="Stop")).to_have_count(0)
    product.do("rm -f blue1")
    product.do("network rm blue_nw")
    context.close()
