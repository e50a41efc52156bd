"""The checkout. A rolled back order tells Meta nothing; a committed one is told, whatever happens to this process."""

from decimal import Decimal

from django.db import transaction
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_POST

from conversion_relay import CustomData, Event, UserData
from conversion_relay.frameworks.django import track
from shop.models import Order


@require_POST
def checkout(request: HttpRequest) -> HttpResponse:
    with transaction.atomic():
        order = Order.objects.create(email=request.POST["email"], total=Decimal(request.POST["total"]))
        tracked = track(
            request,
            Event(
                event_name="Purchase",
                event_id=f"purchase_{order.pk}",
                user_data=UserData(email=order.email),
                custom_data=CustomData(value=float(order.total), currency="EUR", order_id=str(order.pk)),
            ),
        )
        if "fail" in request.POST:
            transaction.set_rollback(True)
    return render(request, "thanks.html", {"order": order, "tracked": tracked})
