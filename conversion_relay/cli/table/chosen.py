"""Which rows of an export of orders are Purchases at all.

What could go wrong. A shop's export lists every order: paid, pending, failed, cancelled, refunded. Its column "Status"
tells which, and no column of Meta's takes it. Imported as they stand, orders that nobody paid become Purchases of their
whole value, each with the verdict "accepted".

The rule. Where Purchases are imported and a column tells of a status, it is asked which of its values count; `--only`
says it, and `--map COLUMN=-` says that all do. A row that was not chosen has its own verdict; it is no error.
"""

import re
from collections.abc import Mapping, Sequence

import msgspec

from conversion_relay.cli.table.dialect import Question
from conversion_relay.personal_data import folded

NOT_CHOSEN = "not_chosen"
MOST_SHOWN = 6
_LONGEST = 40
_STATUS = frozenset(folded("status state stage outcome statut etat estado situacao situacion stato stav stan").split())
_OF_AN_ORDER = frozenset(
    folded(
        "order orders payment payments financial transaction sale sales purchase deal opportunity invoice charge"
        " checkout bestellung zahlung commande paiement achat vente pedido pago compra venta transaccion factura venda"
        " pagamento transacao fatura cobranca ordine vendita transazione bestelling betaling zamowienia platnosci"
        " transakcji of de del della da do des du la le the van der"
    ).split()
)
_HEADINGS = frozenset(
    folded(
        "bestellstatus|zahlungsstatus|auftragsstatus|transaktionsstatus|zustand|bestelstatus|betaalstatus|状态|订单状态|状況"
        "|注文状況|支払い状況|상태|주문상태|주문 상태"
    ).split("|")
)


class Choice(msgspec.Struct, frozen=True):
    """Rows count whose cell in the column `at` is one of `values`, which are folded."""

    at: int
    values: frozenset[str]

    def takes(self, cells: Sequence[str]) -> bool:
        return _plain(cells[self.at]) in self.values


def choices(headings: Sequence[str], only: Mapping[str, Sequence[str]]) -> tuple[Choice, ...]:
    """Of columns that the file has."""
    return tuple(
        Choice(headings.index(column), frozenset(map(_plain, values)))
        for column, values in only.items()
        if column in headings
    )


def unanswered(headings: Sequence[str], rows: Sequence[Sequence[str]], answered: Sequence[str]) -> list[Question]:
    """`answered`: columns that an option names. A column without a value in these rows asks nothing."""
    questions = []
    for at, heading in enumerate(headings):
        if heading in answered or not tells_status(heading):
            continue
        values = list(dict.fromkeys(row[at].strip() for row in rows if at < len(row) and row[at].strip()))
        if values:
            shown = [value[:_LONGEST] for value in values[:MOST_SHOWN]]
            more = ", ..." if len(values) > MOST_SHOWN else ""
            what = (
                f"{heading!r} tells what became of an order ({', '.join(shown)}{more}), and every row would count as a"
                " Purchase; say which do, once for each value, or that all do"
            )
            options = tuple(f"--only '{heading}={value}'" for value in shown)
            questions.append(Question(what, (*options, f"--map '{heading}=-'")))
    return questions


def tells_status(heading: str) -> bool:
    """By the heading: one word for a status, and none but for orders and payments beside it.

    >>> tells_status("Financial Status"), tells_status("Status da transação"), tells_status("Fulfillment Status")
    (True, True, False)
    """
    plain = _plain(re.sub(r"[\s_\-.()\[\]#:]+", " ", heading))
    words = set(plain.split())
    return plain in _HEADINGS or (len(words & _STATUS) == 1 and words - _STATUS <= _OF_AN_ORDER)


def _plain(text: str) -> str:
    return folded(text).lower().strip()
