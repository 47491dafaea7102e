"""A PostgreSQL server for the tests: real, private, gone afterwards.

Lives in a temporary folder, listens on a Unix socket there and nowhere else, and
keeps its default durability. Runs as user `postgres` when the tests run as root,
because PostgreSQL refuses to run as root.
"""

from __future__ import annotations

import contextlib
import os
import pwd
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import psycopg
from psycopg import sql

PROGRAMS = ("initdb", "pg_ctl", "postgres")
SUPERUSER = "postgres"


class ServerMissing(Exception):
    """Raised when this machine cannot run a server; says what is missing."""


@dataclass(frozen=True, slots=True)
class PostgresqlServer:
    """A running server."""

    programs: Path
    folder: Path
    user: str | None

    def address(self, database: str) -> str:
        """Gives the address of a database as `open_store` takes it."""
        return f"postgresql+psycopg://{SUPERUSER}@/{database}?host={self.folder}"

    def create(self, database: str) -> None:
        """Creates an empty database."""
        self._execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(database)))

    def disconnect_all(self, database: str) -> None:
        """Ends every connection to a database, as a failover would, and waits for it."""
        self._execute(
            sql.SQL(
                "SELECT pg_terminate_backend(pid, 10000) FROM pg_stat_activity WHERE datname = {}"
            ).format(sql.Literal(database))
        )

    def start(self) -> None:
        """Starts the server and waits until it answers."""
        options = f"-c listen_addresses='' -c unix_socket_directories='{self.folder}'"
        log = self.folder / "log"
        self._run("pg_ctl", "start", "-w", "-l", str(log), "-o", options)

    def stop(self) -> None:
        """Stops the server; open connections break."""
        self._run("pg_ctl", "stop", "-w", "-m", "immediate")

    def initialise(self) -> None:
        """Makes the folder's cluster."""
        self._run(
            "initdb", "--no-sync", "-A", "trust", "-U", SUPERUSER, "-E", "UTF8", "--no-locale"
        )

    def _execute(self, statement: sql.Composed) -> None:
        connection = psycopg.connect(
            host=str(self.folder), user=SUPERUSER, dbname="postgres", autocommit=True
        )
        with contextlib.closing(connection):
            connection.execute(statement)

    def _run(self, program: str, *arguments: str) -> None:
        completed = subprocess.run(
            [self.programs / program, "-D", self.folder / "data", *arguments],
            cwd=self.folder,
            user=self.user,
            group=self.user,
            extra_groups=None if self.user is None else [],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
            check=False,
        )
        if completed.returncode != 0:
            raise RuntimeError(f"{program} failed: {completed.stderr}")


@contextlib.contextmanager
def running_server() -> Iterator[PostgresqlServer]:
    """Runs a server for as long as the block; `ServerMissing` when it cannot."""
    programs, user = find_programs(), _user()
    # Not below pytest's folder: its parents are closed to other users.
    folder = Path(tempfile.mkdtemp(prefix="pitcanary-postgresql-"))
    server = PostgresqlServer(programs, folder, user)
    try:
        if user is not None:
            shutil.chown(folder, user)
        server.initialise()
        server.start()
        try:
            yield server
        finally:
            server.stop()
    finally:
        shutil.rmtree(folder)


def find_programs() -> Path:
    """Finds the folder of the server's programs; `ServerMissing`."""
    candidates = sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)
    in_path = shutil.which("initdb")
    if in_path is not None:
        candidates.insert(0, Path(in_path).resolve().parent)
    for folder in candidates:
        if all(os.access(folder / program, os.X_OK) for program in PROGRAMS):
            return folder
    raise ServerMissing(
        "PostgreSQL's server is not installed (no initdb, pg_ctl and postgres in PATH or"
        " /usr/lib/postgresql/*/bin); run scripts/ensure-postgresql.sh"
    )


def _user() -> str | None:
    if os.geteuid() != 0:
        return None
    with contextlib.suppress(KeyError):
        return pwd.getpwnam(SUPERUSER).pw_name
    raise ServerMissing(f"the tests run as root and there is no user `{SUPERUSER}` to run a server")
