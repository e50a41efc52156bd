"""What needs a person, in words: for banners, `status`, `doctor` and the notifier."""

import contextlib

import msgspec
import pytest

from conversion_relay.delivery.attention import Known, advice, needs, together
from conversion_relay.delivery.installation import known
from conversion_relay.meta.remedies import remedy
from conversion_relay.outbox import Counts, SideCounts, SignOfLife
from conversion_relay.outbox.sqlite.outbox import SqliteOutbox
from conversion_relay.outbox.story import AtWork
from conversion_relay.settings import Settings
from tests.outbox.suite.backend import sealed

NOW = 1_795_700_000.0
WAITING = Counts(accepted=3, pending=3, oldest_pending_at=NOW - 120, nearest_expiry_at=int(NOW) + 500_000)


def causes(*, books=None, signs=(), now=NOW, version="v27.0", free=None) -> list[str]:
    known = Known(
        now=now,
        books={"1": WAITING} if books is None else books,
        signs=signs,
        configured=frozenset({"1"}),
        version=version,
        free_bytes=free,
    )
    return [need.cause for need in needs(known)]


def sign(at: float = NOW, **state) -> SignOfLife:
    return SignOfLife(worker="w", at=at, datasets={"1": AtWork(**state)})


def test_nobody_delivers_is_said_when_events_wait_and_no_worker_gave_a_sign():
    assert causes() == ["nobody_delivers"] == causes(signs=[sign(NOW - 300)])
    assert causes(signs=[sign()]) == [] == causes(books={"1": Counts()})
    assert causes(signs=None) == [], "of a queue nobody can know"
    assert causes(now=WAITING.oldest_pending_at + 5) == [], "a restart takes some seconds"


@pytest.mark.parametrize(
    "why",
    ["unauthorized", "misconfigured", "all_refused", "unknown_error", "foreign_answer", "tls", "unserved_version"],
)
def test_a_dataset_that_waits_for_a_person_is_named_with_what_to_do(why):
    assert causes(signs=[sign(why=why)]) == [f"{why}:1"]
    known = Known(now=NOW, books={}, signs=[sign(why=why)], configured=frozenset({"1"}), version="v27.0")
    (need,) = needs(known)
    assert need.fix and "1" in need.what and not need.urgent


@pytest.mark.parametrize("state", [{"troubles": ("unauthorized",)}, {"why": "unauthorized"}])
def test_a_worker_without_companions_is_not_said_to_be_alone_among_others_that_send(state):
    known = Known(now=NOW, books={}, signs=[sign(**state)], configured=frozenset({"1"}), version="v27.0")
    (need,) = needs(known)
    assert "other workers" not in need.what and "so say" not in need.what


@pytest.mark.parametrize("why", ["throttled", "near_limit", "http_500", None])
def test_what_passes_by_itself_asks_nobody(why):
    assert causes(signs=[sign(why=why)]) == []


@pytest.mark.parametrize("why", ["dns", "connection_refused", "connect_timeout", "http_503", "deadline", "network"])
def test_an_outage_that_lasts_is_said_with_its_cause_and_one_of_minutes_is_not(why):
    for_long = msgspec.structs.replace(WAITING, oldest_pending_at=NOW - 1_000)
    assert causes(books={"1": for_long}, signs=[sign(why=why)]) == ["outage:1"]
    assert causes(books={"1": for_long}, signs=[sign(why="throttled")]) == [], "Meta asked for that pause itself"
    assert causes(signs=[sign(why=why)]) == []


@pytest.mark.parametrize(
    "why", ["http_502", "http_520", "code_2", "unreadable_206", "long_count", "cut_off", "no_thread", "refused"]
)
def test_each_silence_has_its_sentence(why):
    assert remedy(why).what and remedy(why).fix


def test_a_wrong_clock_a_full_disk_and_an_old_version_are_said():
    assert causes(signs=[sign(clock_skew_seconds=-120.0)]) == ["clock"]
    assert causes(signs=[sign(clock_skew_seconds=20.0)]) == []
    behind = SignOfLife(worker="web-2", at=NOW, delivers=False, collects=True, clock_ahead_seconds=-600.0)
    assert causes(signs=[sign(), behind]) == ["clocks"]
    assert causes(signs=[sign(), msgspec.structs.replace(behind, clock_ahead_seconds=9.0)]) == []
    assert causes(signs=[sign()], free=1_000) == ["disk"]
    unserved = [sign(why="unserved_version")]
    assert causes(signs=unserved, version="v20.0") == ["unserved_version:1"], "one cause, one line"
    assert causes(signs=[sign(why="unserved_version")], version="v20.0") == ["unserved_version:1"], (
        "one cause, one line"
    )


def test_of_a_fleet_the_machine_is_named_whose_clock_is_wrong_whoever_spoke_last():
    well = msgspec.structs.replace(sign(), worker="well-1")
    wrong = msgspec.structs.replace(sign(clock_skew_seconds=-120.0), worker="wrong-1")
    for signs in ([well, wrong], [wrong, well]):
        (need,) = needs(Known(now=NOW, books={}, signs=signs, configured=frozenset({"1"}), version="v27.0"))
        assert need.what.startswith("the clock of wrong-1 is 120 s behind Meta's")


