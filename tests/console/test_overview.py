"""Overview: rates, the map, and what needs a person, as each role sees it."""

from __future__ import annotations

import pytest

from tests.console.harness import Walk

pytestmark = pytest.mark.asyncio(loop_scope="module")


async def test_what_flows_and_what_needs_a_person(walk: Walk) -> None:
    await walk.log_in("operator")
    await walk.page.wait_for_selector(".tiles .value")
    needs = await walk.page.inner_text(".needs")
    assert "so-y-te: 1 chuyển phát hỏng" in needs
    assert "lgsp worker" in needs, "no worker runs in this test"
    await walk.page.wait_for_selector(".flow-map canvas, .flow-map svg")
    await walk.page.click("summary")
    rows = await walk.page.inner_text("details table")
    assert "Văn phòng (H38.01)" in rows
    await walk.picture("overview")
    assert "/deliveries?state=dead&endpoint=so-y-te" in str(
        await walk.page.get_attribute(".needs a", "href")
    )


async def test_an_agency_sees_its_own_alone(walk: Walk) -> None:
    await walk.log_in("agency")
    await walk.page.wait_for_selector(".tiles .value")
    shown = await walk.page.inner_text("main")
    assert "lgsp worker" not in shown
    await walk.page.click("summary")
    rows = await walk.page.inner_text("details table")
    assert "so-y-te" in rows
    assert "hop-thu" not in rows
