"""A private PostgreSQL server for the tests: where one is installed, it runs in a temporary folder on a unix socket."""

import os
import pwd
import shutil
import signal
import subprocess
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import psycopg

_QUICK = {
    "fsync": "off",
    "full_page_writes": "off",
    "listen_addresses": "",
    "max_connections": "60",
    "shared_buffers": "128MB",
}

_INIT = ("-A", "trust", "-E", "UTF8", "--locale=C.UTF-8", "--no-sync")


def binaries() -> Path | None:
    """The folder of initdb and postgres: of PATH, else the newest of Debian's."""
    found = shutil.which("initdb")
    if found and (Path(found).resolve().parent / "postgres").exists():
        return Path(found).resolve().parent
    versions = sorted(Path("/usr/lib/postgresql").glob("*/bin/postgres"), key=lambda p: int(p.parts[-3]))
    return versions[-1].parent if versions else None


class Server:
    """One server; `fresh()` gives the URL of a new empty database in it."""

    def __init__(self, url: str = "") -> None:
        self.url = url
        self._process: subprocess.Popen[bytes] | None = None
        self._command: list[str | Path] = []
        self._launcher = ThreadPoolExecutor(1)  # the server ends with the thread that started it
        self._folder: Path | None = None
        self._made = 0

    def start(self, bin_dir: Path) -> None:
        self._folder = Path(tempfile.mkdtemp(prefix="pg-", dir="/tmp"))
        as_owner = self._owned_by_another() if os.geteuid() == 0 else []
        data = self._folder / "data"
        subprocess.run(
            [*as_owner, bin_dir / "initdb", "-D", data, "-U", "tests", *_INIT],
            check=True,
            capture_output=True,
            cwd=self._folder,
        )
        options = [word for key, value in _QUICK.items() for word in ("-c", f"{key}={value}")]
        self._command = [*as_owner, bin_dir / "postgres", "-D", data, "-k", self._folder, *options]
        self.url = f"postgresql://tests@/postgres?host={self._folder}"
        self.again()

    def again(self) -> None:
        """Run it, for the first time or after a crash."""
        self._launcher.submit(self._launch).result()

    def _launch(self) -> None:
        with (self._folder / "log").open("ab") as log:
            self._process = subprocess.Popen(
                self._command, stdout=log, stderr=log, cwd=self._folder, start_new_session=True
            )
        self._await()

    def crash(self) -> None:
        """An immediate stop: nothing is finished, the next start recovers."""
        self._process.send_signal(signal.SIGQUIT)
        self._process.wait(30)

    @property
    def socket(self) -> Path:
        """Where it listens."""
        return self._folder / ".s.PGSQL.5432"

    def _owned_by_another(self) -> list[str]:
        """PostgreSQL refuses to run as root. It ends with us: the signal is for our death."""
        names = {entry.pw_name for entry in pwd.getpwall()}
        owner = pwd.getpwnam("postgres" if "postgres" in names else "nobody")
        os.chown(self._folder, owner.pw_uid, owner.pw_gid)
        ids = [f"--reuid={owner.pw_uid}", f"--regid={owner.pw_gid}", "--clear-groups"]
        return ["setpriv", *ids, "--pdeathsig=QUIT"]

    def _await(self) -> None:
        end = time.monotonic() + 30
        while True:
            try:
                psycopg.connect(self.url, connect_timeout=5).close()
                return
            except psycopg.OperationalError:
                if time.monotonic() > end or self._process.poll() is not None:
                    raise
                time.sleep(0.05)

    def fresh(self) -> str:
        """The URL of a new empty database."""
        self._made += 1
        name = f"t{os.getpid()}_{self._made}"
        with psycopg.connect(self.url, autocommit=True) as admin:
            admin.execute(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')
            admin.execute(f'CREATE DATABASE "{name}" TEMPLATE template0')
        head, _, query = self.url.partition("?")
        return head.rpartition("/")[0] + f"/{name}" + (f"?{query}" if query else "")

    def drop(self, url: str) -> None:
        name = url.partition("?")[0].rpartition("/")[2]
        with psycopg.connect(self.url, autocommit=True) as admin:
            admin.execute(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')

    def stop(self) -> None:
        if self._process:
            self._process.terminate()
            self._process.wait(20)
        self._launcher.shutdown()
        if self._folder:
            shutil.rmtree(self._folder, ignore_errors=True)
