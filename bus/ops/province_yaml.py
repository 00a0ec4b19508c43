"""Reading YAML safely, with the line of everything in it."""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple

import yaml

from schemas.errors import ConfigurationError

_Loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)  # libyaml's, where it is built in


class Place(NamedTuple):
    """Where something stands: name of a file and line, counted from 1."""

    file: str
    line: int

    @property
    def vi(self) -> str:
        return f"{self.file}, dòng {self.line}"

    @property
    def en(self) -> str:
        return f"{self.file}, line {self.line}"


def load(file: Path) -> tuple[yaml.Node, dict[str, Any]]:
    """The node tree (for `place_of`) and the plain data of one document; empty is `{}`.

    Plain data only: no Python objects. A key given twice is refused, not overwritten.
    Raises ConfigurationError with file and line.
    """
    try:
        loader = _Loader(file.read_bytes())
        node = loader.get_single_node() or yaml.MappingNode("tag:yaml.org,2002:map", [])
        _refuse_repeated_keys(file, node)
        data = loader.construct_document(node)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        raise _wrong(Place(file.name, mark.line + 1 if mark else 1), str(error.problem)) from error
    except (yaml.YAMLError, ValueError) as error:  # ValueError: an impossible date or number
        raise _wrong(Place(file.name, 1), str(error)) from error
    except OSError as error:
        raise _wrong(Place(file.name, 1), error.strerror or type(error).__name__) from error
    if not isinstance(data, dict):
        raise _wrong(Place(file.name, 1), "expected keys such as 'agencies:'")
    return node, data


def place_of(file: Path, node: yaml.Node, path: tuple[str | int, ...]) -> Place:
    """Line of the value at the path, or of the last part of the path that exists."""
    for part in path:
        below = _child(node, part)
        if below is None:
            break
        node = below
    return Place(file.name, node.start_mark.line + 1 if node.start_mark else 1)


def _child(node: yaml.Node, part: str | int) -> yaml.Node | None:
    if isinstance(node, yaml.SequenceNode) and isinstance(part, int):
        found: yaml.Node | None = node.value[part] if part < len(node.value) else None
        return found
    if isinstance(node, yaml.MappingNode):
        return next((value for key, value in node.value if key.value == part), None)
    return None


def _refuse_repeated_keys(file: Path, root: yaml.Node) -> None:
    pending, seen = [root], set[int]()
    while pending:
        node = pending.pop()
        if id(node) in seen:  # an anchor used in several places
            continue
        seen.add(id(node))
        if isinstance(node, yaml.SequenceNode):
            pending += node.value
        elif isinstance(node, yaml.MappingNode):
            keys = set[str]()
            for key, value in node.value:
                if isinstance(key, yaml.ScalarNode):
                    if key.value in keys:
                        place = Place(file.name, key.start_mark.line + 1)
                        raise _wrong(place, f"key {key.value!r} stands here twice")
                    keys.add(key.value)
                pending += (key, value)


def _wrong(place: Place, why: str) -> ConfigurationError:
    return ConfigurationError(
        f"{place.en}: not readable YAML: {why}",
        vi=f"{place.vi}: YAML không đọc được: {why}",
    )
