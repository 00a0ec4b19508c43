"""The map of the overview with a province's agencies: every name can be read, and none is lost."""

from __future__ import annotations

from collections import Counter
from types import SimpleNamespace
from typing import cast

import pytest

from bus.console.flow_charts import LEAST_HEIGHT, Flows, flow_chart, flow_height
from bus.console.frame import View
from bus.console.words import Words
from tests.console.harness import Walk

NAME = "Ban Quản lý các khu kinh tế và khu công nghiệp tỉnh Kiểm thử số"
AGENCIES = 15
WIDTHS = (1440, 1024, 390)
ROOMY = "document.querySelector('.flow-map').clientWidth > innerWidth / 2"

TEXTS = """async ([options, height]) => {
  const made = o => Array.isArray(o) ? o.map(made) : o === null || typeof o !== 'object' ? o
    : Object.fromEntries(Object.entries(o).map(([k, v]) =>
        k[0] === ':' ? [k.slice(1), (0, eval)(v)] : [k, made(v)]));
  const place = document.querySelector('.flow-map');
  place.style.height = `${height}px`;
  const chart = getElement(Number(place.id.slice(1))).chart;
  chart.resize();
  chart.setOption(made(options), {notMerge: true});
  const list = chart.getZr().storage.getDisplayList(true);
  const texts = list.filter(each => each.type === 'tspan' && each.style.text).map(each => {
    const box = each.getBoundingRect().clone();
    if (each.transform) box.applyTransform(each.transform);
    return [each.style.text, box.x, box.y, box.width, box.height];
  });
  return [chart.getWidth(), chart.getHeight(), texts];
}"""


def many() -> tuple[View, Flows]:
    """Each sends to a system of its own, one of them nearly all, as it is in a province."""
    codes = [f"H38.{number:02}" for number in range(AGENCIES)]
    directory = {code: SimpleNamespace(name=f"{NAME} {code}") for code in codes}
    view = SimpleNamespace(
        say=Words("vi"),
        snapshot=SimpleNamespace(directory=directory),
        visitor=SimpleNamespace(dark=False),
    )
    counts = Counter(
        {
            (code, f"he-thong-quan-ly-van-ban-cua-{code}"): 1000 // (3**n) + 1
            for n, code in enumerate(codes)
        }
    )
    return cast("View", view), Flows(counts, {})


def test_the_map_grows_with_the_names() -> None:
    _, flows = many()
    assert flow_height(Flows(Counter(), {})) == LEAST_HEIGHT
    assert flow_height(flows) > LEAST_HEIGHT


def test_a_name_that_is_cut_is_whole_under_the_pointer() -> None:
    view, flows = many()
    (series,) = flow_chart(view, flows)["baseOption"]["series"]
    told = [each["told"] for each in series["data"]]
    assert any(each.startswith(f"{NAME} H38.00 (H38.00) → trục: 1") for each in told)
    assert all(each["told"] for each in series["links"])


@pytest.mark.asyncio(loop_scope="module")
async def test_no_name_lies_on_another_or_beside_the_map(walk: Walk) -> None:
    await walk.log_in("operator")
    await walk.page.wait_for_selector(".flow-map canvas")
    await walk.page.wait_for_function("document.fonts.status === 'loaded'")
    for width in WIDTHS:
        await walk.page.set_viewport_size({"width": width, "height": 900})
        await walk.page.wait_for_function(ROOMY)  # the menu gives way on a narrow screen
        view, flows = many()
        given = [flow_chart(view, flows), flow_height(flows)]
        wide, high, texts = await walk.page.evaluate(TEXTS, given)
        await walk.picture(f"flow-{width}")
        assert len(texts) >= 26, "twelve and the others on each side"
        boxes = [(text, x, y, x + w, y + h) for text, x, y, w, h in texts]
        for number, (text, left, top, right, bottom) in enumerate(boxes):
            assert left >= 0 <= top, text
            assert right <= wide, text
            assert bottom <= high, text
            for other, its_left, its_top, its_right, its_bottom in boxes[:number]:
                apart = left >= its_right or its_left >= right
                assert apart or top >= its_bottom or its_top >= bottom, (width, text, other)
