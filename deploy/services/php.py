"""PHP's SoapClient, a foreign client that the tests run against the SOAP door. No service."""

from __future__ import annotations

import shutil
import subprocess
from typing import Final

from deploy.services.service import PATH


class Php:
    """What test.sh asks of the services, too."""

    package: Final = "php-cli php-soap"  # of Debian and Ubuntu

    @classmethod
    def installed(cls) -> bool:
        php = shutil.which("php", path=PATH)
        if php is None:
            return False
        modules = subprocess.run([php, "-m"], capture_output=True, text=True, check=False)
        return "soap" in modules.stdout.split()
