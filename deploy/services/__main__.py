"""`python -m deploy.services rabbitmq|postgres start|stop DIR`, from the project's folder."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from deploy.services import PostgreSQL, RabbitMQ, ServiceError


def main() -> int:
    parser = argparse.ArgumentParser(
        prog="deploy.services", description="A private RabbitMQ or PostgreSQL in a folder."
    )
    parser.add_argument("service", choices=["rabbitmq", "postgres"])
    parser.add_argument("action", choices=["start", "stop"])
    parser.add_argument("folder", type=Path, metavar="DIR")
    given = parser.parse_args()
    kind = RabbitMQ if given.service == "rabbitmq" else PostgreSQL
    service = kind(given.folder, ends_with_us=False)
    try:
        if given.action == "start":
            service.start()
            print(service.url)
        else:
            service.stop()
    except ServiceError as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
