"""The TOML file and the names in the environment: what is misspelt, misplaced or incomplete is told by name."""

import logging
import math
import re
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import conversion_relay
from conversion_relay.errors import SettingsError
from conversion_relay.settings import Settings, misspelt
from conversion_relay.settings.file import files_behind, read_file
from conversion_relay.settings.misspelt import refuse_misspelt
from conversion_relay.settings.names import ENVIRONMENT_ONLY, OF_A_DATASET, OF_ALL

ONE = '[[dataset]]\nMETA_PIXEL_ID = "1"\nMETA_ACCESS_TOKEN = "EAAone"\n'


@pytest.fixture
def file(tmp_path):
    return tmp_path / "relay.toml"


def read(file, text: str):
    file.write_text(text, "utf-8")
    return Settings.from_env({"RELAY_CONFIG": str(file)})


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ('META_PIXL_ID = "1"', "META_PIXL_ID: there is no such setting; META_PIXEL_ID is the nearest one"),
        ('meta_pixel_id = "1"', "meta_pixel_id: there is no such setting; META_PIXEL_ID is the nearest one"),
        ('RELAY_CONSNET = "send"', "RELAY_CONSNET: there is no such setting; RELAY_CONSENT is the nearest one"),
        ('colour = "red"', "colour: there is no such setting, and none with a name like it; take it out"),
        ('RELAY_CONFIG = "x"', "RELAY_CONFIG: it belongs into the environment, not into the file"),
        ("[server]\nport = 1", "server: there is no such section; write [[dataset]], in two brackets"),
        ("[[shop]]\nport = 1", "shop: there is no such section; write [[dataset]]"),
        ('[[datasets]]\nMETA_PIXEL_ID = "1"', "datasets: there is no such section; write [[dataset]]"),
        ('[[Dataset]]\nMETA_PIXEL_ID = "1"', "Dataset: there is no such section; write [[dataset]]"),
        ('[dataset]\nMETA_PIXEL_ID = "1"', "dataset: write [[dataset]], in two brackets"),
        ('dataset = "1"', "dataset: write [[dataset]]"),
        ("dataset = []", "dataset: write [[dataset]]"),
        ('dataset = ["1"]', "dataset: write [[dataset]]"),
        ("[[dataset]]", "[[dataset]] 1: META_PIXEL_ID and META_ACCESS_TOKEN missing"),
        (ONE + '[[dataset]]\nMETA_PIXEL_ID = "2"', "[[dataset]] 2: META_ACCESS_TOKEN missing"),
        (ONE + '[[dataset]]\nMETA_ACCESS_TOKEN = "EAAtwo"', "[[dataset]] 2: META_PIXEL_ID missing"),
        (ONE + '[[dataset]]\nMETA_PIXEL_ID = ""\nMETA_ACCESS_TOKEN = "EAAtwo"', "[[dataset]] 2: META_PIXEL_ID missing"),
        (
            ONE + '[[dataset]]\nMETA_PIXEL_ID = 1\nMETA_ACCESS_TOKEN = "EAAtwo"',
            "[[dataset]] 2: META_PIXEL_ID: it is that",
        ),
        (ONE + 'RELAY_API_KEY = "k"', "[[dataset]] 1: RELAY_API_KEY: there is no such setting; RELAY_API_KEYS is the"),
        (ONE + 'RELAY_NOTIFY = "x"', "[[dataset]] 1: RELAY_NOTIFY: it is of all datasets: write it at the top"),
        (ONE + "[dataset.x]\na = 1", "[[dataset]] 1: x: there is no such section"),
        ('META_ACCESS_TOKEN = "EAA"\n' + ONE, "META_ACCESS_TOKEN: with [[dataset]] tables it belongs into one of them"),
        ("META_ACCESS_TOKEN = true", "META_ACCESS_TOKEN: expected a text in quotes"),
        ("META_ACCESS_TOKEN = 5", "META_ACCESS_TOKEN: expected a text in quotes"),
        ("META_ACCESS_TOKEN = 2026-11-26", "META_ACCESS_TOKEN: expected a text in quotes"),
        ('META_ACCESS_TOKEN = ["EAA"]', "META_ACCESS_TOKEN: expected a text in quotes"),
        ('META_ACCESS_TOKEN = "EAA\\nx"', "META_ACCESS_TOKEN: it holds a line break"),
        ('META_ACCESS_TOKEN_FILE = "\\u0000"', "META_ACCESS_TOKEN_FILE: it holds a line break"),
        ("META_PIXEL_ID = 1.5", "META_PIXEL_ID: a whole number"),
        ("META_PIXEL_ID = true", "META_PIXEL_ID: expected a whole number"),
        (f"META_PIXEL_ID = 0x{'f' * 9_000}", "META_PIXEL_ID: a whole number of up to 20 digits"),
        (f"META_PIXEL_ID = {'9' * 9_000}", "RELAY_CONFIG: not valid TOML"),
        ("RELAY_MOST_CALLS = [1]", "RELAY_MOST_CALLS: expected a whole number"),
        ("RELAY_VARIANTS = 1", "RELAY_VARIANTS: expected true or false"),
        ("RELAY_API_KEYS = [1]", "RELAY_API_KEYS: a list of texts"),
        ('RELAY_API_KEYS = ["a,b"]', "RELAY_API_KEYS: a list of texts, each with one value and no comma"),
        ("RELAY_API_KEYS = 1", "RELAY_API_KEYS: expected a text or a list of texts"),
        ("RELAY_CONSENT = {a = 1}", "RELAY_CONSENT: expected a text in quotes"),
        ("RELAY_X = " + "[" * 5_000, "RELAY_CONFIG: not valid TOML"),
        (
            "META_ACCESS_TOKEN = EAA",
            "RELAY_CONFIG: not valid TOML: Invalid value (at line 1, column 21); a text stands in",
        ),
        ("a = 2026-13-45", "RELAY_CONFIG: not valid TOML"),
        ("=", "RELAY_CONFIG: not valid TOML"),
    ],
)
def test_what_is_wrong_is_told_by_name_with_what_to_write(file, text, told):
    with pytest.raises(SettingsError) as error:
        read(file, text)
    assert str(error.value).startswith(told)
    assert "\n" not in str(error.value) and "EAA" not in str(error.value)


