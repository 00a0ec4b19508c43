"""What a contract supports, and what would be lost: for `lgsp service check`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from bus.gateway.translate.contract import Contract, Operation


def report(contract: Contract) -> dict[str, Any]:
    """`ok` is whether every operation of a SOAP port can be called with nothing lost."""
    rows = [
        _row(service.name, port.name, operation)
        for service in contract.services.values()
        for port in service.ports.values()
        for operation in port.operations.values()
    ]
    return {
        "ok": all(row["supported"] and not row["lost"] for row in rows) and not contract.clashes,
        "operations": rows,
        "missing": contract.missing,
        "from_catalogue": contract.from_catalogue,
        "skipped_ports": contract.skipped,
        "defined_twice": contract.clashes,
        "judged_by": "libxml2" if not contract.unjudged else "our own checks",
        "unjudged_because": contract.unjudged,
    }


def _row(service: str, port: str, operation: Operation) -> dict[str, Any]:
    notes = []
    if operation.encoded:
        notes.append("SOAP encoding: ids, references and sparse arrays become plain values")
    return {
        "service": service,
        "port": port,
        "operation": operation.name,
        "soap": operation.version,
        "style": f"{operation.style}/{'encoded' if operation.encoded else 'literal'}",
        "one_way": operation.one_way,
        "headers": list(operation.request.headers),
        "faults": list(operation.faults),
        "supported": not operation.problems,
        "problems": operation.problems,
        "lost": operation.lost,
        "notes": notes,
    }
