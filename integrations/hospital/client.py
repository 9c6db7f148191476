"""The protocol's calls, in verbs. Nothing is repeated here: whoever asks does so again under the same claim number."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from datetime import UTC, date, datetime
from typing import Any
from urllib.parse import quote, urlencode, urlsplit

from core.ports import (
    HoldOrder,
    HospitalAnswer,
    HospitalPatient,
    HospitalRefusal,
    HospitalRefused,
    ProviderUnavailable,
    PublishedHalfDay,
    VisitPage,
)
from integrations.hospital import _answers
from integrations.hospital._signing import require_signed, sign_request
from integrations.hospital.config import HospitalSystemAccount
from integrations.transport import DEFAULT_TIMEOUTS, Timeouts, Transport, strict_object

OK, REFUSED, DOWN = 200, 409, 503
_OURS = frozenset({400, 401, 403, 404, 405, 408, 413, 415, 422, 429})
"""What the hospital says of a request that it did not look into."""


class HttpHospitalSystem:
    """Port HospitalSystem."""

    def __init__(
        self,
        account: HospitalSystemAccount,
        *,
        timeouts: Timeouts = DEFAULT_TIMEOUTS,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self.system = account.system
        self._account, self._clock = account, clock
        # Patients' documents travel in bodies only; but no error of the library below has a place beside them either.
        self._transport = Transport(timeouts=timeouts, secret_urls=True)

    def find_patient(self, hospital: str, patient: HospitalPatient) -> str | None:
        return _answers.patient_number(self._send("POST", "/patients/find", _of_patient(hospital, patient)))

    def create_patient(self, hospital: str, patient: HospitalPatient) -> str:
        number = _answers.patient_number(self._send("POST", "/patients", _of_patient(hospital, patient)))
        if number is None:
            raise ProviderUnavailable("made no record")
        return number

    def hold(self, order: HoldOrder) -> HospitalAnswer:
        place = order.place
        wanted = {
            "hospital": place.hospital,
            "department": place.department,
            "doctor": place.doctor,
            "visit_date": _answers.written_day(place.visit_date),
            "period": place.period,
            "clinic_type": place.clinic_type,
            "schedule_starts_at": _answers.written_instant(place.starts_at),
            "sequence": order.sequence,
            "starts_at": _answers.written_instant(order.starts_at),
            "ends_at": _answers.written_instant(order.ends_at),
            "patient": order.patient,
            "fee_fen": order.fee_fen,
            "until": None if order.until is None else _answers.written_instant(order.until),
        }
        return self._claim("PUT", order.claim, "", wanted)

    def confirm(self, claim: str, *, paid_fen: int) -> HospitalAnswer:
        return self._claim("POST", claim, "/confirmation", {"paid_fen": paid_fen})

    def release(self, claim: str) -> HospitalAnswer:
        return self._claim("POST", claim, "/release", {})

    def ask(self, claim: str) -> HospitalAnswer:
        return self._claim("GET", claim, "", None)

    def half_days(self, hospital: str, *, first: date, last: date) -> list[PublishedHalfDay]:
        days = urlencode({"first": _answers.written_day(first), "last": _answers.written_day(last)})
        return _answers.half_days(self._send("GET", f"/hospitals/{quote(hospital, safe='')}/half-days?{days}"))

    def visits(self, hospital: str, *, after: str | None) -> VisitPage:
        behind = "" if after is None else f"?{urlencode({'after': after})}"
        return _answers.visit_page(self._send("GET", f"/hospitals/{quote(hospital, safe='')}/visits{behind}"))

    def _claim(self, method: str, claim: str, deed: str, wanted: Mapping[str, Any] | None) -> HospitalAnswer:
        content = self._send(method, f"/claims/{quote(claim, safe='')}{deed}", wanted)
        return _answers.claim_answer(content, claim=claim)

    def _send(self, method: str, path: str, wanted: Mapping[str, Any] | None = None) -> dict[str, Any]:
        """Raises: ProviderUnavailable, HospitalRefused."""
        url = f"{self._account.url}{path}"
        parts = urlsplit(url)
        target = f"{parts.path}?{parts.query}" if parts.query else parts.path
        body = b"" if wanted is None else json.dumps(wanted, ensure_ascii=False, separators=(",", ":")).encode()
        stamped = sign_request(
            self._account.key_id, self._account.secret, method=method, target=target, body=body, now=self._clock()
        )
        kind = {"Content-Type": "application/json"} if body else {}
        answer = self._transport.exchange(method, url, headers={**stamped.headers, **kind}, body=body or None)
        require_signed(
            self._account.secret,
            status=answer.status,
            headers=answer.headers,
            body=answer.body,
            nonce=stamped.nonce,
            now=self._clock(),
        )
        return _opened(answer.status, answer.body)


def _opened(status: int, body: bytes) -> dict[str, Any]:
    """Raises: ProviderUnavailable, HospitalRefused."""
    if status == DOWN:
        raise ProviderUnavailable("says that it is down and did nothing", sent=False)
    try:
        content = strict_object(body)
    except ValueError:
        raise ProviderUnavailable(f"answered with HTTP {status} and no JSON object") from None
    if status == OK:
        return content
    if status == REFUSED:
        raise HospitalRefused(*_answers.refusal(content))
    if status in _OURS:
        raise HospitalRefused(HospitalRefusal.OURS, _answers.refusal(content)[1])
    raise ProviderUnavailable(f"answered with HTTP {status}")


def _of_patient(hospital: str, patient: HospitalPatient) -> dict[str, Any]:
    return {
        "hospital": hospital,
        "name": patient.name,
        "id_type": patient.id_type,
        "id_number": patient.id_number,
        "sex": patient.sex,
        "birth_date": _answers.written_day(patient.birth_date),
        "phone": patient.phone,
    }
