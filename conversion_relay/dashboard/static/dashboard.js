// Live updates: the same page is fetched again, and what changed is patched in place by its data-key. Nothing is redrawn
// under the reader: an element that holds the focus, the selection or a changed form stays as it is, and nothing is
// asked while the tab is hidden or the button says paused. Without this script the pages work; they stay still.
"use strict";

const EVERY = 2000;
const button = document.getElementById("live");
let paused = false;

function inHand(element) {
  const chosen = document.getSelection();
  const selects = chosen && !chosen.isCollapsed && element.contains(chosen.anchorNode);
  return element.contains(document.activeElement) || selects || element.querySelector("input:checked, details[open]");
}

function patchRows(old, fresh) {
  const known = new Map([...old.children].map((row) => [row.dataset.key, row]));
  const wanted = [...fresh.children];
  for (const row of wanted) {
    const mine = known.get(row.dataset.key);
    if (mine === undefined) continue;
    known.delete(row.dataset.key);
    if (!inHand(mine) && !mine.isEqualNode(row)) mine.replaceWith(document.importNode(row, true));
  }
  for (const row of known.values()) if (!inHand(row)) row.remove();
  const here = new Set([...old.children].map((row) => row.dataset.key));
  let after = null;
  for (const row of wanted) {
    if (here.has(row.dataset.key)) {
      after = [...old.children].find((mine) => mine.dataset.key === row.dataset.key);
      continue;
    }
    const mine = document.importNode(row, true);
    if (after) after.after(mine);
    else old.prepend(mine);
    after = mine;
  }
}

function patch(fresh) {
  for (const part of document.querySelectorAll("main > [data-key], main section > [data-key], main div > [data-key]")) {
    const other = fresh.querySelector(`[data-key="${CSS.escape(part.dataset.key)}"]`);
    if (!other || part.isEqualNode(other)) continue;
    const body = part.querySelector("tbody");
    const otherBody = other.querySelector("tbody");
    if (body && otherBody) patchRows(body, otherBody);
    else if (!inHand(part)) part.replaceWith(document.importNode(other, true));
  }
}

async function look() {
  if (!paused && !document.hidden) {
    try {
      const answer = await fetch(location.href, { headers: { "X-Patch": "1" }, cache: "no-store" });
      if (answer.status === 401) return location.reload(); // the session is over: sign in, and come back here
      if (answer.ok) patch(new DOMParser().parseFromString(await answer.text(), "text/html"));
    } catch {
      // The relay restarts; the next look finds it.
    }
  }
  setTimeout(look, EVERY);
}

if (document.querySelector("main[data-live]")) {
  button.hidden = false;
  button.addEventListener("click", () => {
    paused = !paused;
    button.textContent = paused ? "Go on" : "Pause";
    button.setAttribute("aria-pressed", String(!paused));
  });
  setTimeout(look, EVERY);
}
for (const copy of document.querySelectorAll("[data-copy]")) {
  if (!navigator.clipboard) break;
  copy.hidden = false;
  copy.addEventListener("click", () => navigator.clipboard.writeText(document.getElementById(copy.dataset.copy).textContent));
}
