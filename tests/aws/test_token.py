"""Where the access token comes from, and when it is read again."""

import pytest

from conversion_relay import Settings, SettingsError
from conversion_relay.aws import AwsError, AwsUnreachable, TokenSource, read_secret

PIXEL = {"META_PIXEL_ID": "1"}
SECRET, PARAMETER = {"META_ACCESS_TOKEN_SECRET_ARN": "arn"}, {"META_ACCESS_TOKEN_PARAMETER": "/relay/token"}


class Aws:
    """Answers as Secrets Manager and SSM do. `said` by service; an exception is raised."""

    def __init__(self, **said: object) -> None:
        self.said, self.asked = said, []

    def call(self, service, target, body, *, version="1.0"):
        self.asked.append((service, target, body, version))
        answer = self.said[service]
        if isinstance(answer, Exception):
            raise answer
        return answer


def token_of(aws: Aws, *environments: dict[str, str], clock=lambda: 0.0) -> str:
    environment = PIXEL.copy()
    for more in environments:
        environment |= more
    settings = Settings.from_env(PIXEL, required=("META_PIXEL_ID",))
    (dataset,) = TokenSource(environment, aws, clock).into(settings).datasets
    return dataset.access_token.reveal()


BOTH = {"secretsmanager": {"SecretString": " EAAsecret\n"}, "ssm": {"Parameter": {"Value": "EAAparameter"}}}


@pytest.mark.parametrize(
    ("environments", "token", "asked"),
    [
        ([{"META_ACCESS_TOKEN": "EAAplain"}, SECRET, PARAMETER], "EAAplain", []),
        ([SECRET, PARAMETER], "EAAsecret", ["secretsmanager"]),
        ([PARAMETER], "EAAparameter", ["ssm"]),
        ([{"META_ACCESS_TOKEN": ""}, PARAMETER], "EAAparameter", ["ssm"]),
    ],
)
def test_the_nearest_source_wins(environments, token, asked):
    aws = Aws(**BOTH)
    assert token_of(aws, *environments) == token
    assert [service for service, *_ in aws.asked] == asked


def test_a_parameter_is_asked_for_in_clear():
    aws = Aws(**BOTH)
    token_of(aws, PARAMETER)
    assert aws.asked[0][2] == {"Name": "/relay/token", "WithDecryption": True}


@pytest.mark.parametrize(
    ("said", "environment"),
    [
        ({"SecretString": ""}, SECRET),
        ({"SecretString": None}, SECRET),
        ({}, SECRET),
        ({"Parameter": {}}, PARAMETER),
        ({"Parameter": {"Value": "  "}}, PARAMETER),
        ({}, PARAMETER),
        ({}, {}),
    ],
)
def test_where_there_is_no_token_the_setting_is_named(said, environment):
    with pytest.raises(SettingsError, match="META_ACCESS_TOKEN"):
        token_of(Aws(secretsmanager=said, ssm=said), environment)


@pytest.mark.parametrize("error", [AwsError("AccessDeniedException", 400), AwsUnreachable("secretsmanager")])
def test_a_secret_that_cannot_be_read_is_an_error_of_aws(error):
    with pytest.raises(type(error)):
        token_of(Aws(secretsmanager=error), SECRET)


@pytest.mark.parametrize(
    ("environment", "app_secret"),
    [
        ({}, ""),
        ({"META_APP_SECRET": "plain "}, "plain"),
        ({"META_APP_SECRET_ARN": "arn:app"}, "EAAsecret"),
        ({"META_APP_SECRET_PARAMETER": "/relay/app"}, "EAAparameter"),
    ],
)
def test_the_secret_of_the_tokens_app_comes_from_the_same_places(environment, app_secret):
    settings = Settings.from_env(PIXEL, required=("META_PIXEL_ID",))
    (dataset,) = (
        TokenSource({"META_ACCESS_TOKEN": "EAA"} | environment, Aws(**BOTH), lambda: 0.0).into(settings).datasets
    )
    assert dataset.app_secret.reveal() == app_secret


