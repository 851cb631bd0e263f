"""The document of the API in a real browser."""

from playwright.sync_api import Page, Request, expect


def test_the_document_is_shown_without_asking_anybody_else(laptop: Page, gateway_url: str) -> None:
    asked: list[str] = []

    def note(request: Request) -> None:
        asked.append(request.url)

    laptop.on("request", note)
    laptop.goto(f"{gateway_url}/docs")
    expect(laptop.get_by_text("/v1/recommendations", exact=True)).to_be_visible()
    laptop.get_by_text("/v1/recommendations", exact=True).click()
    expect(laptop.get_by_text("What was done a moment ago counts.")).to_be_visible()
    assert [url for url in asked if not url.startswith((gateway_url, "data:"))] == []
