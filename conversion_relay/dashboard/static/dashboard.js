// Live updates: the same page is fetched again, and what changed is patched in place. Nothing is redrawn under the reader:
// an element that holds the focus, the selection or a changed form stays as it is, and nothing is asked while the tab is
// hidden or the button says paused. Without this script the pages work; they stay still.
//
// Two trees are walked side by side. Children are the same by their data-key, else by their tag and place among its like;
// what is only in the new page comes, what is only in the old one goes, and what holds no data-key is one piece.
"use strict";

const EVERY = 2000;
const PATIENCE = 10000;
const button = document.getElementById("live");
const stale = document.getElementById("stale");
let paused = false;
let answered = Date.now();
const asked = location.href;
const done = document.querySelector(".done");

function isChanged(field) {
  if (field.type === "checkbox") return field.checked !== field.defaultChecked;
  if (field.tagName !== "SELECT") return field.value !== field.defaultValue;
  return field.selectedIndex !== Math.max(0, [...field.options].findIndex((option) => option.defaultSelected));
}

function inHand(element) {
  const chosen = document.getSelection();
  const selects = chosen && !chosen.isCollapsed && chosen.getRangeAt(0).intersectsNode(element);
  const all = [element, ...element.querySelectorAll("input, select, textarea, details[open]")];
  const isTouched = (one) => (one.matches("input, select, textarea") ? isChanged(one) : one.matches("details[open]"));
  return element.contains(document.activeElement) || selects || all.some(isTouched);
}

function named(parent) {
  const seen = new Map();
  return new Map([...parent.children].map((child) => {
    const name = child.dataset.key === undefined ? child.tagName : `key ${child.dataset.key}`;
    seen.set(name, (seen.get(name) || 0) + 1);
    return [`${name} ${seen.get(name)}`, child];
  }));
}

function patchChildren(old, fresh) {
  const known = named(old);
  const wanted = named(fresh);
  for (const [name, mine] of known) if (!wanted.has(name) && !inHand(mine)) mine.remove();
  let before = null;
  for (const [name, other] of wanted) {
    let mine = known.get(name);
    if (mine) mine = patch(mine, other);
    else {
      mine = document.importNode(other, true);
      if (before) before.after(mine);
      else old.prepend(mine);
    }
    before = mine;
  }
}

function patch(mine, other) {
  if (mine.isEqualNode(other)) return mine;
  if (mine.querySelector("[data-key]") && other.querySelector("[data-key]")) {
    for (const { name, value } of other.attributes) mine.setAttribute(name, value);
    patchChildren(mine, other);
  }
  else if (!inHand(mine)) {
    const fresh = document.importNode(other, true);
    mine.replaceWith(fresh);
    return fresh;
  }
  return mine;
}

function withCopies(root) {
  if (navigator.clipboard) for (const copy of root.querySelectorAll("[data-copy]")) copy.hidden = false;
  return root;
}

// A need is said once, by its cause: its figures change every two seconds.
function causes() {
  return new Map([...document.querySelectorAll(".needs > [data-key]")].map((need) => [need.dataset.key, need.textContent]));
}

function announce(before) {
  const fresh = [...causes()].filter(([cause]) => !before.has(cause)).map(([, said]) => said.trim());
  if (fresh.length) document.getElementById("news").textContent = fresh.join(" ");
}

function tell() {
  const isOld = Date.now() - answered > PATIENCE;
  const said = isOld ? `No answer since ${new Date(answered).toLocaleTimeString()}: what stands here is from then.` : "";
  if (stale.textContent !== said) stale.textContent = said;
}

async function look() {
  if (!paused && !document.hidden) {
    try {
      const answer = await fetch(asked, { headers: { "X-Patch": "1" }, cache: "no-store", signal: AbortSignal.timeout(PATIENCE) });
      if (answer.status === 401) return location.reload(); // the session is over: sign in, and come back here
      const main = answer.ok && new DOMParser().parseFromString(await answer.text(), "text/html").getElementById("main");
      if (main) {
        const before = causes();
        patchChildren(document.getElementById("main"), withCopies(main));
        announce(before);
        answered = Date.now();
      }
    } catch {
      // The relay restarts, or hangs; the next look finds it.
    }
  } else answered = Date.now(); // nothing is expected
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
  setInterval(tell, EVERY);
  document.addEventListener("visibilitychange", () => {
    answered = Date.now(); // a hidden tab's timers hardly run
  });
}
withCopies(document).addEventListener("click", ({ target }) => {
  const { copy } = target.dataset;
  if (copy) navigator.clipboard.writeText(document.getElementById(copy).textContent);
});
if (done) {
  done.focus(); // what the form did is read out, and Tab goes on from there
  const plain = new URL(asked);
  plain.searchParams.delete("done");
  history.replaceState(null, "", plain); // said once: a reload or a bookmark does not say it again
}
