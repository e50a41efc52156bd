// Reports the page that is viewed, and sends the forms without leaving it.
"use strict";

const { contentName, contentCategory } = document.body.dataset;
if (contentName) MetaTracking.sendViewContentEvent({ contentName, contentCategory });

// However often the page of thanks is visited, the pixel hears of the purchase once, under the webhook's id.
const { purchaseId, value, currency } = document.body.dataset;
if (purchaseId) MetaTracking.trackOnce(purchaseId, "Purchase", { value: Number(value), currency }, { pixelOnly: true });

for (const form of document.querySelectorAll("form[data-event]")) {
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    send(form);
  });
}

async function send(form) {
  const button = form.querySelector("button[type=submit]");
  const fields = Object.fromEntries([...new FormData(form)].filter(([, value]) => value !== ""));
  tell(form, null);
  button.disabled = true;
  try {
    const answer = await fetch(form.action, {
      method: "POST",
      headers: { "Content-Type": "application/json" },
      body: JSON.stringify({ ...fields, visitor: MetaTracking.visitor() }),
    });
    const body = await answer.json();
    if (!answer.ok) return tell(form, body);
    // The server has sent its copy; the pixel gets the same id.
    MetaTracking.track(form.dataset.event, {}, { eventId: body.event_id, pixelOnly: true });
    if (body.registration_id) location.href = `/checkout/${body.registration_id}`;
    else {
      form.reset();
      form.querySelector(".done").hidden = false;
    }
  } catch {
    tell(form, { message: "no answer from the server; please try again" });
  } finally {
    button.disabled = false;
  }
}

function tell(form, problem) {
  const place = form.querySelector(".problem");
  place.hidden = !problem;
  for (const input of form.elements) input.removeAttribute("aria-invalid");
  if (!problem) return;
  const input = problem.field && form.elements[problem.field];
  const label = input && input.labels && input.labels[0] ? input.labels[0].textContent.trim().split("\n")[0] : "";
  place.textContent = label ? `${label}: ${problem.message}` : problem.message;
  if (input) {
    input.setAttribute("aria-invalid", "true");
    input.focus();
  }
}
