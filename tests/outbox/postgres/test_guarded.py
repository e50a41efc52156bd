"""A server as a cloud runs it: over TLS alone, with passwords that change."""

import shutil

import pytest

from conversion_relay.errors import SettingsError
from conversion_relay.outbox.postgres.outbox import PostgresOutbox
from tests.outbox.postgres.server import CHEAP, Server, needs_postgres
from tests.outbox.suite import NOW, claim, sealed
from tests.processes import free_port
from tests.production import NAME, certificate

pytestmark = [needs_postgres, pytest.mark.xdist_group("postgres")]


@pytest.fixture
def guarded(tmp_path):
    """A server that asks for a password, over TLS alone, with a certificate that a company signed by itself."""
    certificate(tmp_path)
    server = Server(port=free_port(), settings={**CHEAP, "ssl": "on"})
    for source, name in (("tls.crt", "server.crt"), ("tls.key", "server.key")):
        shutil.copy(tmp_path / source, server.data / name)
        (server.data / name).chmod(0o600)
        shutil.chown(server.data / name, server.data.owner())
    (server.data / "pg_hba.conf").write_text("local all postgres trust\nhostssl all relay 127.0.0.1/32 scram-sha-256\n")
    server.start()
    server.execute("CREATE ROLE relay LOGIN PASSWORD 'first'")
    server.execute("CREATE DATABASE relay OWNER relay")
    yield server
    server.remove()


def test_a_password_in_a_file_is_read_anew_for_each_connection(guarded, tmp_path):
    """RDS's tokens end after a quarter of an hour, and a secret may be rotated; docs/postgres.md says how."""
    file = tmp_path / "pgpass"
    file.touch(0o600)
    file.write_text("*:*:*:*:first\n")
    url = f"postgresql://relay@127.0.0.1:{guarded.port}/relay?sslmode=require&passfile={file}"
    outbox = PostgresOutbox(url)
    outbox.put([sealed("a")], NOW)
    guarded.execute("ALTER ROLE relay PASSWORD 'second'")
    guarded.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'relay'")
    file.write_text("*:*:*:*:second\n")
    outbox.put([sealed("b")], NOW)
    assert len(claim(outbox).events) == 2
    outbox.close()


def test_whose_server_it_is_is_asked_by_the_file_of_certificates_that_the_page_names(guarded, tmp_path, monkeypatch):
    """psycopg's wheel brings an OpenSSL that knows no certificates of the machine, so `system` finds none."""
    at = f"postgresql://relay:first@{NAME}:{guarded.port}/relay?hostaddr=127.0.0.1&sslmode=verify-full&sslrootcert="
    monkeypatch.delenv("SSL_CERT_FILE", raising=False)
    PostgresOutbox(f"{at}{tmp_path}/ca.crt").close()
    with pytest.raises(SettingsError, match="do not agree on TLS, or on a certificate"):
        PostgresOutbox(f"{at}system")
    monkeypatch.setenv("SSL_CERT_FILE", f"{tmp_path}/ca.crt")
    PostgresOutbox(f"{at}system").close()
