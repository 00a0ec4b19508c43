"""What holds on every page, light and dark: contrast, labels, a heading, no sideways scrolling."""

from __future__ import annotations

import pytest

from tests.console.harness import Walk

pytestmark = pytest.mark.asyncio(loop_scope="module")

FAULTS = """() => {
  const faults = [];
  const parse = c => {
    const m = c.match(/rgba?\\(([^)]+)\\)/);
    if (!m) return [0, 0, 0, 0];
    const p = m[1].split(/[ ,/]+/).map(Number);
    return [p[0], p[1], p[2], p.length > 3 ? p[3] : 1];
  };
  const light = ([r, g, b]) => {
    const f = v => { v /= 255; return v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4; };
    return 0.2126 * f(r) + 0.7152 * f(g) + 0.0722 * f(b);
  };
  const ground = e => {
    const layers = [];
    for (; e; e = e.parentElement) {
      const c = parse(getComputedStyle(e).backgroundColor);
      if (c[3] > 0) layers.push(c);
      if (c[3] === 1) break;
    }
    return layers.reverse().reduce((u, c) =>
      [0, 1, 2].map(i => c[i] * c[3] + u[i] * (1 - c[3])), [255, 255, 255]);
  };
  for (const e of document.querySelectorAll('body *')) {
    const texts = [...e.childNodes].filter(n => n.nodeType === 3);
    const text = texts.map(n => n.textContent.trim()).join('');
    if (!text || !e.checkVisibility({checkOpacity: true, checkVisibilityCSS: true})) continue;
    if (['SCRIPT', 'STYLE', 'OPTION', 'TITLE', 'CAPTION'].includes(e.tagName)) continue;
    const box = e.getBoundingClientRect();
    if (box.width < 2 || box.height < 2 || box.right < 0) continue;
    const s = getComputedStyle(e), size = parseFloat(s.fontSize);
    const a = light(parse(s.color)), b = light(ground(e));
    const ratio = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
    const least = size >= 24 || (size >= 18.66 && s.fontWeight >= 700) ? 3 : 4.5;
    if (ratio < least)
      faults.push(`contrast ${ratio.toFixed(2)}: ${text.slice(0, 40)} <${e.tagName}>`);
  }
  for (const e of document.querySelectorAll('input, select, textarea')) {
    if (e.type === 'hidden' || !e.checkVisibility()) continue;
    if (!e.labels?.length && !e.getAttribute('aria-label') && !e.closest('[aria-label]'))
      faults.push(`no label: ${e.outerHTML.slice(0, 120)}`);
  }
  for (const e of document.querySelectorAll('button')) {
    if (e.checkVisibility() && !e.innerText.trim() && !e.getAttribute('aria-label'))
      faults.push(`no name: ${e.outerHTML.slice(0, 120)}`);
  }
  if (document.querySelectorAll('h1').length !== 1) faults.push('not one h1');
  if (document.documentElement.scrollWidth > innerWidth + 1)
    faults.push(`scrolls sideways: ${document.documentElement.scrollWidth} > ${innerWidth}`);
  for (const e of document.querySelectorAll('main *')) {
    const box = e.getBoundingClientRect();
    if (box.width > 2 && box.right > innerWidth + 1 && e.checkVisibility()
        && !e.parentElement.closest('.scroll, .q-table__middle, pre, svg, .q-expansion-item'))
      faults.push(`sticks out: ${e.outerHTML.slice(0, 80)}`);
  }
  return faults;
}"""


async def test_the_check_itself_finds_what_is_wrong(walk: Walk) -> None:
    await walk.page.goto("/login")
    await walk.page.evaluate(
        "document.querySelector('main').insertAdjacentHTML('beforeend',"
        "'<p class=pale>pale</p><input name=x><h1>second</h1><button></button>"
        "<div class=long>x</div>');"
        "document.querySelector('.pale').style.color = '#bbb';"
        "document.querySelector('.long').style.width = '3000px'"
    )
    found = "\n".join(await walk.page.evaluate(FAULTS))
    for expected in ("contrast", "no label", "no name", "not one h1", "scrolls", "sticks out"):
        assert expected in found


async def test_every_page_in_light_and_dark_wide_and_narrow(walk: Walk) -> None:
    message = walk.console.people.messages["dead"]
    pages = {
        "overview": "/",
        "search": "/search",
        "message": f"/message/{message}",
        "deliveries": "/deliveries?state=open",
        "alerts": "/alerts",
        "endpoints": "/endpoints",
        "endpoint": "/endpoints?name=so-y-te",
        "journal": "/journal",
        "account": "/account",
    }
    faults: dict[str, list[str]] = {}
    for theme in ("light", "dark"):
        await walk.context.add_cookies(
            [{"name": "lgsp_theme", "value": theme, "url": walk.console.url}]
        )
        await walk.page.goto("/login")
        faults[f"login {theme}"] = await walk.page.evaluate(FAULTS)
        await walk.log_in("operator")
        await walk.page.wait_for_selector(".who button")
        for name, path in pages.items():
            await walk.open(path)
            await walk.page.wait_for_function("document.fonts.status === 'loaded'")
            faults[f"{name} {theme}"] = await walk.page.evaluate(FAULTS)
            await walk.picture(f"{name}-{theme}")
        await walk.page.click(".who button")
        await walk.page.wait_for_selector("input[name=password]")
    await walk.page.set_viewport_size({"width": 390, "height": 800})
    await walk.log_in("operator")
    await walk.page.wait_for_selector(".who button")
    for name, path in pages.items():
        await walk.open(path)
        assert await walk.page.locator(".menu nav").is_visible() is False, "it would cover the page"
        faults[f"{name} narrow"] = await walk.page.evaluate(FAULTS)
        await walk.picture(f"{name}-narrow")
    assert {name: found for name, found in faults.items() if found} == {}
