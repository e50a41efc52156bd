/**
 * Meta's pixel (fbevents.js) for tests: written from what the real script, build 2.9.252, was measured to do.
 *
 * Theory of operation. Commands wait in `fbq.queue`. Locks stop the queue: one for each pixel whose configuration is not
 * there yet, one for a revoked consent. The queue is worked off in order and stops at the first lock, so the position of
 * `consent revoke` and `dataProcessingOptions` in it decides what they act on. A call while a lock is held goes to the end
 * of the queue, `consent` alone acts at once. Nothing is dropped: what was held is sent when the last lock opens, with the
 * address that the page has then.
 *
 * Settings, of the page (window) or of the script tag that loads this file:
 *   window.fbevents_endpoint       data-endpoint        where images are asked for; default https://www.facebook.com/tr/
 *   window.fbevents_config_delay   data-config-delay    ms until a pixel's configuration is there (0), or "never"
 * For tests to look at and to act with:
 *   window.fbevents_sent           the query of each image, as objects, oldest first
 *   window.fbevents_asked          ids of the pixels whose configuration was asked for
 *   window.fbevents_open()         the configurations that wait arrive now
 *
 * Guesses, since nobody measured them: a `grant` that lies in the queue behind a `revoke` stays there; country and state
 * of `dataProcessingOptions` with one argument are sent as 0. Left out: beacons and forms for long addresses, clicks and
 * microdata of autoConfig, Meta's Gateway.
 */
