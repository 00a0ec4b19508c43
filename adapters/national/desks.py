"""All simulated national services."""

from __future__ import annotations

from adapters.national.business.sandbox import BusinessDesk
from adapters.national.catalogues.sandbox import CataloguesDesk
from adapters.national.civil_status.sandbox import CivilStatusDesk
from adapters.national.combined.sandbox import CombinedDesk
from adapters.national.insurance.sandbox import InsuranceDesk
from adapters.national.judicial_records.sandbox import JudicialRecordsDesk
from adapters.national.population.sandbox import PopulationDesk
from adapters.national.procedures.sandbox import ProceduresDesk
from adapters.national.sandbox import Desk


def all_desks() -> list[Desk]:
    return [
        BusinessDesk(),
        CataloguesDesk(),
        CivilStatusDesk(),
        CombinedDesk(),
        InsuranceDesk(),
        JudicialRecordsDesk(),
        PopulationDesk(),
        ProceduresDesk(),
    ]
