"""Who was seen under an order's id."""

from conversion_relay.intake.visit import Visit
from conversion_relay.outbox import Visits
from tests.outbox.suite.backend import DAY, NOW, Backend, sealed


class VisitsSuite(Backend):
    def test_it_remembers_visits(self, outbox):
        assert isinstance(outbox, Visits)

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

    def test_the_first_whom_another_process_remembered_is_looked_up(self, outbox, place, monkeypatch):
        """Whoever refused would be sent by a process that has asked for nobody since."""
        assert outbox.has_visitors() is False
        neighbour = self.open(place)
        neighbour.remember_visitor("order-1", Visit(consent="denied", for_long=True), NOW)
        monkeypatch.setattr(outbox, "_looked_for_visitors_at", float("-inf"), raising=False)  # a while ago
        assert outbox.has_visitors() is True, "perhaps: nobody has looked yet"
        neighbour.close()

    def test_who_agreed_is_known_for_ninety_days_from_the_first_call(self, outbox):
        agreed = Visit(fbp="fb.1.1.1", consent="granted", for_long=True)
        outbox.remember_visitor("silent", Visit(fbp="fb.1.1.1"), NOW)
        outbox.remember_visitor("agreed", agreed, NOW)
        outbox.remember_visitor("later", Visit(fbp="fb.1.1.1"), NOW)
        outbox.remember_visitor("later", agreed, NOW + 2 * DAY)
        outbox.remember_visitor("agreed", agreed, NOW + 80 * DAY)
        known = {key: outbox.visitor(key, NOW + 89 * DAY) is not None for key in ("silent", "agreed", "later")}
        assert known == {"silent": False, "agreed": True, "later": True}
        while outbox.prune(NOW + 89 * DAY):
            pass
        assert outbox.visitor("silent", NOW) is None and outbox.visitor("agreed", NOW + 89 * DAY) == agreed
        assert outbox.visitor("agreed", NOW + 91 * DAY) is outbox.visitor("later", NOW + 91 * DAY) is None

    def test_what_was_remembered_first_stays_and_only_what_was_missing_is_filled_in(self, outbox):
        outbox.remember_visitor("o", Visit(client_ip_address="8.8.4.4"), NOW)
        outbox.remember_visitor("o", Visit(client_ip_address="9.9.9.9", fbp="fb.1.1.1"), NOW + DAY)
        outbox.remember_visitor("o", Visit(fbp="fb.1.2.2", fbc="fb.1.1.AbC"), NOW + DAY)
        assert outbox.visitor("o", NOW + DAY) == Visit(client_ip_address="8.8.4.4", fbp="fb.1.1.1")
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

    def test_an_erased_persons_visit_is_gone_by_the_orders_id_too(self, outbox):
        digest = "ab" * 32
        body = b'{"user_data":{"em":["' + digest.encode() + b'"]},"custom_data":{"order_id":"1001"}}'
        outbox.put([sealed("sale-7", body=body)], NOW)
        outbox.remember_visitor("1001", Visit(client_ip_address="8.8.4.4"), NOW)
        outbox.remember_visitor("1002", Visit(client_ip_address="8.8.4.4"), NOW)
        assert outbox.erase([digest], NOW) == 1
        assert outbox.visitor("1001", NOW) is None and outbox.visitor("1002", NOW) is not None
