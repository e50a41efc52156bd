// Reads the stand-in's own controls once a second and sets every text as text.
"use strict";

const MODES = ["down", "hang", "drip", "reset", "http_500", "html_503", "throttle", "token_expired", "unknown_dataset",
  "lost_answer", "short_count", "malformed"];
const NEWEST = 200;
const $ = (id) => document.getElementById(id);
const open = new Set();
let shown = "";

function element(tag, className, text) {
  const node = document.createElement(tag);
  if (className) node.className = className;
  if (text !== undefined && text !== null) node.textContent = text;
  return node;
}

function ago(seconds) {
  if (seconds < 2) return "now";
  const [n, unit] = seconds < 90 ? [seconds, "s"] : seconds < 5400 ? [seconds / 60, "min"] : [seconds / 3600, "h"];
  return `${Math.round(n)} ${unit} ago`;
}

function figures(state) {
  const facts = { events: state.events, "counted once": state.unique, requests: state.requests };
  if (state.forgotten) facts["no longer kept"] = state.forgotten;
  const said = JSON.stringify(facts);
  // A screen reader reads out what is put there: only what is new.
  if ($("figures").dataset.said !== said) $("figures").replaceChildren(...Object.entries(facts).map(([name, value]) => {
    const box = element("div");
    box.append(element("dt", "", name), element("dd", "", value.toLocaleString()));
    return box;
  }));
  $("figures").dataset.said = said;
  const modes = state.faults.flatMap((fault) => fault.modes ?? [fault.mode]);
  for (const button of $("modes").children) {
    const isOn = modes.includes(button.textContent);
    button.className = isOn ? "on" : "";
    button.setAttribute("aria-pressed", String(isOn));
  }
  $("faults").hidden = state.faults.length === 0;
  $("faults").textContent = `Misbehaving: ${state.faults.map((fault) => [fault.mode ?? fault.modes?.join(" or "),
    fault.times && `${fault.times} more`, fault.dataset && `dataset ${fault.dataset}`].filter(Boolean).join(", ")).join("; ")}`;
}

function eventCard(arrived, number, now) {
  const { event } = arrived;
  const card = element("details");
  const line = element("summary");
  line.append(element("b", "", event.event_name), element("span", `badge ${arrived.source}`, arrived.source));
  if (arrived.duplicate) line.append(element("span", "badge duplicate", "duplicate: not counted"));
  const custom = event.custom_data ?? {};
  if (custom.value !== undefined) line.append(element("span", "money", `${custom.value} ${custom.currency ?? ""}`));
  line.append(element("code", "", event.event_id ?? "no event_id"), element("span", "keys", Object.keys(event.user_data).join(" ")),
    element("span", "age", ago(now - arrived.received_at)));
  const inside = element("div", "inside");
  inside.append(...arrived.diagnostics.map((text) => element("p", "diagnostic", `⚠ ${text}`)), element("pre", "", JSON.stringify(event, null, 2)));
  card.append(line, inside);
  card.open = open.has(number);
  card.dataset.number = number;
  card.addEventListener("toggle", () => (card.open ? open.add(number) : open.delete(number)));
  return card;
}

function requestRow(request) {
  const row = element("tr");
  const answer = request.code ? `${request.status}: code ${request.code}${request.subcode ? `/${request.subcode}` : ""}` : request.status ?? "none";
  row.append(element("td", "", new Date(request.at * 1000).toLocaleTimeString()), element("td", "", request.path.split("/")[2]),
    element("td", "n", request.events ?? ""), element("td", "", request.fault ?? ""), element("td", "", answer));
  return row;
}

function replaceEvents(cards) {
  const held = document.activeElement?.closest("#events details")?.dataset.number;
  $("events").replaceChildren(...cards);
  if (held) document.querySelector(`#events details[data-number="${held}"] summary`)?.focus();
}

function isSelected() {
  const chosen = document.getSelection();
  return chosen && !chosen.isCollapsed && chosen.getRangeAt(0).intersectsNode($("events"));
}

async function read(path) {
  return (await fetch(`/_emulator/${path}`)).json();
}

async function refresh() {
  const [state, { events }, { requests }] = await Promise.all([read("state"), read(`events?limit=${NEWEST}`), read("requests")]);
  const now = Date.now() / 1000;
  figures(state);
  const wanted = $("filter").value.toLowerCase();
  const first = state.events - events.length;
  const list = events.map((arrived, i) => [arrived, first + i]).filter(([arrived]) => JSON.stringify(arrived).toLowerCase().includes(wanted));
  const key = JSON.stringify([state.events, wanted, Math.floor(now / 5)]);
  if (key !== shown && !isSelected()) {
    shown = key;
    replaceEvents(list.reverse().map(([arrived, number]) => eventCard(arrived, number, now)));
    $("no-events").hidden = state.events > 0;
    const bad = requests.filter((request) => request.fault || request.code).slice(-50).reverse();
    $("refused").tBodies[0].replaceChildren(...bad.map(requestRow));
    $("refused").hidden = bad.length === 0;
    $("no-refused").hidden = bad.length > 0;
  }
}

function post(verb, body) {
  return fetch(`/_emulator/${verb}`, { method: "POST", body: JSON.stringify(body) }).then(turn);
}

async function turn() {
  try {
    await refresh();
  } catch {
    $("faults").hidden = false;
    $("faults").textContent = "no answer from the stand-in";
  }
}

$("modes").replaceChildren(...MODES.map((mode) => {
  const button = element("button", "", mode);
  button.addEventListener("click", () => post("misbehave", { mode }));
  return button;
}));
$("behave").addEventListener("click", () => post("misbehave", { mode: "none" }));
$("reset").addEventListener("click", () => post("reset", {}));
$("filter").addEventListener("input", () => turn());
setInterval(turn, 1000);
turn();
