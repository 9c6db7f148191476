"""`python -m migrations upgrade|downgrade REVISION|check|sql [--url URL]`; the address defaults to DATABASE_URL."""

from __future__ import annotations

import argparse
import os
import sys

from migrations import current, downgrade, head, upgrade, upgrade_sql
from models.database import Database


def main() -> int:
    """The exit code: 0, or 1 where `check` finds the database elsewhere than at the newest revision."""
    parser = argparse.ArgumentParser(prog="python -m migrations", description=__doc__)
    parser.add_argument("--url", default=os.environ.get("DATABASE_URL"), help="default: DATABASE_URL")
    acts = parser.add_subparsers(dest="act", required=True)
    acts.add_parser("upgrade", help="to the newest revision")
    acts.add_parser("downgrade", help="back to a revision").add_argument("revision", help="or: base")
    acts.add_parser("check", help="say where the database stands")
    acts.add_parser("sql", help="print what upgrade would send to an empty database")
    arguments = parser.parse_args()
    if not arguments.url:
        parser.error("give --url or set DATABASE_URL")
    if arguments.act == "check":
        return _check(arguments.url)
    if arguments.act == "sql":
        sys.stdout.write(upgrade_sql(arguments.url))
    elif arguments.act == "upgrade":
        upgrade(arguments.url)
    else:
        downgrade(arguments.url, arguments.revision)
    return 0


def _check(url: str) -> int:
    database = Database(url)
    stands = current(database.engine)
    database.close()
    sys.stdout.write(f"database: {stands or 'empty'}, code: {head()}\n")
    return 0 if stands == head() else 1


if __name__ == "__main__":
    sys.exit(main())
