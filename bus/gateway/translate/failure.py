"""What goes wrong in translation: with the contract itself, or with one message."""

from __future__ import annotations

from schemas.errors import ContractMismatch, InvalidContract


def bad_contract(en: str, *, vi: str, **context: str | int) -> InvalidContract:
    return InvalidContract(en[:500], vi=vi[:500], retry_after=None, **context)


class Mismatch(Exception):
    """A value breaks a rule of the contract; the path is put together while it rises.

    `rule` is the XSD term (`minOccurs`, `pattern`, `xs:int` …).  The offending value is not
    kept: it may be personal data.
    """

    def __init__(self, rule: str, en: str, vi: str) -> None:
        super().__init__(en)
        self.rule, self.en, self.vi = rule, en, vi
        self.path: list[str | int] = []
        self.line = 0

    def at(self, step: str | int) -> Mismatch:
        self.path.append(step)
        return self

    @property
    def pointer(self) -> str:
        """JSON pointer (RFC 6901) to the value."""
        steps = (str(s).replace("~", "~0").replace("/", "~1") for s in reversed(self.path))
        return "".join(f"/{step}" for step in steps)

    def error(self, line: int = 0) -> ContractMismatch:
        where = self.pointer or "/"
        line = line or self.line
        return ContractMismatch(
            f"{where}: {self.en} [{self.rule}], line {line}",
            vi=f"{where}: {self.vi} [{self.rule}], dòng {line}",
            path=where,
            rule=self.rule,
            line=line,
        )
