"""Routes for patients, one file per resource. Each file's blueprints are listed here."""

from miniapp_api.openapi import Blueprint
from miniapp_api.patient import (
    account,
    account_joins,
    appointments,
    consents,
    departments,
    dependents,
    eligibility,
    hospitals,
    identity_checks,
    miniapp_links,
    payments,
    schedules,
    sessions,
    time,
)

BLUEPRINTS: tuple[Blueprint, ...] = (
    account.blueprint,
    account_joins.blueprint,
    appointments.blueprint,
    consents.blueprint,
    consents.texts,
    departments.blueprint,
    departments.doctors_blueprint,
    dependents.blueprint,
    eligibility.blueprint,
    hospitals.blueprint,
    hospitals.search_blueprint,
    identity_checks.blueprint,
    identity_checks.of_dependents,
    miniapp_links.of_dependents,
    miniapp_links.signatures,
    payments.of_appointments,
    payments.blueprint,
    schedules.blueprint,
    sessions.blueprint,
    sessions.current,
    time.blueprint,
)
