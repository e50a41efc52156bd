"""Which events both the server and the page's pixel sent."""

from conversion_relay.outbox import Meter, SideCounts
from conversion_relay.outbox.verdict import Delivered
from tests.outbox.suite.backend import DAY, NOW, Backend, claim, sealed, settle_all


class MeterSuite(Backend):
    def test_it_has_a_meter(self, outbox):
        assert isinstance(outbox, Meter)

    def sides(self, outbox: Meter, name: str = "Lead", dataset: str = "1") -> tuple[int, int, int]:
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

    def test_by_the_newest_a_site_that_begins_to_count_twice_stands_out_and_so_does_its_mending(self, outbox):
        def both_send(kind: str, n: int, now: float, *, same: bool) -> None:
            outbox.put([sealed(f"{kind}{i}") for i in range(n)], now)
            pairs = [("Lead", f"{kind if same else 'page'}{i}") for i in range(n)]
            outbox.note_pixel("1", pairs, now).result()

        assert outbox.recent_sides(NOW) == {}
        both_send("good", 150, NOW + 20, same=True)
        assert outbox.recent_sides(NOW + 40) == {"1": {"Lead": SideCounts(both=100)}}
        both_send("bad", 110, NOW + 60, same=False)
        assert outbox.recent_sides(NOW + 80) == {"1": {"Lead": SideCounts(server_only=100, browser_only=100)}}
        both_send("mended", 100, NOW + 100, same=True)
        assert outbox.recent_sides(NOW + 120) == {"1": {"Lead": SideCounts(both=100)}}
        assert self.sides(outbox) == (250, 110, 110)

    def test_by_the_newest_each_name_has_its_own_and_made_up_reports_hide_no_twin(self, outbox):
        outbox.put([sealed(f"twin{i}") for i in range(20)], NOW)
        outbox.note_pixel("1", [("Lead", f"twin{i}") for i in range(20)], NOW).result()
        outbox.put([sealed(f"c{i}", name="Contact") for i in range(200)], NOW + 1)
        outbox.note_pixel("1", [("Lead", f"made up {i}") for i in range(200)], NOW + 1).result()
        outbox.note_pixel("2", [("Lead", "alone")], NOW + 1).result()
        found = outbox.recent_sides(NOW + 20)
        assert found["1"] == {"Lead": SideCounts(both=20, browser_only=100), "Contact": SideCounts(server_only=100)}
        assert found["2"] == {"Lead": SideCounts(browser_only=1)}
