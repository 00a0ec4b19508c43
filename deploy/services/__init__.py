"""A RabbitMQ node and a PostgreSQL cluster of our own, for the demo and the tests.

Each lives in one folder (data, log, ports, pids), listens on loopback ports that were free, and
disturbs neither another copy of this project nor the machine's own services on their usual ports.
Linux only (processes are followed through /proc); nothing but the standard library is needed.

    python -m deploy.services rabbitmq start DIR    prints the URL once the node serves clients
    python -m deploy.services postgres stop DIR

Started from Python, a service ends with the process that started it, even by `kill -9`, where
util-linux's `setpriv` exists; started from the command line it stays until `stop`.
"""

from __future__ import annotations

from deploy.services.chromium import Chromium
from deploy.services.php import Php
from deploy.services.postgres import PostgreSQL
from deploy.services.rabbitmq import RabbitMQ
from deploy.services.service import Service, ServiceError

__all__ = ["Chromium", "Php", "PostgreSQL", "RabbitMQ", "Service", "ServiceError"]
