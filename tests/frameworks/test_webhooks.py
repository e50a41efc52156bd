"""docs/payments.md, a route of the program's own: each framework's own request, and what the provider is answered."""

import asyncio
import json
import time

import pytest

from tests import asgi
from tests.payments import stripe_notices
from tests.payments.signing import stripe_header
from tests.test_documents import blocks


def in_flask(heard, raw, headers):
    from flask import Flask, request

    app = Flask("shop")
    app.post("/webhooks/<provider>")(lambda provider: heard(provider, request.get_data(), request.headers))
    answer = app.test_client().post("/webhooks/stripe", data=raw, headers=headers)
    return answer.status_code, answer.get_json(), answer.headers


def in_django(heard, raw, headers):
    from django.http import JsonResponse
    from django.test import RequestFactory

    request = RequestFactory().post("/", raw, content_type="application/json", headers=headers)
    body, status, given = heard("stripe", request.body, request.headers)
    answer = JsonResponse(body, status=status, headers=given)
    return answer.status_code, json.loads(answer.content), answer.headers


def in_starlette(heard, raw, headers):
    from starlette.applications import Starlette
    from starlette.responses import JSONResponse
    from starlette.routing import Route

    async def endpoint(request):
        given = request.path_params["provider"], await request.body(), request.headers
        return JSONResponse(*await asyncio.to_thread(heard, *given))

    app = Starlette(routes=[Route("/webhooks/{provider}", endpoint, methods=["POST"])])
    answer = asgi.ask(app, "/webhooks/stripe", raw, **headers)
    return answer.status, json.loads(answer.body), answer.headers


def by_hand(heard, raw, headers):
    body, status, given = heard("stripe", raw, headers)
    return status, body, given


@pytest.mark.usefixtures("django_shop")
@pytest.mark.parametrize("asked", [in_flask, in_django, in_starlette, by_hand])
def test_a_program_answers_in_a_route_of_its_own(asked, monkeypatch, relay_events):
    monkeypatch.setenv("STRIPE_WEBHOOK_SECRET", "whsec_1")
    program: dict = {}
    exec(blocks("docs/payments.md", "python")[0], program)
    now = int(time.time())
    raw = json.dumps(stripe_notices.event("checkout.session.completed", stripe_notices.session(), created=now)).encode()
    status, body, _ = asked(program["heard"], raw, {"Stripe-Signature": stripe_header(raw, "whsec_1", now)})
    assert (status, body) == (200, {"message": "accepted", "event_id": "purchase_cart-77"})
    status, body, headers = asked(program["heard"], raw, {"Stripe-Signature": "t=1,v1=00"})
    assert {name.lower(): value for name, value in headers.items()}["x-relay-reason"] == body[
        "reason"
    ] and status == 400
    (purchase,) = relay_events.named("Purchase")
    assert purchase["custom_data"]["value"] == 49.9
