"""Takes the README's screenshots of a running demo (`make demo` in another terminal). Run by `make screenshots`."""

import json
import urllib.request
from pathlib import Path
from urllib.parse import quote

from playwright.sync_api import sync_playwright

UI, GATEWAY, OUT = "http://127.0.0.1:8501", "http://127.0.0.1:8000", Path("docs/images")
CHROMIUM = "/usr/bin/chromium"
FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-component-update"]


def main() -> None:
    """Write docs/images/*.png."""
    with urllib.request.urlopen(f"{GATEWAY}/v1/users?page_size=20") as answer:
        users = json.load(answer)["users"]
    user = max(users, key=lambda one: one["history_size"])["user_id"]
    with urllib.request.urlopen(f"{GATEWAY}/v1/users/{quote(user, safe='')}/recommendations?count=1") as answer:
        item = json.load(answer)["items"][0]["item_id"]
    pages = {
        "recommendations": f"/?user={quote(user)}",
        "item": f"/item?item={quote(item)}&user={quote(user)}",
        "catalogue": "/catalogue",
        "model": "/model",
    }
    OUT.mkdir(parents=True, exist_ok=True)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        for device, width, height in (("", 1280, 860), ("-phone", 390, 844)):
            context = browser.new_context(viewport={"width": width, "height": height})
            for name, path in pages.items():
                page = context.new_page()
                page.goto(UI + path)
                page.wait_for_selector('[data-testid="stApp"][data-test-script-state="notRunning"]', timeout=30_000)
                page.wait_for_timeout(1_000)  # fonts and fade-ins
                page.screenshot(path=OUT / f"{name}{device}.png")
                page.close()
        browser.close()


if __name__ == "__main__":
    main()