@pytest.mark.parametrize(
    ("wrong", "told"),
    [
        ('RELAY_CONSENT = "perhaps"', "[[dataset]] 3: RELAY_CONSENT: one of"),
        ('META_ACCESS_TOKEN_FILE = "~/token"', "[[dataset]] 3: META_ACCESS_TOKEN_FILE: there is no such file"),
        ('RELAY_ALLOWED_ORIGINS = "shop.example"', "[[dataset]] 3: RELAY_ALLOWED_ORIGINS: an origin begins"),
        ("RELAY_BOTS = \"'mark'\"", "[[dataset]] 3: RELAY_BOTS: the value stands in quotes"),
        ('RELAY_COPIES_TO = ["9"]', "[[dataset]] 3: RELAY_COPIES_TO: its name 1"),
        ('RELAY_BOT = "mark"', "[[dataset]] 3: RELAY_BOT: there is no such setting"),
    ],
)
def test_a_mistake_in_one_of_many_tables_says_which_and_its_line(file, wrong, told):
    tables = [f'[[dataset]]\nMETA_PIXEL_ID = "{n}"\nMETA_ACCESS_TOKEN = "EAA{n}"\n\n' for n in range(1, 6)]
    tables[2] += f"{wrong}\n"
    with pytest.raises(SettingsError) as error:
        read(file, "# shops\r\n" + "".join(tables).replace("[[dataset]]", " [[ dataset ]]"))
    assert str(error.value).startswith(told)
    assert str(error.value).endswith(" (the table begins in line 10)")


@pytest.mark.parametrize(
    "name", ["EAABsbCS1ZCWoBAIZAx7", "1f0e3dad99908345f7439f8ffabdffc4", "key-EAABsbCS1ZCWoBAIZAx7"]
)
def test_a_key_that_may_be_a_secret_is_not_shown(file, name):
    with pytest.raises(SettingsError, match="a key that is not shown, since it may be a secret") as error:
        read(file, f'{ONE}{name} = "1"')
    assert name[-16:] not in str(error.value)


def test_what_can_be_read_is_read(file):
    text = "\ufeffRELAY_SET_COOKIES = true\nRELAY_BALLAST = false\nRELAY_MOST_CALLS = 3\n"
    read_settings = read(file, f"{text}STRIPE_WEBHOOK_SECRET = ['a', 'b']\n{ONE}")
    assert (read_settings.set_cookies, read_settings.ballast, read_settings.most_calls) == (True, False, 3)
    assert [secret.reveal() for secret in read_settings.webhook_secrets["stripe"]] == ["a", "b"]
    assert read_settings.only_dataset == "1"