"use strict";
(function () {
  const given = (document.currentScript && document.currentScript.dataset) || {};
  const endpoint = () => window.fbevents_endpoint || given.endpoint || "https://www.facebook.com/tr/";
  const fbq = window.fbq;
  if (!fbq || !fbq.queue) return console.error("fbevents: the base code is missing");
  if (fbq.instance) return console.warn("fbevents: loaded twice");

  const CONSENT = "consent";
  const DAYS_90 = 7776000;
  const MOST_CLICK = 500;
  const MOST_CLICKS = 5;
  const pixels = new Map();
  const locks = new Set();
  const configs = new Map();
  const sent = (window.fbevents_sent = []);
  const asked = (window.fbevents_asked = []);
  let restriction = null;
  let isWatching = false;
  let here = "";

  // The queue.

  function callMethod(...args) {
    if (locks.size && args[0] !== CONSENT) fbq.queue.push(args);
    else run(args, Boolean(this && this.instance));
  }

  function drain() {
    while (fbq.queue.length && !locks.size) {
      const args = fbq.queue.shift();
      run(args, !args.isAutomatic, args.isAutomatic);
    }
  }

  /** `isOfFbq`: called with `this` = fbq; else the guard against a second PageView does not look. */
  function run(args, isOfFbq, isAutomatic = false) {
    const [verb, ...rest] = args;
    const command = Object.hasOwn(commands, verb) ? commands[verb] : null;
    if (command) command({ rest, isOfFbq, isAutomatic });
    else console.warn(`fbevents: unknown command ${verb}`);
  }

  function open(lock) {
    if (locks.delete(lock)) drain();
  }

  // The commands.

  const commands = {
    init({ rest: [id, matching] }) {
      id = String(id);
      if (!/^\d+$/.test(id)) return console.warn("fbevents: init without a pixel's id");
      const known = pixels.get(id);
      const data = plain(matching);
      if (!known) {
        pixels.set(id, { id, data, isSingle: false, hasPageView: false });
        askConfig(id);
      } else if (!Object.keys(known.data).length) known.data = data;
      else console.warn(`fbevents: duplicate pixel ${id}`);
    },
    consent({ rest: [answer] }) {
      if (answer === "revoke") locks.add(CONSENT);
      else if (answer === "grant") open(CONSENT);
    },
    dataProcessingOptions({ rest }) {
      if (rest.length === 2 || !Array.isArray(rest[0])) return;
      const [options, country = 0, state = 0] = rest;
      restriction = options.length ? { dpo: options.join(","), dpoco: country, dpost: state } : null;
    },
    set({ rest: [name, value, id] }) {
      const pixel = pixels.get(String(id));
      if (name === "trackSingleOnly" && pixel) pixel.isSingle = value;
      if (name === "agent" && pixel) pixel.agent = value;
    },
    track: ({ rest: [name, data, options], ...how }) => toAll(name, data, options, how),
    trackCustom: ({ rest: [name, data, options], ...how }) => toAll(name, data, options, how),
    trackSingle: ({ rest }) => toOne(...rest),
    trackSingleCustom: ({ rest }) => toOne(...rest),
  };

  function toAll(name, data, options, { isOfFbq, isAutomatic }) {
    for (const pixel of pixels.values()) {
      if (pixel.isSingle) continue;
      if (name === "PageView" && isOfFbq) {
        if (pixel.hasPageView && !fbq.allowDuplicatePageViews) {
          console.warn("fbevents: a second PageView is dropped");
          continue;
        }
        pixel.hasPageView = true;
      }
      fire(pixel, name, data, options, { isMarked: !isOfFbq, isAutomatic });
    }
  }

  function toOne(id, name, data, options) {
    const pixel = pixels.get(String(id));
    if (pixel) fire(pixel, name, data, options, {});
    else console.warn(`fbevents: no pixel ${id}`);
  }

  // Sending.

  function fire(pixel, name, data, options, { isMarked = false, isAutomatic = false }) {
    // The real one finds its parts through `window.fbq`: a function put in its place without them ends it in silence.
    if (!window.fbq || !window.fbq.instance) return;
    watchHistory();
    keep("_fbp", cookie("_fbp") || mint(`${nineDigits()}${nineDigits()}`));
    if (cookie("_fbc")) keep("_fbc", cookie("_fbc"));
    const query = { id: pixel.id, ev: name, dl: location.href, rl: document.referrer, ts: Date.now() };
    for (const [key, value] of Object.entries(plain(data))) query[`cd[${key}]`] = text(value);
    for (const [key, value] of Object.entries(pixel.data)) addMatching(query, key, value);
    const id = plain(options).eventID ?? plain(options).event_id;
    if (id != null && id !== "") query.eid = id;
    Object.assign(query, restriction, pixel.agent && { a: pixel.agent });
    for (const key of ["fbp", "fbc"]) if (cookie(`_${key}`)) query[key] = cookie(`_${key}`);
    if (isMarked) query["ie[a]"] = 1;
    if (isAutomatic) query.auto = 1;
    sent.push(query);
    new Image().src = `${endpoint()}?${new URLSearchParams(query)}`;
  }

  function plain(value) {
    return value && typeof value === "object" ? { ...value } : {};
  }

  function text(value) {
    return value && typeof value === "object" ? JSON.stringify(value) : String(value);
  }

  // Single-page applications, and pages that come back.

  /** From the first event on; `disablePushState` is read here and never again. */
  function watchHistory() {
    if (isWatching) return;
    isWatching = true;
    here = location.href;
    if (fbq.disablePushState) return;
    for (const verb of ["pushState", "replaceState"]) {
      const original = history[verb];
      history[verb] = function (...args) {
        const result = original.apply(this, args);
        look();
        return result;
      };
    }
    addEventListener("popstate", look);
  }

  function look() {
    if (here === location.href) return;
    here = location.href;
    automaticPageView();
  }

  function automaticPageView() {
    const args = Object.assign(["trackCustom", "PageView"], { isAutomatic: true });
    if (locks.size) fbq.queue.push(args);
    else run(args, false, true);
  }

  addEventListener("pageshow", (event) => event.persisted && automaticPageView());

  // A pixel's configuration.

  function askConfig(id) {
    asked.push(id);
    locks.add(id);
    configs.set(id, () => {
      configs.delete(id);
      keepClick();
      open(id);
    });
    const delay = window.fbevents_config_delay ?? given.configDelay ?? 0;
    if (delay !== "never") setTimeout(() => configs.get(id)?.(), Number(delay));
  }

  window.fbevents_open = () => {
    while (configs.size) configs.values().next().value(); // an `init` behind the first one asks for another
  };

  // Cookies.

  function keepClick() {
    const click = clickOf(location.href) || clickOf(document.referrer);
    const old = cookie("_fbc");
    if (click && click.length <= MOST_CLICK && !(old && old.endsWith(`.${click}`))) keep("_fbc", mint(click));
    else if (old) keep("_fbc", old);
    if (click && click.length <= MOST_CLICK) remember(cookie("_fbc"));
    if (document.referrer && new URL(document.referrer).host !== location.host)
      localStorage.setItem("lastExternalReferrer", document.referrer);
  }

  function clickOf(address) {
    return address ? new URL(address).searchParams.get("fbclid") : null;
  }

  function remember(click) {
    const clicks = JSON.parse(localStorage.getItem("multiFbc") || "[]").filter((other) => other !== click);
    localStorage.setItem("multiFbc", JSON.stringify([...clicks, click].slice(-MOST_CLICKS)));
  }

  function cookie(name) {
    const found = new RegExp(`(?:^|; )${name}=([^;]*)`).exec(document.cookie);
    return found ? found[1] : "";
  }

  function mint(last) {
    return `fb.${domain() ? domain().split(".").length - 2 : 0}.${Date.now()}.${last}`;
  }

  function nineDigits() {
    return String(Math.floor(1e8 + Math.random() * 9e8));
  }

  function keep(name, value) {
    write(name, value, domain(), DAYS_90);
  }

  function write(name, value, where, age) {
    document.cookie = `${name}=${value}; max-age=${age}; path=/; samesite=lax${where && `; domain=${where}`}`;
  }

  let found = null;
  /** The shortest domain that a cookie sticks to, with a point before it; "" on a host without one. */
  function domain() {
    if (found !== null) return found;
    const labels = location.hostname.split(".");
    found = "";
    if (/^[\d.]+$/.test(location.hostname)) return found;
    for (let n = labels.length - 1; n >= 0 && !found; n--) {
      const where = `.${labels.slice(n).join(".")}`;
      write("_fbt", "1", where, 60);
      if (cookie("_fbt")) found = where;
      write("_fbt", "", where, 0);
    }
    return found;
  }

  // Advanced matching: normalised a little, hashed unless it is a hash.

  const ALIASES = {
    email: "em", user_email: "em", phone: "ph", phone_number: "ph", first_name: "fn", f_name: "fn", last_name: "ln",
    l_name: "ln", gender: "ge", gen: "ge", dob: "db", city: "ct", state: "st", zip: "zp", cn: "country",
  };

  function addMatching(query, key, value) {
    const name = ALIASES[key] || key;
    const clean = String(value).trim().toLowerCase().replace(name === "ph" ? /\D/g : /^$/, "");
    if (clean) query[`ud[${name}]`] = /^[0-9a-f]{64}$/.test(clean) ? clean : sha256(clean);
  }

  /** FIPS 180-4. `crypto.subtle` is not there on a page without TLS, and the real one has its own, too. */
  function sha256(message) {
    const fraction = (x) => Math.floor((x - Math.floor(x)) * 2 ** 32);
    const primes = [];
    for (let n = 2; primes.length < 64; n++) if (primes.every((prime) => n % prime)) primes.push(n);
    const k = primes.map((prime) => fraction(Math.cbrt(prime)));
    const hash = primes.slice(0, 8).map((prime) => fraction(Math.sqrt(prime)));
    const bytes = [...new TextEncoder().encode(message), 0x80];
    const bits = (bytes.length - 1) * 8;
    while (bytes.length % 64 !== 56) bytes.push(0);
    for (let shift = 56; shift >= 0; shift -= 8) bytes.push(shift >= 32 ? 0 : (bits >>> shift) & 255);
    const turn = (x, n) => (x >>> n) | (x << (32 - n));
    for (let start = 0; start < bytes.length; start += 64) {
      const w = [];
      for (let i = 0; i < 64; i++) {
        if (i < 16) {
          const at = start + i * 4;
          w[i] = (bytes[at] << 24) | (bytes[at + 1] << 16) | (bytes[at + 2] << 8) | bytes[at + 3];
        } else {
          const s0 = turn(w[i - 15], 7) ^ turn(w[i - 15], 18) ^ (w[i - 15] >>> 3);
          const s1 = turn(w[i - 2], 17) ^ turn(w[i - 2], 19) ^ (w[i - 2] >>> 10);
          w[i] = (w[i - 16] + s0 + w[i - 7] + s1) | 0;
        }
      }
      let [a, b, c, d, e, f, g, h] = hash;
      for (let i = 0; i < 64; i++) {
        const s1 = turn(e, 6) ^ turn(e, 11) ^ turn(e, 25);
        const t1 = (h + s1 + ((e & f) ^ (~e & g)) + k[i] + w[i]) | 0;
        const t2 = ((turn(a, 2) ^ turn(a, 13) ^ turn(a, 22)) + ((a & b) ^ (a & c) ^ (b & c))) | 0;
        [a, b, c, d, e, f, g, h] = [(t1 + t2) | 0, a, b, c, (d + t1) | 0, e, f, g];
      }
      [a, b, c, d, e, f, g, h].forEach((x, i) => (hash[i] = (hash[i] + x) | 0));
    }
    return hash.map((x) => (x >>> 0).toString(16).padStart(8, "0")).join("");
  }

  // Begin: `callMethod` is there before anything can be sent.

  fbq.instance = { pixelsByID: pixels };
  fbq.version = "2.9.252";
  fbq.getState = () => ({ pixels: [...pixels.values()].map(({ id, data }) => ({ id, userData: { ...data } })) });
  window.fbq.callMethod = callMethod;
  drain();
})();
