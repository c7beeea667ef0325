"""Chromium; a test module takes it with `pytest_plugins = ["browser_fixtures"]`."""

import shutil

import pytest
from playwright.sync_api import expect, sync_playwright

FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--no-first-run"]
expect.set_options(timeout=60_000)  # a slow machine is no fault; a thing that never comes still is


# Not for the session: while it lives, Playwright keeps an event loop running, in which asyncio.run() does not work.
@pytest.fixture(scope="module")
def chromium():
    path = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    assert path, "these tests need Chromium: apt-get install chromium"
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, headless=True, args=FLAGS)
        yield browser
        browser.close()
