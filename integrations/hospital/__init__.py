"""A hospital's own system over HTTP, in the protocol of docs/hospital-systems.md, behind the core's port."""

from integrations.hospital.client import HttpHospitalSystem
from integrations.hospital.config import HospitalSystemAccount

__all__ = ["HospitalSystemAccount", "HttpHospitalSystem"]
