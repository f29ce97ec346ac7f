"""The dashboard in Chromium: loading with few and with many endpoints, a change till it is seen, what an event costs,
and many open pages at once."""

import asyncio
import json
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from statistics import median

import websockets
from playwright.sync_api import Browser, Page, Response, WebSocket, expect, sync_playwright

from tests.bench.figures import Figure, compare
from tests.bench.product import Rest
from tests.e2e.conftest import FLAGS, PASSWORD, ROOT, find_chromium, sign_in
from tests.product import Product

MANY = 10_000
RUNS = 7
LOADS = 5
SOCKETS = 200
WATCH = """() => {
    new MutationObserver(() => {
        if (!document.querySelector("[data-container=one] [data-state=active]")) window.painted = undefined;
        else if (window.painted === undefined) {
            window.painted = null;
            requestAnimationFrame(() => setTimeout(() => { window.painted = Date.now(); }));
        }
    }).observe(document.body, { subtree: true, childList: true, attributes: true });
}"""
"""The page tells when it has painted the row: who asks it from outside, again and again, learns it up to 80 ms late."""


def measure() -> list[Figure]:
    folder = Path(tempfile.mkdtemp(prefix="netadmin-bench-"))
    product = Product(folder, settings={"NETADMIN_ADMIN_PASSWORD": PASSWORD})
    product.start()
    try:
        with sync_playwright() as playwright:
            browser = playwright.chromium.launch(executable_path=find_chromium(), args=FLAGS)
            figures = _measure(product, browser)
            browser.close()
        return [*figures, *_measure_sockets(product)]
    finally:
        product.stop()
        product.run("host", "purge")
        shutil.rmtree(folder)


def _measure(product: Product, browser: Browser) -> list[Figure]:
    for name in ("one", "two"):
        product.do(f"run -d --name {name}")
    product.do("network create lab")
    page = browser.new_context(
        base_url=f"http://{product.listen}", viewport={"width": 1280, "height": 860}
    ).new_page()
    sign_in(page)
    print("few endpoints …", flush=True)
    few = _loads(page, 2)
    pixels_few, _, _, _ = _changes(product, page)
    print(f"{MANY} endpoints …", flush=True)
    command = [sys.executable, str(ROOT / "manage.py"), "shell", "-c"]
    command.append(f"from tests.bench.paper import fill; fill({MANY})")
    subprocess.run(command, env=product.environment, cwd=ROOT, check=True, stdout=subprocess.DEVNULL)
    many = _loads(page, MANY + 2)
    pixels, answered, event, fetched = _changes(product, page)
    by = "2 endpoints"
    return [
        compare(
            f"first row of the containers' table, {MANY} endpoints", many["first"], "ms", few["first"], by
        ),
        compare(f"overview complete, {MANY} endpoints", many["overview"], "ms", few["overview"], by),
        compare(f"command to pixels, {MANY} endpoints", pixels, "ms", pixels_few, by),
        compare(f"command to pixels, {MANY} endpoints", pixels, "ms", answered, "request answered"),
        compare("bytes of an event", event, "B", fetched, "bytes fetched for it"),
    ]


def _loads(page: Page, endpoints: int) -> dict[str, list[float]]:
    times: dict[str, list[float]] = {"first": [], "overview": []}
    for _ in range(LOADS):
        began = time.perf_counter()
        page.goto("/containers")
        page.locator(".table-row").first.wait_for()
        times["first"].append((time.perf_counter() - began) * 1000)
        began = time.perf_counter()
        page.goto("/")
        expect(page.get_by_test_id("tally-endpoints")).to_contain_text(f"{endpoints:,}", timeout=60_000)
        times["overview"].append((time.perf_counter() - began) * 1000)
    return times


def _changes(product: Product, page: Page) -> tuple[list[float], list[float], list[float], list[float]]:
    """Milliseconds from a request to its row on the page, and to its answer; bytes of a change's event, and of what is
    fetched because of it."""
    rest = Rest(product.state_dir / "web.sock")
    events: list[int] = []
    fetched: list[int] = []
    page.on("websocket", lambda socket: _listen(socket, events))

    def weigh(response: Response) -> None:
        if "/api/v1/" in response.url and "statistics" not in response.url:
            fetched.append(len(response.body()))

    page.goto(f"/networks/{product.inspect_network('lab')['Id']}")
    expect(page.get_by_test_id("liveness")).to_have_text("Live")
    page.get_by_text("No container is on this network").wait_for(timeout=60_000)
    # The rest of the list may still be on its way, and keep the server busy.
    page.wait_for_load_state("networkidle", timeout=120_000)
    page.on("response", weigh)
    page.evaluate(WATCH)
    pixels, answered, sizes, loads = [], [], [], []
    for _ in range(RUNS):
        events.clear()
        fetched.clear()
        began = time.time()
        rest.ask("POST", "networks/lab/connect/", {"container": "one"})
        answered.append((time.time() - began) * 1000)
        painted = page.wait_for_function("() => window.painted").json_value()
        pixels.append(painted - began * 1000)
        page.wait_for_timeout(300)
        sizes.append(median(events))
        loads.append(float(sum(fetched)))
        rest.ask("POST", "networks/lab/disconnect/", {"container": "one"})
        page.locator("[data-container=one]").wait_for(state="detached")
        page.wait_for_timeout(300)
    page.remove_listener("response", weigh)
    return pixels, answered, sizes, loads


def _listen(socket: WebSocket, events: list[int]) -> None:
    socket.on("framereceived", lambda text: events.append(len(text)))


def _measure_sockets(product: Product) -> list[Figure]:
    print(f"{SOCKETS} sockets …", flush=True)
    token = product.do("token create bench")
    rest = Rest(product.state_dir / "web.sock")

    async def hear(count: int) -> list[float]:
        """Milliseconds from a request till the last of `count` pages has heard what came of it."""
        url, headers = f"ws://{product.listen}/ws/events/", {"Authorization": f"Bearer {token}"}
        pages = [await websockets.connect(url, additional_headers=headers) for _ in range(count)]
        times = []
        for action in ("connect", "disconnect") * RUNS:
            waiting = [asyncio.create_task(_hear_of(page, "lab", action)) for page in pages]
            await asyncio.sleep(0.05)
            began = time.perf_counter()
            await asyncio.to_thread(rest.ask, "POST", f"networks/lab/{action}/", {"container": "two"})
            await asyncio.gather(*waiting)
            times.append((time.perf_counter() - began) * 1000)
        for page in pages:
            await page.close()
        return times

    one = asyncio.run(hear(1))
    return [
        compare(f"command to the last of {SOCKETS} pages", asyncio.run(hear(SOCKETS)), "ms", one, "1 page")
    ]


async def _hear_of(page: websockets.ClientConnection, network: str, action: str) -> None:
    async for text in page:
        if json.loads(text)["change"] == f"endpoint.{action}:done":
            return