def test_it_is_kept_for_five_minutes_and_read_again_when_meta_refuses_it():
    now = [0.0]
    aws = Aws(**BOTH)
    source = TokenSource(PIXEL | SECRET, aws, lambda: now[0])
    settings = Settings.from_env(PIXEL, required=("META_PIXEL_ID",))
    for now[0], reads in ((0, 1), (299, 1), (301, 2), (302, 2)):
        source.into(settings)
        assert len(aws.asked) == reads
    source.forget()
    source.into(settings)
    assert len(aws.asked) == 3


@pytest.mark.parametrize("error", [AwsError("ThrottlingException", 400), AwsUnreachable("secretsmanager")])
def test_a_token_that_cannot_be_read_anew_is_used_until_meta_refuses_it(error):
    """Else a minute of throttling makes every event wait for a quarter of an hour, with a good token at hand."""
    now = [0.0]
    aws = Aws(**BOTH)
    source = TokenSource(PIXEL | SECRET, aws, lambda: now[0])
    settings = Settings.from_env(PIXEL, required=("META_PIXEL_ID",))
    source.into(settings)
    now[0], aws.said = 301, {"secretsmanager": error}
    (dataset,) = source.into(settings).datasets
    assert dataset.access_token.reveal() == "EAAsecret"
    source.forget()
    with pytest.raises(type(error)):
        source.into(settings)


@pytest.mark.parametrize(
    "kept",
    [
        {"SecretString": '{"META_ACCESS_TOKEN": "EAAx"}'},
        {"SecretString": '{"meta-access-token":"EAAx","app":"a"}'},
        {"SecretString": '{"token": " EAAx "}'},
        {"SecretString": '"EAAx"'},
        {"SecretBinary": "RUFBeAo="},
    ],
)
def test_a_secret_is_understood_as_people_keep_it(kept):
    """AWS's console offers keys and values first; the whole JSON would go to Meta as the token."""
    assert token_of(Aws(secretsmanager=kept), SECRET) == "EAAx"
    parameter = {"Parameter": {"Value": kept.get("SecretString", "EAAx")}}
    assert token_of(Aws(ssm=parameter), PARAMETER) == "EAAx"


@pytest.mark.parametrize(
    "kept",
    [
        {"SecretString": '{"a": "EAAx", "b": "EAAy"}'},
        {"SecretString": '{"META_ACCESS_TOKEN": 5}'},
        {"SecretString": '{"META_ACCESS_TOKEN": {"a": "EAAx"}}'},
        {"SecretString": '{"META_ACCESS_TOKEN": "EAAx"'},
        {"SecretString": '{"a":' + "[" * 10_000},
        {"SecretString": "EAAx EAAy"},
        {"SecretString": "EAAx\u200b"},
        {"SecretBinary": "/w=="},
        AwsError("ResourceNotFoundException", 400),
    ],
)
def test_a_secret_that_holds_no_one_token_is_named_and_not_shown(kept):
    with pytest.raises(SettingsError, match="META_ACCESS_TOKEN: ") as wrong:
        token_of(Aws(secretsmanager=kept), SECRET)
    assert "EAAx" not in str(wrong.value)


def test_only_the_first_dataset_gets_it(tmp_path):
    config = tmp_path / "relay.toml"
    config.write_text(
        '[[dataset]]\nMETA_PIXEL_ID = "1"\n[[dataset]]\nMETA_PIXEL_ID = "2"\nMETA_ACCESS_TOKEN = "EAAtwo"\n'
    )
    settings = Settings.from_env({"RELAY_CONFIG": str(config), **SECRET})
    datasets = TokenSource({"META_ACCESS_TOKEN": "EAAone"}, Aws(), lambda: 0.0).into(settings).datasets
    assert [dataset.access_token.reveal() for dataset in datasets] == ["EAAone", "EAAtwo"]


def test_no_token_shows_in_what_is_printed():
    settings = Settings.from_env(PIXEL, required=("META_PIXEL_ID",))
    assert "EAAsecret" not in repr(TokenSource(PIXEL | SECRET, Aws(**BOTH), lambda: 0.0).into(settings))


def test_a_secret_is_trimmed():
    assert read_secret(Aws(**BOTH), "arn") == "EAAsecret"
