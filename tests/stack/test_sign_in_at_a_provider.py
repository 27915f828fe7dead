"""In a real browser, the way to an OpenID Connect provider and back is not stopped by what the pages allow the browser to do.

Does not belong here: what the provider must prove (tests/unit/dash_app/test_oidc).
"""

from __future__ import annotations

import re
from pathlib import Path

from playwright.sync_api import Browser, expect
from pydantic import SecretStr

from dash_app.operations import create_app
from lakehouse.settings import Settings
from tests.unit.dash_app.facts import FakeReader, FakeWriter
from tests.unit.dash_app.served import ProviderServer, served


def test_a_browser_goes_to_the_provider_and_back_and_out(tmp_path: Path, browser: Browser) -> None:
    provider = ProviderServer()
    with served(provider.app) as provider.issuer:
        provider.knows("ana", email="ana@example.org", email_verified=True)
        settings = Settings(
            home=tmp_path,
            oidc_issuer=provider.issuer,
            oidc_client_id="clearlake",
            oidc_client_secret=SecretStr("a-secret-of-the-client"),
            oidc_allowed=("ana@example.org",),
        )
        with served(create_app(settings, FakeReader(), FakeWriter()).server) as pages:
            context, refused = browser.new_context(), []
            page = context.new_page()
            page.on("console", lambda said: refused.append(said.text) if "Content Security Policy" in said.text else None)
            page.route(lambda url: not url.startswith((pages, provider.issuer)), lambda route: route.abort())
            page.goto(f"{pages}/runs/abc")
            page.get_by_role("link", name=re.compile("Sign in with")).click()
            page.fill("input[name=sub]", "ana")
            page.get_by_role("button", name="Authorize").click()
            page.wait_for_url(f"{pages}/runs/abc")
            page.get_by_role("button", name="Sign out").click()
            expect(page.get_by_role("status")).to_contain_text("You are signed out here")
            page.get_by_role("link", name=re.compile("Sign out at")).click()
            page.wait_for_url(re.compile(f"^{re.escape(provider.issuer)}/oauth2/end_session"))
            context.close()
            assert refused == []
