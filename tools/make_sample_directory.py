"""Make the sample directory in data/sample and the region table data/regions.csv from the raw data folder.

    python tools/make_sample_directory.py RAW_FOLDER [--out data]

The same raw files give the same bytes. What is invented here, and every place where a raw value is corrected,
is told in data/sample/SOURCES.md.
"""

import argparse
import csv
import json
from collections.abc import Iterable
from itertools import groupby
from pathlib import Path

from sample_raw import Raw, Row
from sample_tables import (
    CLINIC_FEE_FEN,
    CLINIC_MORNING,
    COLUMNS,
    DOCTOR_WEEK,
    DRUM_TOWER,
    DRUM_TOWER_NOTICE,
    GENERAL_CLINIC,
    GENERAL_SUBJECT,
    KINDS_WITH_GENERAL_ALIASES,
    MENS_CLINIC,
    NARROW_CLINICS,
    NOTICE,
    ORDINARY_CLINICS,
    ORGANS,
    POLICIES,
    SUBJECT_CORRECTIONS,
    UNGROUPED,
    USUAL_CLINIC_FEE_FEN,
    WORKDAYS,
    WRONG_HOSPITAL_ALIASES,
    Sitting,
)


def full_address(city: str, district: str, street: str) -> str:
    return (city if city == district else city + district) + street


def hospital_row(raw: Row) -> Row:
    code = raw["hospital_id"]
    aliases = [alias for alias in raw["alias"].split(";") if (code, alias) not in WRONG_HOSPITAL_ALIASES]
    return {
        "code": code,
        "name": raw["name"],
        "alias": ";".join(aliases),
        "grade": raw["grade"],
        "kind": raw["type"],
        "adcode": raw["adcode"],
        "address": full_address(raw["city"], raw["district"], raw["address"]),
        "lat": raw["lat"],
        "lng": raw["lng"],
        "merchant": "",
        "booking_notice": DRUM_TOWER_NOTICE if code == DRUM_TOWER else NOTICE,
        "synthetic": "false",
    }


def campus_rows(raw: Raw, hospital: Row) -> list[Row]:
    own = raw.campuses.get(hospital["code"])
    if not own:
        place = {key: hospital[key] for key in ("address", "lat", "lng")}
        return [{"hospital_code": hospital["code"], "code": f"{hospital['code']}-0", "name": "本部", **place}]
    return [
        {
            "hospital_code": hospital["code"],
            "code": row["campus_id"],
            "name": row["campus"],
            "address": full_address(raw.city[hospital["code"]], row["district"], row["address"]),
            "lat": row["lat"],
            "lng": row["lng"],
        }
        for row in own
    ]


def department_row(raw: Raw, *, hospital_code: str, code: str, parent_code: str, name: str, subject_code: str) -> Row:
    subject = raw.subjects.get(subject_code, {})
    return {
        "hospital_code": hospital_code,
        "code": code,
        "parent_code": parent_code,
        "name": name,
        "alias": "",
        "subject_code": subject_code,
        "sex": "M" if MENS_CLINIC in name else subject.get("default_sex", ""),
        "min_age": subject.get("default_min_age_y", ""),
        "max_age": subject.get("default_max_age_y", ""),
        "online": "false" if subject.get("default_online_bookable") == "N" else "true",
        "synthetic": "false",
    }


def fits(alias: str, name: str) -> bool:
    """Whether an everyday name may lead here: 青光眼门诊 not to 葡萄膜炎专业组, 肝胆外科 not to 乳腺外科."""
    organs = ORGANS.intersection(alias)
    if alias[:2] in name or not (organs or alias.endswith(("门诊", MENS_CLINIC))):
        return True
    if any(mark in name for mark in NARROW_CLINICS):
        return False
    own_organs = ORGANS.intersection(name)
    return not organs or not own_organs or bool(organs & own_organs)