def test_one_dataset_may_stand_at_the_top(file):
    assert read(file, 'META_PIXEL_ID = 7\nMETA_ACCESS_TOKEN = "EAA"').only_dataset == "7"


def test_a_token_file_in_the_file_is_read_and_watched(file, tmp_path):
    token, second = tmp_path / "token", tmp_path / "second"
    token.write_text("EAAtop\n")
    second.write_text("EAAsecond\n")
    found = read(file, f'META_PIXEL_ID = "1"\nMETA_ACCESS_TOKEN_FILE = "{token}"')
    assert found.datasets[0].access_token.reveal() == "EAAtop"
    assert files_behind({"RELAY_CONFIG": str(file)}) == [str(file), str(token)]
    found = read(file, f'{ONE}[[dataset]]\nMETA_PIXEL_ID = "2"\nMETA_ACCESS_TOKEN_FILE = "{second}"')
    assert [dataset.access_token.reveal() for dataset in found.datasets] == ["EAAone", "EAAsecond"]
    assert files_behind({"RELAY_CONFIG": str(file), "META_ACCESS_TOKEN_FILE": str(token)}) == list(
        map(str, (file, token, second))
    )
    file.write_text("=")
    assert files_behind({"RELAY_CONFIG": str(file)}) == [str(file)]


def test_a_misspelt_variable_ends_the_start_where_the_right_one_is_not_set():
    with pytest.raises(SettingsError, match=r"^RELAY_ALLOWD_ORIGINS: .*; RELAY_ALLOWED_ORIGINS is the nearest one$"):
        Settings.from_env({"META_PIXEL_ID": "1", "META_ACCESS_TOKEN": "E", "RELAY_ALLOWD_ORIGINS": "https://x.example"})


def test_somebody_elses_variable_is_warned_about_once(caplog):
    misspelt._warn.cache_clear()
    environ = {"META_PIXEL_ID": "1", "META_PIXEL": "1", "RELAY_ROUTE_TABLE": "x", "PATH": "/bin", "METAL": "x"}
    with caplog.at_level(logging.WARNING):
        for _ in range(3):
            refuse_misspelt(environ)
    assert [record.setting for record in caplog.records] == ["META_PIXEL", "RELAY_ROUTE_TABLE"]
    # A verb or a program without our log shows the sentence alone.
    assert [record.getMessage() for record in caplog.records] == [
        "META_PIXEL is no setting of the relay and is not read; META_PIXEL_ID is the nearest one",
        "RELAY_ROUTE_TABLE is no setting of the relay and is not read",
    ]


KEYS = st.sampled_from([*sorted(OF_ALL | OF_A_DATASET), "dataset", "META_PIXL_ID", "x"])
VALUES = st.recursive(
    st.text(max_size=8) | st.integers() | st.booleans() | st.floats().filter(math.isfinite),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=3),
    max_leaves=8,
)


def toml(value: object) -> str:
    match value:
        case bool():
            return str(value).lower()
        case str():
            return '"' + "".join(f"\\U{ord(c):08x}" for c in value if not "\ud800" <= c <= "\udfff") + '"'
        case list():
            return f"[{', '.join(map(toml, value))}]"
        case dict():
            return f"{{{', '.join(f'{key} = {toml(v)}' for key, v in value.items())}}}"
        case _:
            return repr(value)


def told_of(reading) -> str:
    """Nothing where the file can be read."""
    try:
        reading()
    except SettingsError as error:
        return str(error)
    return ""


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(document=st.dictionaries(KEYS, VALUES, max_size=4))
def test_whatever_stands_in_the_file_it_is_read_or_told_in_one_line(file, document):
    text = "\n".join(f"{key} = {toml(value)}" for key, value in document.items())
    assert told_of(lambda: read(file, text)).isprintable()


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(content=st.binary(max_size=200) | st.text(alphabet='[]{}=",.\n#\\dataset1_ -+:ex', max_size=80).map(str.encode))
def test_whatever_bytes_the_file_holds(file, content):
    file.write_bytes(content)
    assert "\n" not in told_of(lambda: read_file(str(file), {}))


def test_what_the_product_sets_for_its_own_processes_is_a_known_setting():
    """Else each start would warn of it."""
    sources = (Path(conversion_relay.__file__).parent).rglob("*.py")
    text = "\n".join(path.read_text("utf-8") for path in sources)
    names = set(re.findall(r"""os\.environ\["((?:RELAY|META)_\w+)"\] = """, text))
    assert names and names <= ENVIRONMENT_ONLY | OF_ALL | OF_A_DATASET
