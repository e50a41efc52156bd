/**
 * meta-tracking.js: tells your server what the page saw, and the pixel the same under the same id.
 *
 *   <script src="meta-tracking.js" data-view-content-endpoint="https://api.example.com/view-content"
 *           data-endpoint="https://relay.example.com/events" data-consent="required" data-auto-page-views></script>
 *   MetaTracking.sendViewContentEvent({contentName: "Course Overview", contentCategory: "education"});
 *
 * One event id goes to both, so Meta counts one event. Without consent, where it is required, nothing is sent and nothing
 * is kept. It never blocks the page, never throws into it, and says in `MetaTracking.debug` why it stayed silent.
 */
/**
 * @typedef {object} ViewContent
 * @property {string} contentName
 * @property {string} [contentCategory]
 * @property {string} [userEmail] only if the visitor is logged in; your server hashes it
 *
 * @typedef {object} Options
 * @property {string} [eventId] the id that your server uses for the same event; else one is minted
 * @property {string} [userEmail] only if the visitor is logged in; your server hashes it
 * @property {boolean} [pixelOnly] your server sends its copy itself, as a payment webhook does
 * @property {boolean} [custom] not one of Meta's standard events
 *
 * @typedef {object} Settings
 * @property {string} [viewContentEndpoint] your API's /view-content
 * @property {string} [endpoint] the collector's /events; /visitors and /withdraw lie beside it
 * @property {"required" | "optional"} [consent] required: nothing is sent or kept before `consent("granted")`
 * @property {boolean | string} [autoPageViews] a PageView for every page, also of a single-page app
 *
 * @typedef {object} Visitor
 * @property {string} [fbp]
 * @property {string} [fbc]
 * @property {string} [event_source_url]
 * @property {"granted" | "denied"} [consent]
 * @property {boolean} [gpc]
 *
 * @typedef {{u: string, b: any, i: string, n: number}} Waiting url, body, id, not before (ms)
 * @typedef {{q: Waiting[], s: string[]}} Kept what waits, and ids that were sent
 */

/**
 * @typedef {object} Tracking
 * @property {string} viewContentEndpoint where `sendViewContentEvent` posts to: your API's /view-content
 * @property {string} endpoint where `track` posts to: the collector's /events; /visitors and /withdraw lie beside it
 * @property {string[]} debug what was done and what was not, newest last; for the console of whoever installs this
 * @property {(settings: Settings) => void} configure from a program, the settings that the data attributes hold
 * @property {(content: ViewContent) => string | null} sendViewContentEvent report a viewed page to the server and, under
 *   the same id, to the pixel; the event id, or null when nothing is sent
 * @property {(name: string, data?: object, options?: Options) => string | null} track any event, to the collector and,
 *   under the same id, to the pixel; the event id, or null when nothing is sent
 * @property {(id: string, name: string, data?: object, options?: Options) => string | null} trackOnce the same under an
 *   event id of yours, and once in this browser: a thank-you page may be visited again
 * @property {(answer: "granted" | "denied") => void} consent what the visitor said about marketing: what was held is sent
 *   with its own time, or forgotten
 * @property {() => Visitor} visitor what a form submits as `visitor`, so that a later webhook's event knows this visit
 * @property {(key: string) => void} rememberVisitor tell the collector this visit under an order's or registration's id,
 *   before a checkout that leaves the site
 * @property {() => string} newEventId for an event that you send to both sides yourself
 */

