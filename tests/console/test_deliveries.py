"""Deliveries: many at once, first as a dry run; what a role may not do is refused on the server."""

from __future__ import annotations

import pytest

from schemas.delivery import DeliveryState
from tests.console.harness import Served, Walk
from tests.integration.cli_harness import HEALTH, Traffic

pytestmark = pytest.mark.asyncio(loop_scope="module")


async def sent(console: Served, *documents: str, dead: str = "") -> list[int]:
    """New deliveries to so-y-te; `dead`: with this code."""
    traffic = await Traffic.open(console.cli)
    try:
        made = []
        for document in documents:
            traffic._number = iter([hash(document) % 10**9 + 10**6])  # type: ignore[assignment]
            message = await traffic.send(HEALTH, document=document)
            if dead:
                made.append(await traffic.dead(message, code=dead))
            else:
                made += [d.id for d in await traffic.ledger.queries.deliveries_of(message)]
        return made
    finally:
        await traffic.ledger.close()


async def states(console: Served, ids: list[int]) -> list[tuple[str, str]]:
    traffic = await Traffic.open(console.cli)
    try:
        rows = [await traffic.ledger.queries.delivery(number) for number in ids]
        return [(row.state.value, row.endpoint) for row in rows if row is not None]
    finally:
        await traffic.ledger.close()


async def confirm(walk: Walk, reason: str) -> None:
    await walk.page.fill(".wide-card input >> nth=0", reason)
    await walk.page.click("button:has-text('Làm (')")


async def test_replay_all_that_match_with_dry_run_and_progress(walk: Walk) -> None:
    ids = await sent(
        walk.console, "vb-gui-lai-1", "vb-gui-lai-2", "vb-gui-lai-3", dead="partner-garbage"
    )
    await walk.log_in("operator", path="/deliveries?state=dead&code=partner-garbage")
    await walk.page.wait_for_selector(".deliveries tbody tr")
    row = walk.page.locator(".deliveries tbody tr", has_text="Đối tác trả lời sai giao thức").first
    assert "partner-garbage « no answer in 20 s" in await row.locator(".note").inner_text()
    await walk.picture("deliveries")
    await walk.page.click("text=mọi thứ khớp bộ lọc")
    await walk.page.click("button:has-text('Gửi lại')")
    await walk.page.wait_for_selector(".wide-card:has-text('sẽ làm với 3 chuyển phát')")
    assert {state for state, _ in await states(walk.console, ids)} == {"dead"}, "a dry run"
    await walk.picture("deliveries-dry-run")
    await walk.page.click("button:has-text('Làm (')")
    await walk.page.wait_for_selector(".error-card:has-text('cần nêu lý do')")
    await walk.page.click(".told:not(.wide-card) button")
    await confirm(walk, "đối tác đã sửa xong")
    await walk.page.wait_for_selector(".job:has-text('3/3, xong')")
    await walk.page.wait_for_selector(".deliveries:has-text('Không có chuyển phát nào')")
    assert {state for state, _ in await states(walk.console, ids)} == {"queued"}
    await walk.picture("deliveries-done")
    await walk.page.click("button:has-text('Rút lại cái chưa gửi')")
    await walk.page.wait_for_selector(".job:has-text('Rút lại lệnh gửi lại: 3/3, xong')")
    assert {state for state, _ in await states(walk.console, ids)} == {"dead"}


async def test_redirect_what_is_chosen(walk: Walk) -> None:
    (number,) = await sent(walk.console, "vb-doi-noi")
    await walk.log_in("operator", path="/deliveries?state=queued&endpoint=so-y-te")
    row = f".deliveries tbody tr:has(td:text-is('{number}'))"
    await walk.page.click(f"{row} .q-checkbox")
    await walk.page.click("button:has-text('Đổi nơi nhận')")
    await walk.page.wait_for_selector(".wide-card:has-text('sẽ làm với 1 chuyển phát')")
    await walk.page.click(".wide-card .q-select")
    await walk.page.click(".q-menu >> text=hop-thu")
    await confirm(walk, "cơ quan đổi hệ thống")
    await walk.page.wait_for_selector(".job:has-text('1/1, xong')")
    assert await states(walk.console, [number]) == [("cancelled", "so-y-te")]


async def test_a_change_of_state_appears_by_itself(walk: Walk) -> None:
    (number,) = await sent(walk.console, "vb-tu-hien", dead="partner-garbage")
    await walk.log_in("operator", path="/deliveries?state=all&endpoint=so-y-te")
    row = walk.page.locator(
        ".deliveries tbody tr", has=walk.page.locator(f"td:text-is('{number}')")
    )
    await row.get_by_text("hỏng, chờ xử lý").wait_for()
    traffic = await Traffic.open(walk.console.cli)
    try:
        await traffic.ledger.replay([number], actor="test", reason="đối tác đã sửa xong")
    finally:
        await traffic.ledger.close()
    await row.get_by_text("chờ đến lượt").wait_for()


async def test_an_auditor_changes_nothing(walk: Walk) -> None:
    await walk.log_in("auditor", path="/deliveries?state=open")
    await walk.page.wait_for_selector(".deliveries tbody tr")
    for word in ("Gửi lại", "Hủy", "Đổi nơi nhận"):
        assert await walk.page.locator(f"main button:has-text('{word}')").count() == 0


async def test_a_receiver_cannot_cancel_what_others_sent(walk: Walk) -> None:
    await walk.log_in("agency", path="/deliveries?state=open")
    await walk.page.wait_for_selector(".deliveries tbody tr")
    assert "H38.03" not in await walk.page.inner_text(".deliveries tbody")
    await walk.page.click("text=mọi thứ khớp bộ lọc")
    await walk.page.click("button:has-text('Hủy')")
    await walk.page.wait_for_selector(".wide-card:has-text('sẽ làm với 0 chuyển phát')")


async def test_a_role_taken_away_counts_at_once(walk: Walk) -> None:
    ids = await sent(walk.console, "vb-mat-quyen", dead="partner-unavailable")
    traffic = await Traffic.open(walk.console.cli)
    try:
        await walk.log_in("operator", path="/deliveries?state=dead&code=partner-unavailable")
        await walk.page.wait_for_selector(".deliveries tbody tr")
        await traffic.ledger.accounts.change("operator", role="auditor")
        closed = "input[name=password], h1:has-text('Tổng quan')"  # the page was sent to log in
        await walk.page.click(f":text-is('mọi thứ khớp bộ lọc'), {closed}")
        await walk.page.click(f"button:has-text('Gửi lại'), {closed}")
        await walk.page.wait_for_selector(f".error-card, {closed}")
        refused = [
            entry.data
            for entry in await traffic.ledger.queries.journal(limit=10_000)
            if entry.event == "console-act-refused"
        ]
        assert refused in ([{"act": "replay", "role": "auditor"}], []), "or its page was closed"
    finally:
        await traffic.ledger.accounts.change("operator", role="operator")
        await traffic.ledger.close()
    assert (await states(walk.console, ids))[0][0] == DeliveryState.DEAD