def everyday_names(raw: Raw, row: Row, names: Iterable[str]) -> str:
    """Other names for the row's subject that its own name does not say already and no sister department has."""
    known = raw.aliases.get(row["subject_code"], [])
    new = [alias for alias in known if alias not in row["name"] and fits(alias, row["name"])]
    return ";".join(alias for alias in new if not any(name.startswith(alias) for name in names))


def real_department_rows(raw: Raw, hospital_code: str) -> list[Row]:
    rows: list[Row] = []
    groups: dict[str, str] = {UNGROUPED: ""}
    listed = raw.departments[hospital_code]
    for number, source in enumerate(listed, start=1):
        name, group = source["dept_name"], source["group"]
        if group not in groups:
            groups[group] = f"{hospital_code}-G{len(groups):02d}"
            top = department_row(
                raw, hospital_code=hospital_code, code=groups[group], parent_code="", name=group, subject_code=""
            )
            rows.append(top)
        row = department_row(
            raw,
            hospital_code=hospital_code,
            code=f"{hospital_code}-D{number:03d}",
            parent_code=groups[group],
            name=name,
            subject_code=SUBJECT_CORRECTIONS.get((hospital_code, name), source["subject_code_guess"]),
        )
        row["alias"] = everyday_names(raw, row, [other["dept_name"] for other in listed])
        rows.append(row)
    return rows


def department_rows(raw: Raw, hospital: Row) -> list[Row]:
    code = hospital["code"]
    if code in raw.departments:
        return real_department_rows(raw, code)
    row = department_row(
        raw,
        hospital_code=code,
        code=f"{code}-D001",
        parent_code="",
        name=GENERAL_CLINIC,
        subject_code=GENERAL_SUBJECT,
    )
    row["synthetic"] = "true"
    if hospital["kind"] in KINDS_WITH_GENERAL_ALIASES:
        row["alias"] = everyday_names(raw, row, [GENERAL_CLINIC])
    return [row]


def department_for(raw: Raw, doctor: Row, departments: list[Row]) -> Row:
    """The plainest department of the doctor's subject: no special clinic, the commonest everyday name, the shortest."""
    plain = {row["dept_name"] for row in raw.departments.get(doctor["hospital_id"], []) if not row["flags"]}
    names = raw.aliases.get(doctor["subject_code"], [])
    bookable = [row for row in departments if row["subject_code"] == doctor["subject_code"]]
    general = [row for row in departments if row["subject_code"] == GENERAL_SUBJECT]

    def rank(row: Row) -> tuple[bool, int, int]:
        common = next((place for place, alias in enumerate(names) if alias in row["name"]), len(names))
        return row["name"] not in plain, common, len(row["name"])

    return min(bookable or general, key=rank)


def doctor_rows(raw: Raw, hospital: Row, departments: list[Row]) -> list[Row]:
    return [
        {
            "hospital_code": hospital["code"],
            "code": source["doctor_id"],
            "department_code": department_for(raw, source, departments)["code"],
            "name": source["name"],
            "title": source["title"],
            "sex": source["sex"],
            "introduction": f"虚拟医生，仅供演示和测试，专业方向：{source['subject_name'].removesuffix('专业')}。",
            "synthetic": "true",
        }
        for source in raw.doctors.get(hospital["code"], [])
    ]


def roster_row(department: Row, campus: str, weekday: int, sitting: Sitting, *, kind: str, fee: str) -> Row:
    return {
        "hospital_code": department["hospital_code"],
        "department_code": department["code"],
        "doctor_code": "",
        "campus_code": campus,
        "weekday": str(weekday),
        "period": sitting.period,
        "starts": sitting.starts,
        "ends": sitting.ends,
        "clinic_type": kind,
        "fee_fen": fee,
        "segment_minutes": "30",
        "numbers_per_segment": str(sitting.numbers),
        "synthetic": "true",
    }