/** @type {Tracking} */
var MetaTracking = (function () {
  const MOST = 100;
  const DAY = 86400; // Meta knows a second copy for two days; what is older than one is not sent again.
  const PATIENCE = 1e4; // until it is sent again; a copy that came after all is known by its id.

  /** @type {any} */
  let page = window;
  let here = location;
  /** @type {"granted" | "denied" | undefined} what the visitor said */
  let said;
  /** @type {boolean | undefined} */
  let isRequired;
  /** @type {(() => void)[]} events that wait for consent */
  let held = [];
  /** @type {Kept} */
  let kept = { q: [], s: [] };
  /** @type {Record<string, string | undefined>} e-mail addresses by event id: never written down in the browser */
  let emails = {};
  /** @type {string[][]} what the pixel was told and the server not yet */
  let toldPixel = [];
  /** @type {Record<string, string | undefined>} `_fbp` and `_fbc` where cookies are blocked */
  let ids = {};
  /** @type {(() => void)[]} what need not be done before the page's own work */
  let todo = [resume];
  /** @type {any} the last call, so that a double click is one event */
  let last = {};
  let path = "";
  /** @type {any} */
  let timer;
  /** @type {boolean | undefined} */
  let hearsTcf;
  let landing = here.search;
  let gpc = /** @type {any} */ (navigator).globalPrivacyControl || undefined;

  /** @type {Tracking & Record<string, any>} */
  let api = {
    viewContentEndpoint: "/view-content",
    endpoint: "/events",
    debug: [],
    track: happen,
    consent: decide,
    visitor,
    newEventId,

    configure({ consent, autoPageViews, ...rest }) {
      Object.assign(api, rest);
      if (consent) isRequired = consent === "required";
      if (["", "true"].includes(autoPageViews + "") && !path) watchPages();
    },

    sendViewContentEvent({ contentName, contentCategory, userEmail }) {
      return happen("ViewContent", { content_name: contentName, content_category: contentCategory }, { userEmail }, 1);
    },

    trackOnce(id, name, data, options) {
      return happen(name, data, { ...options, eventId: id });
    },

    rememberVisitor(key) {
      if (isAllowed()) enqueue(beside("visitors"), { key, ...visitor() }, key);
    },
  };

  // -- consent ----------------------------------------------------------------------------------------------------------

  function isAllowed() {
    return said ? said !== "denied" : !isRequired;
  }

  /** @param {"granted" | "denied"} [answer] none: nobody has to ask */
  function decide(answer) {
    const mayHaveSent = isAllowed();
    const waited = held.splice(0);
    said = answer;
    if (isAllowed()) {
      identify();
      waited.forEach((send) => send());
    } else if (mayHaveSent) {
      // A refusal counts for what was sent and has not left your server, too.
      const event_ids = load().s;
      kept = { q: [], s: [] };
      toldPixel = [];
      todo = [];
      safely(() => delete localStorage._mt)();
      bake("_fbp");
      bake("_fbc");
      if (event_ids[0]) post({ u: beside("withdraw"), b: { event_ids } });
    }
  }

  /** Google Consent Mode: a default that denies holds, an update decides. @param {any} entry */
  function readConsentMode(entry) {
    if (entry[0] !== "consent") return;
    const isUpdate = entry[1] === "update";
    const { ad_storage, ad_user_data } = entry[2];
    if ([ad_storage, ad_user_data].includes("denied")) isUpdate ? decide("denied") : (isRequired = true);
    else if (ad_storage && (isUpdate || !isRequired)) decide("granted");
  }

  /** IAB TCF: storing, advertising profiles, personalised advertising and measuring must all be consented to. */
  function listenToTcf() {
    if (hearsTcf || !page.__tcfapi) return;
    hearsTcf = isRequired = true;
    page.__tcfapi("addEventListener", 2, safely((/** @type {any} */ data, /** @type {boolean} */ isGood) => {
      if (!isGood || data.eventStatus === "cmpuishown") return;
      if (data.gdprApplies === false) decide((isRequired = undefined));
      else decide([1, 3, 4, 7].every((n) => data.purpose.consents[n]) ? "granted" : "denied");
    }));
  }

  // -- an event ---------------------------------------------------------------------------------------------------------

  /**
   * @param {string} name @param {object} [data] @param {Options} [options] @param {number} [isView]
   * @returns {string | null}
   */
  function happen(name, data, options, isView) {
    data = data || {};
    options = options || {};
    const at = Date.now();
    const place = whole();
    const call = JSON.stringify([name, data, options, here.href]);
    if (call === last.call && at - last.at < 1e3) return last.id;
    const id = options.eventId || newEventId();
    if (!isAllowed() && (said || gpc)) return silent(id, "no consent");
    last = { call, at, id };
    const send = () => {
      if (options.eventId && load().s.includes(id)) return silent(id, "again");
      if (page.fbq) {
        page.fbq("track" + (options.custom ? "Custom" : ""), name, data, { eventID: id });
        toldPixel = add(toldPixel, [name, id]);
      } else silent(id, "no pixel");
      soon(() => {
        emails[id] = options.userEmail;
        const event = {
          event_id: id,
          event_time: Math.floor(at / 1e3),
          event_source_url: address(place),
          user_data: browserIds(),
          consent: said,
          gpc,
        };
        if (isView) enqueue(api.viewContentEndpoint, { ...event, content_data: data, pixel: hasPixel() }, id);
        else enqueue(!options.pixelOnly && api.endpoint, { ...event, event_name: name, custom_data: data }, id);
      });
      return id;
    };
    if (isAllowed()) return send();
    held = add(held, send);
    silent(id, "held");
    return id;
  }

  /** @template T @param {T[]} list @param {T} item */
  function add(list, item) {
    return [...list, item].slice(-MOST);
  }

  /** @returns {Visitor} */
  function visitor() {
    return { ...(isAllowed() && browserIds()), event_source_url: address(whole()), consent: said, gpc };
  }

  function whole() {
    return here.origin + here.pathname + here.search;
  }

  /** Of the query only what tells where a visitor came from. @param {string} url without its fragment */
  function address(url) {
    const [path, ...query] = url.split("?");
    const kept = query.join("?").match(/\b(utm_\w+|fbclid)=[^&]*/g);
    return path + (kept ? "?" + kept.join("&") : "");
  }

  // -- what waits until the server has it -------------------------------------------------------------------------------

  function load() {
    safely(() => (kept = JSON.parse(localStorage._mt || 0) || kept))();
    return kept;
  }

  function save() {
    if (mayRemember()) safely(() => (localStorage._mt = JSON.stringify(kept)))();
  }

  /** Remembers the id, and sends the body unless there is no address for it. @param {any} u @param {any} b @param {string} i */
  function enqueue(u, b, i) {
    load().s = add(kept.s, i);
    if (u) kept.q = add(kept.q, { u, b, i, n: 0 });
    flush();
  }

  /** Sends what nobody is sending, in this tab or another. */
  function flush() {
    const now = Date.now();
    kept.q = kept.q.filter((item) => !(item.b.event_time < now / 1e3 - DAY));
    const due = kept.q.filter((item) => item.n <= now);
    due.forEach((item) => (item.n = now + PATIENCE));
    save();
    due.forEach(post);
    clearTimeout(timer);
    if (kept.q[0]) timer = setTimeout(resume, PATIENCE);
  }

  function resume() {
    if (!isAllowed()) return;
    identify();
    load();
    flush();
  }

  /** The first look at cookies and storage costs milliseconds, which are the page's. @param {() => void} work */
  function soon(work) {
    todo = add(todo, work);
    setTimeout(catchUp);
  }

  /** At the page's load at the latest; a consent platform may have come by now, too. */
  function catchUp() {
    safely(listenToTcf)();
    todo.splice(0).forEach((work) => safely(work)());
  }

  /** text/plain needs no preflight, and keepalive lets it leave while the page goes away. @param {any} item */
  function post(item) {
    const settle = (/** @type {number} */ status, /** @type {string | null} */ reason) => {
      silent(item.i, status, reason);
      if (status > 499 || status === 429) return; // it is tried again when its time has come
      load().q = kept.q.filter((other) => other.i !== item.i);
      save();
    };
    fetch(item.u, { method: "POST", body: text(item), keepalive: true }).then(
      (answer) => settle(answer.status, answer.headers.get("x-relay-reason")),
      () => settle(599, "not reached")
    );
  }

  /** With what was not written down, and what the pixel has had since. @param {any} item */
  function text({ b, i }) {
    if (emails[i]) b = { ...b, user_data: { ...b.user_data, email: emails[i] } };
    return JSON.stringify(b.event_name ? { data: [b], pixel: hasPixel() ? toldPixel.splice(0) : [] } : b);
  }

  /** Meta's snippet defines a queue; `callMethod` is there once the real script is, and never where it is blocked. */
  function hasPixel() {
    return !!(page.fbq && (!page.fbq.queue || page.fbq.callMethod));
  }

  /** The page goes away: what was put off is done now, and the pixel's last ids are told. */
  function leave() {
    catchUp();
    if (toldPixel[0] && hasPixel()) navigator.sendBeacon(api.endpoint, JSON.stringify({ data: [], pixel: toldPixel }));
  }

  /** @param {string} name of the collector's other addresses */
  function beside(name) {
    return api.endpoint.replace(/[^/]*$/, name);
  }

  // -- who and which click ----------------------------------------------------------------------------------------------

  function mayRemember() {
    return isAllowed() && (!gpc || said === "granted");
  }

  /** @returns {{fbp?: string, fbc?: string}} */
  function browserIds() {
    identify();
    return { fbp: cookie("_fbp"), fbc: cookie("_fbc") };
  }

  /**
   * Meta's two ids of browser and click, kept verbatim: `_fbp` is minted where the pixel has not done so yet, `_fbc` is
   * replaced by a different click alone.
   */
  function identify() {
    if (!mayRemember()) return;
    if (!cookie("_fbp")) bake("_fbp", random(10));
    const click = /[?&]fbclid=([\w-]{1,500})(&|$)/.exec(landing)?.[1];
    if (click && (cookie("_fbc") + "").split(".")[3] !== click) bake("_fbc", click);
    landing = "";
  }

  /** @param {string} name */
  function cookie(name) {
    safely(() => (ids[name] = document.cookie.match("(?:^|; )" + name + "=([^;]+)")?.[1] || ids[name]))();
    return ids[name];
  }

  /**
   * On the shortest domain that the browser takes, which is the registrable one: no list of public suffixes is needed.
   * The number behind `fb.` counts the labels of that domain less one, as Meta does. Without a value: removed everywhere.
   * @param {string} name @param {string} [value]
   */
  function bake(name, value) {
    const labels = here.hostname.split(".");
    const own = labels.length;
    if (value && cookie(name)) bake(name); // it may be another host's
    // An address has no domain to share.
    for (let n = /[\d\]]$/.test(here.hostname) ? own : 1; n <= own; n++) {
      const text = value && "fb." + (n < own ? n : +(own > 1)) + "." + Date.now() + "." + value;
      const domain = n < own ? ";domain=" + labels.slice(-n - 1).join(".") : "";
      const secure = here.protocol[4] > ":" ? ";secure" : "";
      ids[name] = text;
      safely(() => {
        document.cookie = name + "=" + text + ";path=/;samesite=lax;max-age=" + (value ? 7776e3 : 0) + domain + secure;
        if (text && document.cookie.includes(text)) n = own;
      })();
    }
  }

  // -- pages of a single-page app ---------------------------------------------------------------------------------------

  function watchPages() {
    const push = history.pushState;
    history.pushState = (...state) => {
      push.apply(history, state);
      viewPage();
    };
    addEventListener("popstate", viewPage);
    addEventListener("pageshow", (event) => {
      if (event.persisted) path = "";
      viewPage();
    });
    viewPage();
  }

  function viewPage() {
    const now = whole();
    if (now !== path) api.track("PageView");
    path = now;
  }

  // -- the rest ---------------------------------------------------------------------------------------------------------

  /** UUID version 7: the time first, so that ids sort by it. */
  function newEventId() {
    const time = "0" + Date.now().toString(16);
    return time.slice(0, 8) + "-" + time.slice(8) + "-7" + random(3) + "-8" + random(3) + "-" + random(12);
  }

  /** @param {number} digits */
  function random(digits) {
    return (1 + Math.random()).toFixed(digits).slice(2);
  }

  /** @param {any[]} why @returns {null} */
  function silent(...why) {
    api.debug = add(api.debug, why.join(" "));
    return null;
  }

  /**
   * Nothing here may break the page; where storage and cookies are blocked its memory serves.
   * @param {any} work @returns {(...values: any[]) => any}
   */
  function safely(work) {
    return (...values) => {
      try {
        return work(...values);
      } catch (error) {
        return silent(error);
      }
    };
  }

  for (const name in api) if (api[name].call) api[name] = safely(api[name]);
  const layer = (page.dataLayer = page.dataLayer || []);
  const push = layer.push;
  const hear = safely(readConsentMode);
  layer.forEach(hear);
  layer.push = (/** @type {any[]} */ ...entries) => {
    entries.forEach(hear);
    return push.apply(layer, entries);
  };
  safely(listenToTcf)();
  api.configure(document.currentScript?.dataset || {});
  setTimeout(catchUp);
  addEventListener("load", catchUp);
  addEventListener("pagehide", safely(leave));
  return api;
})();
