"""A shop on Flask. It only keeps events; `conversion-relay deliver` is a process of its own."""

from uuid import uuid4

from flask import Flask, render_template_string, request

from conversion_relay import CustomData, Event, UserData
from conversion_relay.frameworks.flask import ConsentCookie, Conversions

THANKS = """<!doctype html>
<title>Thank you</title>
{{ relay_script(consent="required") }}
<p id="order">{{ order }}</p>
{{ relay_event("Purchase", tracked.event_id, {"value": total, "currency": "EUR"}) }}
"""

app = Flask(__name__)
conversions = Conversions(app, consent=ConsentCookie("marketing"))


@app.post("/checkout")
def checkout() -> str:
    order, total = str(uuid4()), float(request.form["total"])
    tracked = conversions.track(
        Event(
            event_name="Purchase",
            event_id=f"purchase_{order}",
            user_data=UserData(email=request.form["email"]),
            custom_data=CustomData(value=total, currency="EUR", order_id=order),
        )
    )
    return render_template_string(THANKS, order=order, total=total, tracked=tracked)