def test_events_that_are_about_to_be_lost_come_first():
    near = Counts(accepted=1, pending=1, oldest_pending_at=NOW - 500_000, nearest_expiry_at=int(NOW) + 3_600)
    assert causes(books={"1": near}, signs=[sign(why="unauthorized")]) == ["expiry:1", "unauthorized:1"]
    assert causes(books={"1": Counts(accepted=1)}, signs=[sign()]) == ["imbalance:1"]
    assert causes(books={"7": WAITING}, signs=[sign()]) == ["stranded:7"]


def test_many_datasets_with_one_need_are_one_line_of_a_page():
    signs = [SignOfLife(worker="w", at=NOW, datasets={str(n): AtWork(why="unauthorized") for n in range(30)})]
    found = needs(Known(now=NOW, books={}, signs=signs, configured=frozenset(), version="v27.0"))
    assert len(found) == 30 and [need.what[:11] for need in together(found)] == ["30 datasets"]
    assert together(found[:2]) == found[:2]


def test_the_remedy_of_a_refusal_is_the_one_that_validate_gives():
    assert remedy("meta_100_2804010").field == "custom_data.currency"
    assert "event_source_url" in remedy("meta_100_2804019", 2804019, "event_source_url").fix
    assert remedy("meta_100_2804019", 2804019, "user_data.em").field == "user_data.em"
    assert remedy("meta_100_2804019") is None and remedy("meta_12_34") is None and remedy(None) is None


@pytest.mark.parametrize(
    ("sides", "is_said"),
    [
        (SideCounts(server_only=5, browser_only=5), True),
        (SideCounts(server_only=90, browser_only=20, both=1), True),
        (SideCounts(server_only=4, browser_only=50), False),
        (SideCounts(server_only=50, browser_only=0), False),
        (SideCounts(server_only=50, browser_only=20, both=30), False),
    ],
)
def test_ids_that_differ_between_page_and_server_are_named(sides, is_said):
    known = Known(
        now=NOW, books={}, signs=[sign()], configured=frozenset({"1"}), version="v27.0", sides={"1": {"Lead": sides}}
    )
    found = needs(known)
    assert [need.cause for need in found] == (["different_ids:1"] if is_said else [])
    assert all("Lead" in need.what and "eventID" in need.fix for need in found)


CLOSED = remedy("closed")


def test_a_site_that_counted_once_for_a_year_is_told_when_it_begins_to_count_twice_and_until_it_is_mended(tmp_path):
    settings = Settings.from_env({"META_PIXEL_ID": "1", "META_ACCESS_TOKEN": "x"})

    def causes_after(kind: str, pixels: str, now: float) -> list[str]:
        outbox.put([sealed(f"{kind}{n}") for n in range(120)], now)
        outbox.note_pixel("1", [("Lead", f"{pixels}{n}") for n in range(120)], now).result()
        return [need.cause for need in needs(known(outbox, settings, now)) if need.cause.startswith("different_ids")]

    with contextlib.closing(SqliteOutbox(str(tmp_path / "outbox.db"))) as outbox:
        assert causes_after("good", "good", NOW) == []
        assert causes_after("server", "page", NOW + 60) == ["different_ids:1"]
        assert causes_after("mended", "mended", NOW + 120) == []


@pytest.mark.parametrize(
    ("dataset", "signs", "own", "told"),
    [
        ("9", [sign()], CLOSED, ["its dataset is not configured, so nobody sends it"]),
        ("9", [], None, ["its dataset is not configured, so nobody sends it"]),
        ("1", [], None, ["nobody delivers"]),
        ("1", [sign(NOW - 300)], CLOSED, ["nobody delivers"]),
        ("1", [], remedy("foreign_answer"), ["nobody delivers", remedy("foreign_answer").what]),
        ("1", [sign(why="unauthorized")], None, [remedy("unauthorized").what]),
        ("1", [sign(why="unauthorized")], remedy("unauthorized"), [remedy("unauthorized").what]),
        ("1", [sign(why="throttled")], CLOSED, [remedy("throttled").what]),
        ("1", [sign()], CLOSED, [CLOSED.what]),
        ("1", [sign()], None, []),
        ("1", None, None, []),
    ],
)
def test_what_an_event_waits_for_is_what_holds_its_dataset_now(dataset, signs, own, told):
    known = Known(now=NOW, books={}, signs=signs, configured=frozenset({"1"}), version="v27.0")
    assert [one.what for one in advice(known, dataset, own)] == told


def test_pauses_of_metas_send_nobody_to_dead_letters_that_are_not_there():
    def fix(dead: int) -> str:
        book = Counts(accepted=dead, dead=dead)
        known = Known(
            now=NOW, books={"1": book}, signs=[sign(error_share=0.3)], configured=frozenset({"1"}), version="v27.0"
        )
        (need,) = needs(known)
        return need.fix

    assert "dead letters" in fix(3) and "dead letters" not in fix(0)
