"""One suite for every outbox: a backend is a subclass that opens itself. If a promise is not here, it is not one."""

import threading
from pathlib import Path

import pytest

from conversion_relay.errors import LeaseLost, OutboxUnavailable
from conversion_relay.event import Receipt, SealedEvent
from conversion_relay.intake.visit import Visit
from conversion_relay.outbox import Attempt, Lease, Outbox, SideCounts
from conversion_relay.outbox.verdict import Dead, Delivered, Expired, Hold, Park, RetryAt, Verdict, Withhold

NOW = 1_700_000_000.0
DAY = 86_400.0
REFUSED = Attempt(
    at=NOW,
    outcome="refused",
    status=400,
    code=100,
    subcode=2804009,
    title="Missing Value",
    fbtrace_id="Atrace",
)


def sealed(
    event_id: str, dataset: str = "1", name: str = "Lead", body: bytes | None = None, expires_in: int = 600_000, **more
) -> SealedEvent:
    return SealedEvent(
        dataset=dataset,
        event_name=name,
        event_id=event_id,
        event_time=int(NOW),
        expires_at=int(NOW) + expires_in,
        body=body or b'{"event_id":"%s"}' % event_id.encode(),
        **more,
    )


def settle_all(outbox: Outbox, lease: Lease, verdict: Verdict, attempt: Attempt | None = None) -> None:
    outbox.settle(lease, [(event, verdict) for event in lease.events], attempt, NOW)


def claim(outbox: Outbox, limit: int = 1000, now: float = NOW, dataset: str = "1") -> Lease:
    lease = outbox.claim(dataset, limit, 60, now)
    assert lease is not None
    return lease


class BootClock:
    """The outbox's own clock, which a test can move on."""

    def __init__(self) -> None:
        self.seconds = 1_000.0

    def __call__(self) -> float:
        return self.seconds


