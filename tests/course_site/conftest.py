import pytest

from conversion_relay import Relay, Settings
from conversion_relay.course_site.mail import FileMail
from conversion_relay.course_site.registrations import SqliteRegistrations
from conversion_relay.course_site.shop import Shop
from conversion_relay.course_site.site import CourseSite
from tests.course_site.shop import DATASET, NOW, SECRET


@pytest.fixture
def environment(tmp_path) -> dict[str, str]:
    return {
        "META_PIXEL_ID": DATASET,
        "META_ACCESS_TOKEN": "EAAcanary",
        "RELAY_OUTBOX": f"sqlite:///{tmp_path}/outbox.db",
        "RELAY_ALLOWED_ORIGINS": "https://courses.example",
    }


@pytest.fixture
def site(tmp_path, environment):
    with Relay(Settings.from_env(environment), clock=lambda: NOW) as relay:
        registrations = SqliteRegistrations(tmp_path / "registrations.db")
        mail = FileMail(tmp_path / "mail")
        yield CourseSite(Shop(relay, registrations, mail, stripe_secrets=[SECRET], clock=lambda: NOW))
