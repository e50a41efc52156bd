"""The course site on AWS: registrations in DynamoDB, mail through SES, events into the queue."""

import os
from collections.abc import Iterator, Mapping
from decimal import Decimal
from functools import cache

import msgspec

from conversion_relay import Relay, Settings, SettingsError, configure_logging
from conversion_relay.aws import AwsCalls, SendFirst, read_secret
from conversion_relay.course_site.courses import COURSES, Course
from conversion_relay.course_site.dynamodb import DynamoRegistrations
from conversion_relay.course_site.ses import SesMail
from conversion_relay.course_site.shop import Shop
from conversion_relay.course_site.site import CourseSite


def open_site(environ: Mapping[str, str] = os.environ) -> CourseSite:
    """What a function's environment describes; each function opens only what it uses."""
    settings = Settings.from_env(environ, required=("META_PIXEL_ID",))
    calls = AwsCalls(environ)
    direct = environ.get("DELIVERY_MODE") == "direct"
    outbox = SendFirst(settings, environ, calls) if direct else None  # else the settings name it
    of_environment = [secret.reveal() for secret in settings.webhook_secrets.get("stripe", ())]

    def read_stripe_secrets() -> list[str]:
        """Those of Secrets Manager may change while this process lives."""
        arn = environ.get("STRIPE_WEBHOOK_SECRET_ARN")
        kept = read_secret(calls, arn) if arn else ""
        found = [*of_environment, *(part.strip() for part in kept.split(",") if part.strip())]
        configure_logging(settings.log_format, [*settings.secrets(), *found])
        return found

    stripe_secrets = read_stripe_secrets()
    shop = Shop(
        Relay(settings, outbox=outbox),
        DynamoRegistrations(calls, environ.get("REGISTRATIONS_TABLE", "")),
        SesMail(calls, environ.get("MAIL_FROM", ""), environ.get("MAIL_TO", "")),
        stripe_secrets=stripe_secrets,
        read_stripe_secrets=read_stripe_secrets,
        courses=read_courses(environ.get("COURSES", "")),
    )
    return CourseSite(shop)


@cache
def the_site() -> CourseSite:
    """The site of this process: opened by the first request, kept for those that follow."""
    return open_site()


class AnyCourse(Mapping[str, Course]):
    """Every id names a course. For a deployment without COURSES: its pages know the courses, its functions need not."""

    def __getitem__(self, course_id: str) -> Course:
        return Course(
            id=course_id, title=course_id, category="course", summary="", lessons=(), price=Decimal(0), currency="USD"
        )

    def __iter__(self) -> Iterator[str]:
        return iter(())

    def __len__(self) -> int:
        return 0


def read_courses(text: str) -> Mapping[str, Course]:
    """`{"id": {"title", "category"}}`; empty: any id."""
    if not text:
        return AnyCourse()
    try:
        given = _courses_decoder.decode(text)
    except msgspec.MsgspecError:
        raise SettingsError('COURSES: expected {"id": {"title": "...", "category": "..."}}') from None
    some = next(iter(COURSES.values()))
    return {
        course_id: msgspec.structs.replace(
            some, id=course_id, title=course.get("title", course_id), category=course.get("category", "course")
        )
        for course_id, course in given.items()
    }


_courses_decoder = msgspec.json.Decoder(dict[str, dict[str, str]])
