"""The chat, served by the `qa` script."""

import os
import re
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path

SCRIPT = str(Path(sys.executable).with_name("qa"))


@contextmanager
def chat_served(home, *arguments, **environ):
    """Runs `qa serve` on a free port until left; gives its address."""
    environment = os.environ | {"QA_HOME": str(home), "PYTHONUNBUFFERED": "1"} | environ
    command = [SCRIPT, "serve", "--port", "0", *arguments]
    with (home.parent / "serve.log").open("w+") as log:
        process = subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=log, text=True)
        try:
            lines = iter(process.stdout.readline, "")
            found = next((match for line in lines if (match := re.match(r"The chat is at (http://\S+)/ ", line))), None)
            log.seek(0)
            assert found, log.read()
            yield found.group(1)
            log.seek(0)
            assert "Traceback" not in (said := log.read()), said
        finally:
            process.terminate()
            process.wait(timeout=20)
            process.stdout.close()