class OutboxSuite:
    boot_clock = BootClock()

    def open(self, place: Path) -> Outbox:
        raise NotImplementedError

    @pytest.fixture
    def place(self, tmp_path: Path) -> Path:
        return tmp_path

    @pytest.fixture
    def outbox(self, place):
        outbox = self.open(place)
        yield outbox
        outbox.close()

    def test_what_was_put_is_there_after_closing_and_opening_again(self, outbox, place):
        outbox.put([sealed("a"), sealed("b")], NOW)
        outbox.close()
        again = self.open(place)
        assert [event.event_id for event in claim(again).events] == ["a", "b"]
        again.close()

    def test_the_bytes_come_out_as_they_went_in(self, outbox):
        body = b'{"x":"\xc3\xa9\\u0000"}' + bytes(range(1, 32))
        outbox.put([sealed("a", body=body)], NOW)
        assert claim(outbox).events[0].body == body

    def test_a_second_put_of_the_same_key_is_a_duplicate_and_not_stored(self, outbox):
        assert outbox.put([sealed("a"), sealed("a")], NOW) == [Receipt("a"), Receipt("a", duplicate=True)]
        assert outbox.put([sealed("a")], NOW) == [Receipt("a", duplicate=True)]
        assert outbox.counts()["1"].accepted == 1

    def test_dataset_and_name_are_part_of_the_key(self, outbox):
        puts = [sealed("a"), sealed("a", name="Purchase"), sealed("a", dataset="2")]
        assert not any(receipt.duplicate for receipt in outbox.put(puts, NOW))

    def test_a_duplicate_is_known_after_delivery(self, outbox):
        outbox.put([sealed("a")], NOW)
        settle_all(outbox, claim(outbox), Delivered())
        assert outbox.put([sealed("a")], NOW + 86_400) == [Receipt("a", duplicate=True)]

    def test_a_claimed_event_is_given_to_nobody_else(self, outbox):
        outbox.put([sealed("a"), sealed("b"), sealed("c")], NOW)
        first, second = claim(outbox, limit=2), claim(outbox, limit=2)
        ids = [event.event_id for lease in (first, second) for event in lease.events]
        assert sorted(ids) == ["a", "b", "c"]
        assert outbox.claim("1", 10, 60, NOW) is None

    def test_a_claim_holds_one_dataset_only(self, outbox):
        outbox.put([sealed("a"), sealed("b", dataset="2")], NOW)
        assert [event.event_id for event in claim(outbox, dataset="2").events] == ["b"]
        assert outbox.waiting(NOW).keys() == {"1"}

    def test_many_claimers_at_once_get_each_event_once(self, outbox):
        outbox.put([sealed(str(n)) for n in range(500)], NOW)
        seen: list[str] = []

        def work() -> None:
            while lease := outbox.claim("1", 7, 60, NOW):
                seen.extend(event.event_id for event in lease.events)

        threads = [threading.Thread(target=work) for _ in range(8)]
        [thread.start() for thread in threads]
        [thread.join() for thread in threads]
        assert len(seen) == 500 == len(set(seen))

    def test_a_lease_that_ran_out_is_claimed_again_and_its_owner_can_settle_nothing(self, outbox):
        outbox.put([sealed("a")], NOW)
        stale = claim(outbox)
        self.boot_clock.seconds += 61
        assert outbox.waiting(NOW) == {"1": 0.0}
        fresh = claim(outbox)
        with pytest.raises(LeaseLost):
            settle_all(outbox, stale, Dead("late"))
        settle_all(outbox, fresh, Delivered())
        assert outbox.find("a")[0].state == "delivered"

    def test_a_lease_is_settled_once(self, outbox):
        outbox.put([sealed("a")], NOW)
        lease = claim(outbox)
        settle_all(outbox, lease, Delivered())
        with pytest.raises(LeaseLost):
            settle_all(outbox, lease, Dead("again"))

    def test_a_stale_token_settles_none_of_its_events(self, outbox):
        outbox.put([sealed("a"), sealed("b")], NOW)
        lease = claim(outbox)
        outbox.settle(lease, [(lease.events[1], Delivered())], None, NOW)
        with pytest.raises(LeaseLost):
            settle_all(outbox, lease, Dead("all"))
        assert outbox.find("a")[0].state == "leased"

    def test_an_extended_lease_is_kept(self, outbox):
        outbox.put([sealed("a")], NOW)
        lease = claim(outbox)
        self.boot_clock.seconds += 50
        outbox.extend(lease, 600)
        self.boot_clock.seconds += 500
        assert outbox.waiting(NOW) == {}
        settle_all(outbox, lease, Delivered())

    def test_a_wall_clock_that_is_set_neither_ends_a_lease_nor_makes_it_last(self, outbox):
        outbox.put([sealed("a")], NOW)
        lease = claim(outbox)
        assert outbox.waiting(NOW + 8 * 86_400) == {}
        settle_all(outbox, lease, RetryAt(NOW + 60, "short_count"))
        assert outbox.claim("1", 1, 60, NOW) is None
        assert claim(outbox, now=NOW - 8 * 86_400).events[0].event_id == "a", (
            "due 8 days from now: the clock was set back"
        )

    def test_a_retry_waits_until_it_is_due_and_counts_the_attempt(self, outbox):
        outbox.put([sealed("a")], NOW)
        settle_all(outbox, claim(outbox), RetryAt(NOW + 30, "short_count"), REFUSED)
        assert outbox.claim("1", 10, 60, NOW + 29) is None
        assert claim(outbox, now=NOW + 30).events[0].attempts == 1

    def test_a_parked_event_waits_for_its_dataset_alone_and_no_attempt_is_counted(self, outbox):
        outbox.put([sealed("a")], NOW)
        settle_all(outbox, claim(outbox), Park(NOW + 60, "throttled"))
        assert outbox.waiting(NOW) == {"1": 0.0}
        assert claim(outbox).events[0].attempts == 0

    def test_a_released_lease_waits_again_as_if_nothing_had_been_sent(self, outbox):
        outbox.put([sealed("a"), sealed("b")], NOW)
        lease = claim(outbox)
        outbox.settle(lease, [(lease.events[0], Delivered())], None, NOW)
        outbox.release(lease)
        again = claim(outbox)
        assert [(event.event_id, event.attempts, event.sent_at) for event in again.events] == [("b", 0, None)]
        assert outbox.counts()["1"].imbalance == 0

    def test_what_a_lost_lease_held_may_have_been_sent(self, outbox):
        outbox.put([sealed("a")], NOW)
        claim(outbox)
        self.boot_clock.seconds += 61
        outbox.waiting(NOW)
        assert claim(outbox, now=NOW + 61).events[0].sent_at == NOW

    def test_since_when_meta_may_have_it_is_remembered_and_it_goes_first(self, outbox):
        outbox.put([sealed("lost"), sealed("lost too")], NOW)
        settle_all(outbox, claim(outbox), Park(NOW + 60, "read_timeout", sent=True))
        outbox.put([sealed("b", expires_in=1_000)], NOW + 10)
        lease = claim(outbox, now=NOW + 3_000)
        assert [event.event_id for event in lease.events] == ["lost", "lost too", "b"]
        settle_all(outbox, lease, Park(NOW + 3_060, "read_timeout", sent=True))
        assert claim(outbox, now=NOW + 4_000).events[0].sent_at == NOW

    def test_a_held_event_waits_for_a_person_or_for_its_deadline(self, outbox):
        outbox.put([sealed("a", expires_in=1_000), sealed("b", expires_in=1_000)], NOW)
        settle_all(outbox, claim(outbox), Hold("ambiguous_late"))
        assert {story.event_id for story in outbox.held()} == {"a", "b"}
        assert outbox.claim("1", 10, 60, NOW + 900) is None and outbox.counts()["1"].pending == 2
        assert outbox.replay(NOW + 900, ["a"]) == 1
        assert [event.event_id for event in claim(outbox, now=NOW + 900).events] == ["a"]
        assert [event.event_id for event in claim(outbox, now=NOW + 1_001).events] == ["b"]
        assert outbox.counts()["1"].imbalance == 0

    def test_fresh_events_come_first_and_half_the_places_are_the_backlogs_by_deadline(self, outbox):
        outbox.put([sealed(f"late-{n}", expires_in=1_000 - n) for n in range(10)], NOW)
        later = NOW + 600
        outbox.put([sealed(f"fresh-{n}") for n in range(10)], later)
        ids = [event.event_id for event in claim(outbox, limit=8, now=later).events]
        assert ids == [*(f"fresh-{n}" for n in range(4)), *(f"late-{n}" for n in (9, 8, 7, 6))]
        ids = [event.event_id for event in claim(outbox, limit=8, now=later).events]
        assert ids == [*(f"fresh-{n}" for n in range(4, 8)), *(f"late-{n}" for n in (5, 4, 3, 2))]
        ids = [event.event_id for event in claim(outbox, limit=8, now=later).events]
        assert ids == ["fresh-8", "fresh-9", "late-1", "late-0"]

    def test_every_answer_of_metas_is_in_the_story(self, outbox):
        outbox.put([sealed("a")], NOW)
        throttled = Attempt(at=NOW, outcome="throttled", status=400, code=4)
        settle_all(outbox, claim(outbox), Park(NOW, "throttled"), throttled)
        settle_all(outbox, claim(outbox), Dead("meta_100_2804009"), REFUSED)
        (story,) = outbox.find("a")
        assert story.state == "dead" and story.reason == "meta_100_2804009"
        assert story.history == (throttled, REFUSED)

    def test_dead_letters_are_listed_and_can_be_replayed_while_they_are_young(self, outbox):
        outbox.put([sealed("a"), sealed("b")], NOW)
        settle_all(outbox, claim(outbox), Dead("meta_100"), REFUSED)
        assert {story.event_id for story in outbox.dead()} == {"a", "b"}
        assert outbox.replay(NOW, ["a"]) == 1
        assert claim(outbox).events[0].event_id == "a"
        assert outbox.replay(NOW + 700_000) == 0
        assert outbox.find("a")[0].history == (REFUSED,)

    def test_the_books_balance_through_every_state(self, outbox):
        outbox.put([sealed(str(n)) for n in range(7)], NOW)
        lease = claim(outbox, limit=6)
        verdicts = [Delivered(), Dead("x"), Expired(), RetryAt(NOW + 9, "y"), Park(NOW + 9, "z")]
        outbox.settle(lease, list(zip(lease.events, verdicts, strict=False)), None, NOW)
        book = outbox.counts()["1"]
        assert (book.pending, book.leased, book.delivered, book.dead, book.expired) == (3, 1, 1, 1, 1)
        assert book.accepted == 7 and book.imbalance == 0

    def test_an_erased_person_is_gone_and_still_counted(self, outbox):
        digest = "ab" * 32
        outbox.put(
            [
                sealed("a", body=b'{"em":["%s"]}' % digest.encode()),
                sealed(f"contact_{digest}_1"),
                sealed("c"),
            ],
            NOW,
        )
        assert outbox.erase([digest], NOW) == 2
        assert [event.event_id for event in claim(outbox).events] == ["c"]
        assert outbox.find("a")[0].state == "erased" and outbox.find(f"contact_{digest}_1") == []
        assert outbox.counts()["1"].erased == 2
        assert outbox.counts()["1"].imbalance == 0

    def test_a_late_copy_of_an_erased_event_is_not_taken_in_again(self, outbox):
        digest = b"cd" * 32
        outbox.put([sealed("a", body=digest)], NOW)
        outbox.erase([digest.decode()], NOW)
        assert outbox.put([sealed("a", body=digest)], NOW) == [Receipt("a", duplicate=True)]

    def test_an_event_erased_while_it_is_in_flight_stays_erased(self, outbox):
        digest = b"ef" * 32
        outbox.put([sealed("a", body=digest), sealed("b"), sealed("c")], NOW)
        lease = claim(outbox)
        assert outbox.erase([digest.decode()], NOW) == 1
        outbox.settle(lease, [(event, Delivered()) for event in lease.events[:2]], None, NOW)
        outbox.release(lease)
        book = outbox.counts()["1"]
        assert (book.erased, book.delivered, book.pending, book.leased, book.imbalance) == (1, 1, 1, 0, 0)

    def test_a_lease_from_before_the_ledger_forgot_settles_nobody_elses_event(self, outbox):
        digest = b"ef" * 32
        outbox.put([sealed("a", body=digest)], NOW)
        lease = claim(outbox)
        outbox.erase([digest.decode()], NOW)
        outbox.prune(NOW + 9 * 86_400)
        outbox.put([sealed("b")], NOW)
        settle_all(outbox, lease, Delivered())
        assert outbox.find("b")[0].state == "pending"

    def test_the_ledger_forgets_after_eight_days_and_the_books_do_not(self, outbox):
        outbox.put([sealed("a"), sealed("b")], NOW)
        lease = claim(outbox)
        outbox.settle(lease, [(lease.events[0], Delivered()), (lease.events[1], Dead("x"))], REFUSED, NOW)
        assert outbox.prune(NOW + 7 * 86_400) == 0
        assert outbox.prune(NOW + 9 * 86_400) == 1
        assert outbox.find("a") == [] and outbox.find("b")[0].history == (REFUSED,)
        assert outbox.counts()["1"].delivered == 1 and outbox.counts()["1"].imbalance == 0

    # -- consent ---------------------------------------------------------------------------------------------------

    def test_what_the_visitor_said_is_kept_with_the_event(self, outbox):
        outbox.put([sealed("a", consent="granted"), sealed("b")], NOW)
        assert [(event.event_id, event.consent) for event in claim(outbox).events] == [("a", "granted"), ("b", None)]

    def test_a_withheld_event_is_erased_with_its_body_and_the_books_balance(self, outbox):
        outbox.put([sealed("a"), sealed("b")], NOW)
        lease = claim(outbox)
        outbox.settle(lease, [(lease.events[0], Withhold()), (lease.events[1], Delivered())], None, NOW)
        (story,) = outbox.find("a")
        assert (story.state, story.reason) == ("erased", "withheld")
        book = outbox.counts()["1"]
        assert (book.erased, book.delivered, book.imbalance) == (1, 1, 0)
        assert outbox.put([sealed("a")], NOW) == [Receipt("a", duplicate=True)]

    # -- what a visitor takes back -------------------------------------------------------------------------------------

    def test_a_withdrawn_event_is_never_sent_and_stays_counted(self, outbox):
        outbox.put([sealed("a"), sealed("b"), sealed("a", dataset="2")], NOW)
        assert outbox.withdraw("1", ["a", "a", "nobody"], NOW) == 1
        assert [event.event_id for event in claim(outbox).events] == ["b"]
        found = {(story.dataset, story.state, story.reason) for story in outbox.find("a")}
        assert found == {("1", "erased", "withdrawn"), ("2", "pending", None)}, found
        book = outbox.counts()["1"]
        assert (book.erased, book.imbalance) == (1, 0)
        assert outbox.put([sealed("a")], NOW) == [Receipt("a", duplicate=True)]

    def test_what_meta_has_or_no_browser_sent_cannot_be_withdrawn(self, outbox):
        outbox.put([sealed("gone")], NOW)
        settle_all(outbox, claim(outbox), Delivered())
        outbox.put([sealed("paid", name="Purchase")], NOW)
        assert outbox.withdraw("1", ["gone", "paid"], NOW) == 0
        assert outbox.withdraw("unknown", ["gone"], NOW) == 0
        assert [event.event_id for event in claim(outbox).events] == ["paid"]

    @pytest.mark.parametrize(
        ("verdict", "state"),
        [
            (Delivered(), "delivered"),
            (Dead("meta_100"), "erased"),
            (RetryAt(NOW + 60, "short_count"), "erased"),
            (Park(NOW + 60, "unreachable"), "erased"),
            (Hold("ambiguous_late"), "erased"),
            (None, "erased"),
        ],
        ids=str,
    )
    def test_what_is_leased_is_withdrawn_unless_meta_gets_it_first(self, outbox, verdict, state):
        outbox.put([sealed("a", body=b"canary"), sealed("b")], NOW)
        lease = claim(outbox)
        assert outbox.withdraw("1", ["a"], NOW) == 0
        settle_all(outbox, lease, verdict) if verdict else outbox.release(lease)
        (story,) = outbox.find("a")
        assert (story.state, story.reason) == (state, "withdrawn" if state == "erased" else None)
        book = outbox.counts()["1"]
        assert (book.leased, book.erased, book.imbalance) == (0, int(state == "erased"), 0)
        assert outbox.erase(["canary"], NOW) == 0, "its body is gone"

    def test_a_worker_is_told_what_was_erased_or_withdrawn_since_its_claim(self, outbox):
        outbox.put([sealed("a"), sealed("b", body=b"person"), sealed("c")], NOW)
        lease = claim(outbox)
        assert outbox.revoked(lease.events) == frozenset()
        outbox.withdraw("1", ["a"], NOW)
        outbox.erase(["person"], NOW)
        assert outbox.revoked(lease.events) == {event.key for event in lease.events[:2]}
        assert outbox.revoked(lease.events[2:]) == frozenset()

    def test_a_dead_letter_is_withdrawn_and_cannot_be_replayed(self, outbox):
        outbox.put([sealed("a")], NOW)
        settle_all(outbox, claim(outbox), Dead("meta_100"))
        assert outbox.withdraw("1", ["a"], NOW) == 1
        assert outbox.replay(NOW) == 0 and outbox.dead() == []
        assert outbox.counts()["1"].imbalance == 0

    @pytest.mark.parametrize(
        "waits", [RetryAt(NOW + 60, "short_count"), Hold("ambiguous_late"), Park(NOW + 60, "x", aside=NOW + 90)]
    )
    def test_wherever_it_waits_it_can_be_withdrawn(self, outbox, waits):
        outbox.put([sealed("a"), sealed("b")], NOW)
        settle_all(outbox, claim(outbox), waits)
        assert outbox.withdraw("1", ["a"], NOW) == 1
        book = outbox.counts()["1"]
        assert (book.pending, book.erased, book.imbalance) == (1, 1, 0)
        assert {event.event_id for event in claim(outbox, now=NOW + 600_001).events} == {"b"}

    # -- who was seen under an order's id ------------------------------------------------------------------------------

    def test_a_visitor_is_known_for_seven_days_and_after_opening_again(self, outbox, place):
        visit = Visit(client_ip_address="8.8.4.4", fbp="fb.1.1.1", url="https://shop.example/", consent="granted")
        assert outbox.has_visitors() is False and outbox.visitor("order-1", NOW) is None
        outbox.remember_visitor("order-1", visit, NOW)
        assert outbox.has_visitors() and outbox.visitor("order-2", NOW) is None
        outbox.close()
        again = self.open(place)
        assert again.has_visitors() and again.visitor("order-1", NOW + 6 * DAY) == visit
        assert again.visitor("order-1", NOW + 8 * DAY) is None
        again.prune(NOW + 8 * DAY)
        assert again.visitor("order-1", NOW) is None, "it was dropped"
        again.close()

    def test_what_was_remembered_first_stays_and_only_what_was_missing_is_filled_in(self, outbox):
        outbox.remember_visitor("o", Visit(client_ip_address="8.8.4.4", fbp="fb.1.1.1"), NOW)
        outbox.remember_visitor("o", Visit(client_ip_address="9.9.9.9", fbp="fb.1.2.2", fbc="fb.1.1.AbC"), NOW + DAY)
        assert outbox.visitor("o", NOW + DAY) == Visit(client_ip_address="8.8.4.4", fbp="fb.1.1.1", fbc="fb.1.1.AbC")
        assert outbox.visitor("o", NOW + 7.5 * DAY) is None, "calling again keeps nobody longer"
        outbox.remember_visitor("o", Visit(fbp="fb.1.3.3"), NOW + 8 * DAY)
        assert outbox.visitor("o", NOW + 8 * DAY) == Visit(fbp="fb.1.3.3")

    def test_an_erased_persons_visit_and_reports_are_gone_too(self, outbox):
        digest = "ab" * 32
        outbox.put([sealed("purchase_1", body=digest.encode())], NOW)
        outbox.remember_visitor("1", Visit(fbp="fb.1.1.1"), NOW)
        outbox.remember_visitor(digest, Visit(fbp="fb.1.1.1"), NOW)
        outbox.note_pixel("1", [("Contact", f"contact_{digest}_1")], NOW).result()
        outbox.erase([digest], NOW)
        assert outbox.visitor("1", NOW) is None and outbox.visitor(digest, NOW) is None

    # -- the two sides of an event -------------------------------------------------------------------------------------

    def sides(self, outbox: Outbox, name: str = "Lead", dataset: str = "1") -> tuple[int, int, int]:
        found = outbox.deduplication().get(dataset, {}).get(name, SideCounts())
        return found.both, found.server_only, found.browser_only

    def test_the_meter_moves_whichever_side_comes_first(self, outbox):
        assert outbox.deduplication() == {}
        outbox.put([sealed("a"), sealed("b"), sealed("c", name="Contact")], NOW)
        assert (self.sides(outbox), self.sides(outbox, "Contact")) == ((0, 2, 0), (0, 1, 0))
        outbox.note_pixel("1", [("Lead", "a"), ("Lead", "later"), ("Contact", "a")], NOW).result()
        assert (self.sides(outbox), self.sides(outbox, "Contact")) == ((1, 1, 1), (0, 1, 1))
        outbox.put([sealed("later"), sealed("d")], NOW)
        assert self.sides(outbox) == (2, 2, 0)
        outbox.note_pixel("2", [("Lead", "a")], NOW).result()
        assert (self.sides(outbox), self.sides(outbox, dataset="2")) == ((2, 2, 0), (0, 0, 1))

    def test_a_repeated_report_and_a_duplicate_change_nothing(self, outbox):
        outbox.put([sealed("a"), sealed("a")], NOW)
        outbox.note_pixel("1", [("Lead", "a"), ("Lead", "a"), ("Lead", "b")], NOW).result()
        outbox.note_pixel("1", [("Lead", "a"), ("Lead", "b")], NOW).result()
        outbox.put([sealed("a"), sealed("b"), sealed("b")], NOW)
        assert self.sides(outbox) == (2, 0, 0)
        outbox.put([sealed("a"), sealed("b")], NOW)
        assert self.sides(outbox) == (2, 0, 0)

    def test_what_the_ledger_forgot_is_counted_anew_and_no_side_goes_wrong(self, outbox):
        outbox.put([sealed("a"), sealed("newest")], NOW)
        outbox.put([sealed("last")], NOW)
        lease = claim(outbox, limit=2)
        settle_all(outbox, lease, Delivered())
        outbox.note_pixel("1", [("Lead", "a"), ("Lead", "alone")], NOW + 7 * DAY).result()
        assert self.sides(outbox) == (1, 2, 1)
        outbox.prune(NOW + 9 * DAY)
        outbox.put([sealed("a")], NOW + 9 * DAY)
        assert self.sides(outbox) == (1, 3, 1)
        outbox.prune(NOW + 20 * DAY)
        outbox.put([sealed("alone")], NOW + 20 * DAY)
        assert self.sides(outbox) == (1, 4, 1), "eight days later nobody knows that the pixel had it"

    def test_made_up_names_fill_no_table(self, outbox):
        outbox.note_pixel("1", [(f"name {n}", "a") for n in range(1_000)], NOW).result()
        assert len(outbox.deduplication()["1"]) <= 200
        outbox.put([sealed("a", name="Own Name")], NOW)
        assert self.sides(outbox, "Own Name") == (0, 1, 0)

    def test_puts_wake_who_asked(self, outbox):
        woken = threading.Event()
        outbox.on_put(woken.set)
        outbox.put([sealed("a")], NOW)
        assert woken.wait(5)

    def test_a_closed_outbox_says_so(self, outbox):
        outbox.close()
        with pytest.raises(OutboxUnavailable):
            outbox.put([sealed("a")], NOW)

    def test_a_probe_commits(self, outbox):
        outbox.probe()
