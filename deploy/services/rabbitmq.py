"""A private RabbitMQ node."""

from __future__ import annotations

import secrets
import shutil
import signal
import socket
from pathlib import Path
from typing import Final

from deploy.services.ports import LOOPBACK, is_free
from deploy.services.process import wait_for
from deploy.services.service import PATH, Service, ServiceError, newest

PROTOCOL_HEADER: Final = b"AMQP\x00\x00\x09\x01"  # AMQP 0-9-1, section 4.2.2
METHOD_FRAME: Final = b"\x01"  # section 4.2.3


class RabbitMQ(Service):
    """A single node with an Erlang port mapper (epmd) of its own; user guest, loopback only."""

    name = "RabbitMQ"
    package = "rabbitmq-server"
    port_names = ("amqp", "dist", "epmd")
    stop_signal = signal.SIGTERM

    @classmethod
    def installed(cls) -> bool:
        return cls._find("rabbitmq-server") is not None and bool(shutil.which("epmd", path=PATH))

    @property
    def url(self) -> str:
        return f"amqp://guest:guest@{LOOPBACK}:{self.ports['amqp']}/"

    def stop_app(self) -> None:
        """Stop serving clients; the Erlang machine stays up."""
        self.ctl("stop_app")

    def start_app(self) -> None:
        self.ctl("start_app")
        self._await_ready()

    def ctl(self, *arguments: str) -> str:
        """Run rabbitmqctl against this node and return what it printed (takes about 1 s)."""
        command = [self._script("rabbitmqctl"), "--quiet", *arguments]
        return self._run(command, self._environment())

    @staticmethod
    def _find(name: str) -> Path | None:
        """The upstream script: the distribution's wrapper runs only as root or user rabbitmq."""
        return newest(
            f"usr/lib/rabbitmq/lib/rabbitmq_server-*/sbin/{name}", f"opt/rabbitmq*/sbin/{name}"
        )

    @classmethod
    def _script(cls, name: str) -> str:
        script = cls._find(name)
        if script is None:
            raise ServiceError(f"This RabbitMQ came without its {name}: install it anew.")
        return str(script)

    def _launch(self) -> None:
        self._write_configuration()
        port = self.ports["epmd"]
        self._spawn("epmd", ["epmd", "-address", LOOPBACK, "-port", str(port)], {})
        wait_for(lambda: not is_free(port), 10)  # else the node would start one that outlives it
        self._spawn("main", [self._script("rabbitmq-server")], self._environment())

    def _write_configuration(self) -> None:
        home = self.folder / "home"
        (home / "conf.d").mkdir(parents=True, exist_ok=True)
        cookie = home / ".erlang.cookie"
        if not cookie.exists():
            cookie.touch(mode=0o600)
            cookie.write_text(secrets.token_hex(16), "ascii")
            cookie.chmod(0o400)  # Erlang refuses one that others may read
        listener = f"listeners.tcp.1 = {LOOPBACK}:{self.ports['amqp']}\n"
        (home / "rabbitmq.conf").write_text(listener, "ascii")
        (home / "enabled_plugins").write_text("[].\n", "ascii")

    def _environment(self) -> dict[str, str]:
        """Everything a node could share with another one is set; no file of /etc is read."""
        home = self.folder / "home"
        loopback = "-kernel inet_dist_use_interface {127,0,0,1}"
        return {
            "HOME": str(home),
            "ERL_EPMD_ADDRESS": LOOPBACK,
            "ERL_EPMD_PORT": str(self.ports["epmd"]),
            "RABBITMQ_CONF_ENV_FILE": "/dev/null",
            "RABBITMQ_NODENAME": "lgsp@localhost",
            "RABBITMQ_DIST_PORT": str(self.ports["dist"]),
            "RABBITMQ_CONFIG_FILE": str(home / "rabbitmq.conf"),
            "RABBITMQ_CONFIG_FILES": str(home / "conf.d"),
            "RABBITMQ_ENABLED_PLUGINS_FILE": str(home / "enabled_plugins"),
            "RABBITMQ_MNESIA_BASE": str(self.folder / "data"),
            "RABBITMQ_LOG_BASE": str(self.folder / "log"),
            "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS": loopback,
            "RABBITMQ_CTL_ERL_ARGS": loopback,
            "RABBITMQ_CTL_DIST_PORT_MIN": "0",  # any: several rabbitmqctl may run at once
            "RABBITMQ_CTL_DIST_PORT_MAX": "0",
            "RUNNING_UNDER_SYSTEMD": "true",  # the script becomes the node: one pid, no wrapper
        }

    def _ready(self) -> bool:
        """It answers a client's protocol header; listeners are the last thing a boot opens."""
        try:
            with socket.create_connection((LOOPBACK, self.ports["amqp"]), timeout=2) as client:
                client.sendall(PROTOCOL_HEADER)
                return client.recv(1) == METHOD_FRAME
        except OSError:
            return False
