"""The form of an endpoint's configuration, made from its adapter's own model."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from nicegui import ui

from adapters import registry
from bus.console.endpoint_secrets import DAYS, shown_once
from bus.console.frame import View
from bus.console.html import tag
from bus.console.keyring import after
from bus.console.marks import mark
from bus.console.rights import Act
from bus.console.visitor import Visitor
from bus.ops import secret_files
from schemas.errors import ConfigurationError

Schema = Mapping[str, Any]


class ConfigForm:
    """Built where it is made; those that have a default stand apart, below."""

    def __init__(self, view: View, kind: str) -> None:
        self._view = view
        self._read: dict[str, Callable[[], Any]] = {}
        adapter = registry.adapters()[kind]
        self._secrets = adapter.manifest.secrets
        schema = adapter.config_model.model_json_schema()
        needed = set(schema.get("required", ()))
        fields: dict[str, Schema] = schema["properties"]
        if not fields:
            told = view.say("Không cần cấu hình gì.", "There is nothing to configure.")
            view.html(tag("p", told, class_="help"))
        for name, field in fields.items():
            if name in needed:
                self._field(name, field, needed=True)
        if fields.keys() - needed:
            more = view.say("Tùy chọn (đã có giá trị mặc định)", "Optional (with defaults)")
            with ui.expansion(more).classes("optional"):
                for name, field in fields.items():
                    if name not in needed:
                        self._field(name, field, needed=False)

    def values(self) -> dict[str, Any]:
        """What was given, defaults left out."""
        given = {name: read() for name, read in self._read.items()}
        return {name: value for name, value in given.items() if value not in (None, "", [])}

    def _field(self, name: str, schema: Schema, *, needed: bool) -> None:
        view, say = self._view, self._view.say
        kind = _kind(schema)
        title = say(schema.get("title", name), name.replace("_", " ").capitalize())
        label = f"{title} *" if needed else title
        with ui.element("div").classes("field"):
            if "enum" in kind:
                chosen = ui.select(list(kind["enum"]), label=label, clearable=True)
                chosen.props("outlined dense")
                self._read[name] = lambda: chosen.value
            elif kind.get("type") == "boolean":
                ticked = ui.checkbox(label, value=bool(schema.get("default")))
                default = ticked.value
                self._read[name] = lambda: None if ticked.value == default else ticked.value
            elif kind.get("type") in {"number", "integer"}:
                number = ui.number(label, placeholder=_text(schema.get("default")))
                number.props("outlined dense")
                whole = kind["type"] == "integer"
                self._read[name] = lambda: _number(number.value, whole=whole)
            else:
                several = kind.get("type") == "array"
                typed = ui.input(label, placeholder=_example(schema, needed=needed))
                typed.props("outlined dense maxlength=500")
                self._read[name] = lambda: _words(typed.value, several=several)
                if name in self._secrets:
                    self._watch_secret(typed)
            told = schema.get("description", "")
            view.html(tag("p", say(schema.get("vi", told), told), class_="help"))

    def _watch_secret(self, typed: ui.input) -> None:
        """Says whether the bus has the secret of that name; its value is never read out."""
        view = self._view
        told = ui.element("div").props('aria-live="polite"')

        def look() -> None:
            told.clear()
            name = (typed.value or "").strip()
            if not name:
                return
            with told:
                try:
                    view.console.secret(name)
                except ConfigurationError as error:
                    view.html(tag("p", mark("!", "warn", view.say.text(error.detail))))
                    if view.visitor.may(Act.MANAGE_KEYS):
                        self._offer_secret(name, told)
                else:
                    there = view.say("Bí mật này đã có trên trục.", "The bus has this secret.")
                    view.html(tag("p", mark("✓", "good", there)))

        typed.on("blur", look)

    def _offer_secret(self, name: str, place: ui.element) -> None:
        """To make the one that is missing, good for a year."""
        view = self._view

        async def make() -> None:
            async def work(now: Visitor) -> str:
                value = await secret_files.make(
                    view.ledger,
                    view.console.secrets_dir,
                    name,
                    ends_at=after(view, DAYS),
                    actor=now.actor,
                )
                place.clear()
                with place:
                    view.html(shown_once(view, name, value))
                return view.say(f"Đã tạo bí mật {name}.", f"Secret {name} is made.")

            await view.act(Act.MANAGE_KEYS, work)

        view.button("Tạo bí mật này", "Make this secret", make, icon="vpn_key")


def _kind(schema: Schema) -> Schema:
    """Without the null of what may be absent."""
    for option in schema.get("anyOf", ()):
        if option.get("type") != "null":
            found: Schema = option
            return found
    return schema


def _number(value: float | None, *, whole: bool) -> float | None:
    return int(value) if whole and value is not None else value


def _words(value: str | None, *, several: bool) -> str | list[str] | None:
    if several:
        return [word for part in (value or "").split(",") if (word := part.strip())]
    return (value or "").strip()


def _example(schema: Schema, *, needed: bool) -> str:
    if not needed and schema.get("default") is not None:
        return _text(schema["default"])
    return _text(next(iter(schema.get("examples", ())), None))


def _text(value: object) -> str:
    return "" if value is None or isinstance(value, (list, dict)) else str(value)
