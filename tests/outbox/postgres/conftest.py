import pytest


@pytest.fixture
def outbox():
    from conversion_relay.outbox.postgres.outbox import PostgresOutbox  # where the server's programs are
    from tests.outbox.postgres.backend import url_of

    outbox = PostgresOutbox(url_of("s0"))
    yield outbox
    outbox.close()
