// Reads /dashboard/data once a second and sets every text as text.
"use strict";

const STATES = ["delivered", "pending", "leased", "dead", "expired", "erased"];
const $ = (id) => document.getElementById(id);

function element(tag, className, text) {
  const node = document.createElement(tag);
  if (className) node.className = className;
  if (text !== undefined && text !== null) node.textContent = text;
  return node;
}

function ago(seconds) {
  if (seconds < 1) return "now";
  const [n, unit] = seconds < 60 ? [seconds, "s"] : seconds < 3600 ? [seconds / 60, "min"]
    : seconds < 172800 ? [seconds / 3600, "h"] : [seconds / 86400, "d"];
  return `${Math.floor(n)} ${unit}`;
}

function bar(dataset) {
  const svg = document.createElementNS("http://www.w3.org/2000/svg", "svg");
  svg.setAttribute("class", "bar");
  svg.setAttribute("viewBox", "0 0 1000 8");
  svg.setAttribute("preserveAspectRatio", "none");
  let x = 0;
  for (const state of STATES) {
    const width = dataset.accepted ? (1000 * dataset[state]) / dataset.accepted : 0;
    const part = document.createElementNS("http://www.w3.org/2000/svg", "rect");
    for (const [name, value] of Object.entries({ x, width, y: 0, height: 8, class: `fill-${state}` })) part.setAttribute(name, value);
    svg.append(part);
    x += width;
  }
  return svg;
}

function card(dataset, now) {
  const box = element("div", "dataset");
  const title = element("h2", "", `Dataset ${dataset.dataset}`);
  const parked = dataset.parked_seconds > 0;
  title.append(element("span", `badge ${parked ? "parked" : "open"}`, parked
    ? `waiting ${Math.ceil(dataset.parked_seconds)} s: ${dataset.why}` : "sending"));
  const skew = Math.round(dataset.clock_skew_seconds);
  if (Math.abs(skew) >= 60) title.append(element("span", "badge parked",
    `this machine's clock is ${ago(Math.abs(skew))} ${skew > 0 ? "ahead of" : "behind"} Meta's`));
  if (dataset.error_share > 0.15) title.append(element("span", "badge parked",
    `${Math.round(100 * dataset.error_share)} % of the last requests failed`));
  const tiles = element("div", "tiles");
  for (const state of ["accepted", ...STATES]) {
    const tile = element("div", `tile ${state}`);
    tile.append(element("b", "", dataset[state].toLocaleString()), element("span", "", state));
    tiles.append(tile);
  }
  const balanced = dataset.imbalance === 0;
  const oldest = dataset.oldest_pending_at ? `; the oldest waits ${ago(now - dataset.oldest_pending_at)}` : "";
  box.append(title, tiles, bar(dataset), element("p", `balance${balanced ? "" : " off"}`, balanced
    ? `accepted = the sum of the states${oldest}` : `the books are off by ${dataset.imbalance}`));
  return box;
}

function row(story, cells) {
  const line = element("tr");
  line.tabIndex = 0;
  line.append(...cells);
  const open = () => tell(story.event_id);
  line.addEventListener("click", open);
  line.addEventListener("keydown", (event) => event.key === "Enter" && open());
  return line;
}

function idCell(story) {
  const cell = element("td", "id", story.event_id);
  cell.title = story.event_id;
  return cell;
}

function recentRow(story, now) {
  const state = element("td");
  state.append(element("span", `badge ${story.state}`, story.state));
  return row(story, [element("td", "", story.event_name), idCell(story), state, element("td", "", story.reason ?? ""),
    element("td", "n", story.attempts), element("td", "n", ago(now - story.accepted_at))]);
}

function deadRow(story, now) {
  const last = story.history.at(-1) ?? {};
  const left = story.expires_at - now;
  return row(story, [element("td", "", story.event_name), idCell(story), element("td", "", story.reason),
    element("td", "", last.title ?? ""), element("td", "", last.fbtrace_id ?? ""), element("td", "n", left > 0 ? ago(left) : "too old")]);
}

async function tell(eventId) {
  const answer = await fetch(`/dashboard/event?id=${encodeURIComponent(eventId)}`);
  if (!answer.ok) return;
  const [story] = await answer.json();
  const at = (seconds, text) => {
    const step = element("li");
    step.append(element("time", "", new Date(seconds * 1000).toISOString()), element("span", "", text));
    return step;
  };
  $("story-title").textContent = `${story.event_name} · ${story.event_id}`;
  $("story-steps").replaceChildren(
    at(story.event_time, "it happened"), at(story.accepted_at, "accepted: durable from here on"),
    ...story.history.map((h) => at(h.at, [h.outcome, h.why, h.code && `code ${h.code}`, h.subcode && `subcode ${h.subcode}`,
      h.title, h.fbtrace_id].filter(Boolean).join(" · "))),
    story.settled_at ? at(story.settled_at, [story.state, story.reason].filter(Boolean).join(": "))
      : at(story.due_at ?? story.accepted_at, `${story.state}; next try`));
  $("story").showModal();
}

async function refresh() {
  try {
    const answer = await fetch("/dashboard/data");
    if (!answer.ok) throw new Error(`HTTP ${answer.status}`);
    const data = await answer.json();
    $("datasets").replaceChildren(...data.datasets.map((dataset) => card(dataset, data.now)));
    $("recent").tBodies[0].replaceChildren(...data.recent.map((story) => recentRow(story, data.now)));
    $("dead").tBodies[0].replaceChildren(...data.dead.map((story) => deadRow(story, data.now)));
    $("dead").hidden = !(($("no-dead").hidden = data.dead.length > 0));
    $("pulse").textContent = data.datasets.length ? `as of ${new Date(data.now * 1000).toLocaleTimeString()}` : "no event yet";
  } catch (error) {
    $("pulse").textContent = `no answer from the relay (${error.message})`;
  }
  setTimeout(refresh, 1000);
}

refresh();
