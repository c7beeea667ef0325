"""Makes the pictures of the chat: `make screens` serves it, asks in a real browser, and writes docs/chat-*.png."""

from __future__ import annotations

import shutil
import tempfile
from dataclasses import replace
from pathlib import Path

from playwright.sync_api import Page, expect, sync_playwright

from app.serve import Server, ServeSettings
from index.settings import IndexSettings

DOCS = Path(__file__).parent
WIDE, PHONE = {"width": 1400, "height": 900}, {"width": 400, "height": 860}
FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--no-first-run"]
ANSWERED = ("Where did the secret talks take place?", "Why did Japan withhold the UN resolution?")
DECLINED = "How many abductees does North Korea say have died?"


def ask(page: Page, question: str) -> None:
    """Asks, and waits until the answer is there and the document has come to rest."""
    turns = page.locator(".turn[data-turn]")
    before = turns.count()
    page.get_by_label("Your question").fill(question)
    page.keyboard.press("Enter")
    expect(turns).to_have_count(before + 1, timeout=60_000)
    page.wait_for_timeout(1200)


def main() -> None:
    """Runs."""
    chromium = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    with tempfile.TemporaryDirectory() as home, sync_playwright() as playwright:
        settings = replace(IndexSettings.resolve(), home=Path(home))
        with Server(ServeSettings(port=0), settings) as server:
            browser = playwright.chromium.launch(executable_path=chromium, headless=True, args=FLAGS)
            for name, viewport, scheme in (
                ("light", WIDE, "light"),
                ("dark", WIDE, "dark"),
                ("phone", PHONE, "light"),
                ("decline", WIDE, "light"),
            ):
                page = browser.new_page(viewport=viewport, color_scheme=scheme)
                page.goto(server.url)
                expect(page.get_by_label("Your question")).to_be_editable(timeout=60_000)
                for question in (DECLINED,) if name == "decline" else ANSWERED[1:] if name == "phone" else ANSWERED:
                    ask(page, question)
                if name != "decline":
                    page.locator(".cite").last.hover() if name == "dark" else page.mouse.move(0, 0)
                page.wait_for_timeout(400)
                page.screenshot(path=DOCS / f"chat-{name}.png")
                page.close()
            browser.close()


if __name__ == "__main__":
    main()