def doctor_roster_rows(raw: Raw, doctors: list[Row], departments: list[Row], campus: str) -> list[Row]:
    rows: list[Row] = []
    homes = {row["code"]: row for row in departments}
    placed = {row["code"]: homes[row["department_code"]] for row in doctors}
    sources = raw.doctors.get(doctors[0]["hospital_code"], []) if doctors else []
    for team, (_, members) in enumerate(groupby(sources, key=lambda source: source["subject_code"])):
        for source in members:
            home = placed[source["doctor_id"]]
            if home["online"] == "false":
                continue
            for offset, sitting in DOCTOR_WEEK[source["title"]]:
                weekday = (team + offset) % 7 + 1
                row = roster_row(home, campus, weekday, sitting, kind=source["clinic_type"], fee=source["fee_fen"])
                rows.append(row | {"doctor_code": source["doctor_id"]})
    return rows


def clinic_roster_rows(hospital: Row, departments: list[Row], campuses: list[Row], *, staffed: bool) -> list[Row]:
    """Clinics without a named doctor; a generated general clinic has one unless doctors were attached to it."""
    code = hospital["code"]
    general = () if staffed else ((GENERAL_CLINIC, WORKDAYS, CLINIC_MORNING),)
    fee = CLINIC_FEE_FEN.get(code[:2], USUAL_CLINIC_FEE_FEN)
    rows: list[Row] = []
    for name, weekdays, sitting in ORDINARY_CLINICS.get(code, general):
        department = next(row for row in departments if row["name"] == name)
        campus = campuses[1 if "(西院)" in name else 0]["code"]
        rows += [roster_row(department, campus, day, sitting, kind="GENERAL", fee=fee) for day in weekdays]
    return rows


def sample_tables(raw: Raw) -> dict[str, list[Row]]:
    tables: dict[str, list[Row]] = {name: [] for name in COLUMNS}
    for hospital in map(hospital_row, raw.hospitals):
        campuses = campus_rows(raw, hospital)
        departments = department_rows(raw, hospital)
        doctors = doctor_rows(raw, hospital, departments)
        tables["hospitals"].append(hospital)
        tables["campuses"] += campuses
        tables["departments"] += departments
        tables["doctors"] += doctors
        tables["rosters"] += clinic_roster_rows(hospital, departments, campuses, staffed=bool(doctors))
        tables["rosters"] += doctor_roster_rows(raw, doctors, departments, campuses[0]["code"])
    return tables


def region_rows(raw: Raw) -> list[Row]:
    """Codes in force and withdrawn; zones of the statistics office are no GB/T 2260 codes and stay out."""
    now = [row | {"start_year": "", "end_year": ""} for row in raw.regions_now if row["tag"] != "stat_zone"]
    unique = {
        (row["code"], row["end_year"].rpartition("-")[2] or "9999", row["start_year"], row["name"])
        for row in now + raw.regions_past
    }
    return [
        {"code": code, "name": name, "valid_from": first, "valid_to": last.replace("9999", "")}
        for code, last, first, name in sorted(unique)
    ]


def write_csv(path: Path, columns: str, rows: Iterable[Row]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", encoding="utf-8", newline="") as out:
        writer = csv.DictWriter(out, columns.split(","), lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("raw", type=Path, help="folder of the raw data files")
    parser.add_argument("--out", type=Path, default=Path(__file__).resolve().parent.parent / "data")
    wanted = parser.parse_args()
    raw = Raw(wanted.raw)
    for name, rows in sample_tables(raw).items():
        write_csv(wanted.out / "sample" / f"{name}.csv", COLUMNS[name], rows)
        print(f"{name}: {len(rows)} rows")
    regions = region_rows(raw)
    write_csv(wanted.out / "regions.csv", "code,name,valid_from,valid_to", regions)
    print(f"regions: {len(regions)} rows")
    policies = json.dumps(POLICIES, ensure_ascii=False, indent=2) + "\n"
    (wanted.out / "sample" / "policies.json").write_text(policies, encoding="utf-8")


if __name__ == "__main__":
    main()
