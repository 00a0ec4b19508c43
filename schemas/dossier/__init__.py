"""Dossiers of administrative procedures (hồ sơ TTHC): the canonical record and its timeline."""

from schemas.dossier.code import DossierCode, parse_dossier_code, unit_of
from schemas.dossier.life import DossierStatus
from schemas.dossier.model import (
    Applicant,
    ApplicantKind,
    Channel,
    CollectedAt,
    DossierRecord,
    Fee,
    FeeKind,
    Identity,
    IdentityKind,
    ListedPaper,
    OnlinePayment,
    Origin,
    ResultPaper,
    Reuse,
    Step,
    SubmittedPaper,
    Supplement,
)
from schemas.dossier.moments import Form, Moment

__all__ = [
    "Applicant",
    "ApplicantKind",
    "Channel",
    "CollectedAt",
    "DossierCode",
    "DossierRecord",
    "DossierStatus",
    "Fee",
    "FeeKind",
    "Form",
    "Identity",
    "IdentityKind",
    "ListedPaper",
    "Moment",
    "OnlinePayment",
    "Origin",
    "ResultPaper",
    "Reuse",
    "Step",
    "SubmittedPaper",
    "Supplement",
    "parse_dossier_code",
    "unit_of",
]
