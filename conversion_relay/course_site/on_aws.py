"""The course site on AWS: registrations in DynamoDB, mail through SES, events into the queue."""

import os
from collections.abc import Iterator, Mapping
from decimal import Decimal
from functools import cache

import msgspec

from conversion_relay import Relay, Settings, SettingsError, configure_logging
from conversion_relay.aws import AwsCalls, AwsError, AwsUnreachable, SendFirst, read_secret
from conversion_relay.course_site.courses import COURSES, Course
from conversion_relay.course_site.dynamodb import DynamoRegistrations
from conversion_relay.course_site.ses import SesMail
from conversion_relay.course_site.shop import Shop, logger
from conversion_relay.course_site.site import CourseSite


def open_site(environ: Mapping[str, str] = os.environ) -> CourseSite:
    """What a function's environment describes; each function opens only what it uses."""
    calls = AwsCalls(environ)

    def read_settings() -> Settings:
        """What Secrets Manager holds may change while this process lives."""
        found = Settings.from_env(with_kept_secrets(environ, calls), required=("META_PIXEL_ID",))
        configure_logging(found.log_format, found.secrets())
        return found

    def read_again() -> dict[str, list[str]]:
        try:
            return _revealed(read_settings())
        except (AwsError, AwsUnreachable, SettingsError) as error:  # anybody can have us look, by a forged signature
            reason = str(error) if isinstance(error, SettingsError | AwsError) else type(error).__name__
            logger.error("The payment secrets could not be read anew: %s", reason, extra={"reason": reason})
            return {}

    settings = read_settings()
    direct = environ.get("DELIVERY_MODE") == "direct"
    outbox = SendFirst(settings, environ, calls) if direct else None  # else the settings name it
    shop = Shop(
        Relay(settings, outbox=outbox),
        DynamoRegistrations(calls, environ.get("REGISTRATIONS_TABLE", "")),
        SesMail(calls, environ.get("MAIL_FROM", ""), environ.get("MAIL_TO", "")),
        stripe_secrets=_revealed(settings).get("stripe", ()),
        read_secrets=read_again,
        courses=read_courses(environ.get("COURSES", "")),
    )
    return CourseSite(shop)


_secrets = msgspec.json.Decoder(dict[str, str])


def with_kept_secrets(environ: Mapping[str, str], calls: AwsCalls) -> dict[str, str]:
    """The environment, and what of it lies in Secrets Manager: Stripe's signing secret as it is, those of all providers
    as one JSON object by the names of their settings. Raises SettingsError, AwsError, AwsUnreachable."""
    found = dict(environ)
    if arn := environ.get("STRIPE_WEBHOOK_SECRET_ARN"):
        own = (environ.get("STRIPE_WEBHOOK_SECRET", ""), read_secret(calls, arn, "STRIPE_WEBHOOK_SECRET"))
        found["STRIPE_WEBHOOK_SECRET"] = ",".join(one for one in own if one)
    if arn := environ.get("PAYMENT_SECRETS_ARN"):
        try:
            found |= _secrets.decode(read_secret(calls, arn))
        except msgspec.MsgspecError:
            raise SettingsError('PAYMENT_SECRETS_ARN: the secret is not {"SHOPIFY_WEBHOOK_SECRET": "..."}') from None
    return found


def _revealed(settings: Settings) -> dict[str, list[str]]:
    return {provider: [one.reveal() for one in found] for provider, found in settings.webhook_secrets.items()}


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
