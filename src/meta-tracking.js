/**
 * meta-tracking.js: tells your server what the page saw, and the pixel the same under the same id.
 *
 *   <script src="meta-tracking.js" data-endpoint="https://relay.example.com/events" data-consent="required"
 *           data-auto-page-views></script>
 *   MetaTracking.sendViewContentEvent({contentName: "Course Overview", contentCategory: "education"});
 *
 * One event id goes to both, so Meta counts one event. It never blocks the page, never throws into it, and says in
 * `MetaTracking.debug` what was decided and why it stayed silent.
 *
 * What a visitor allows
 * ---------------------
 * Each source keeps its own last word: the page's `consent()`, Google Consent Mode's updates, TCF, a consent manager.
 *
 *   word     "no" if one of them is no; "yes" if one is yes and none is no
 *   stopped  somebody else's fbq('consent', 'revoke') stands, or the page is prerendered and nobody has opened it
 *   opt-out  GPC, a US section of GPP, USP
 *   held     data-consent="required", a server that requires it, a default of Consent Mode that denies, half an update, TCF
 *            or GPP that is not ready
 *
 * All are heard again before each event: one may come late, or change without a word. What is not "granted" to the letter is
 * no yes. A default is never the visitor's word. One with a region can only tighten, and does not hold where Google's own tag
 * resolved the region to "granted". The first row that fits decides ("*": whatever it is):
 *
 *   | word | stopped | opt-out | held | state    | store | send  | pixel | restriction |
 *   |------|---------|---------|------|----------|-------|-------|-------|-------------|
 *   | no   | *       | *       | *    | denied   | never | never | never | none        |
 *   | *    | yes     | *       | *    | held     | later | later | later | none        |
 *   | yes  | no      | yes     | *    | limited  | yes   | yes   | yes   | LDU         |
 *   | yes  | no      | no      | *    | granted  | yes   | yes   | yes   | none        |
 *   | none | no      | *       | yes  | held     | later | later | later | none        |
 *   | none | no      | yes     | no   | optedout | never | yes   | yes   | LDU         |
 *   | none | no      | no      | no   | open     | yes   | yes   | yes   | none        |
 *
 * "later": kept in memory with its own time, until another row fits. With an opt-out the server's policy comes first,
 * which its first answer tells (`X-Relay-Policy`): the pixel waits for it, "withhold" makes both rows "withheld", in which
 * nothing is stored, sent or told, and "ignore" forgets the opt-out. What tightens reaches the pixel before anything of
 * ours; what loosens, after the ids are there.
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
 * @property {string} [viewContentEndpoint] your API's /view-content; it lies beside `endpoint` where this is not given
 * @property {string} [endpoint] the collector's /events; /view-content, /visitors and /withdraw lie beside it
 * @property {"required" | "optional"} [consent] required: nothing is sent or kept before a source says yes
 * @property {string} [consentState] where a consent manager keeps its answer, such as `Cookiebot.consent.marketing`
 * @property {string} [consentAnswered] what is true once the visitor has answered, such as `Cookiebot.hasResponse`
 * @property {string} [consentEvent] the manager's events, after which its answer is read again; separated by commas
 * @property {string} [dataLayer] the name of Google's data layer, where it is another one
 * @property {boolean | string} [autoPageViews] a PageView for every page, also of a single-page app; "hash": where routes
 *   stand behind a #
 * @property {"include"} [credentials] where the collector of a subdomain sets the cookies (RELAY_SET_COOKIES)
 * @property {boolean | string} [mirror] every event of the page's own pixel goes to the collector as well
 *
 * @typedef {object} Visitor
 * @property {string} [fbp]
 * @property {string} [fbc]
 * @property {string} [event_source_url]
 * @property {"granted" | "denied"} [consent]
 * @property {boolean} [gpc] some opt-out stands
 *
 * @typedef {{u: string, b: any, i?: string, p?: string, n?: number}} Waiting url, body, key, pixel, when it was sent last (ms)
 * @typedef {{q: Waiting[], s: string[]}} Kept what waits, and ids that were sent, each with its event's name
 */

/**
 * @typedef {object} Tracking
 * @property {string} viewContentEndpoint where `sendViewContentEvent` posts to: your API's /view-content
 * @property {string} endpoint where `track` posts to: the collector's /events; the others lie beside it
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
  const NO_EVENT = "undefined"; // the name of what is no event, a visit, among the ids that were sent
  const DAY = 86400; // Meta knows a second copy for two days; what is older than one is not sent again.
  const PATIENCE = 1e4; // until it is sent again; a copy that came after all is known by its id.
  const NEEDED = ["ad_storage", "ad_user_data"]; // of Google's
  const STATES = "pvnacavacoutctflmtortxdeianenhnjtnmnmdinkyri"; // sections 6 to 27 of GPP: uspv1, usnat, usca ...
  /** @type {Record<string, string>} by what of a checkout's link its webhook brings our reference back */
  const CHECKOUTS = {
    "paypal.com": "custom",
    "lemonsqueezy.com": "checkout[custom][order_id]",
    "gumroad.com": "client_reference_id",
    "buy.stripe.com": "client_reference_id",
  };
  const REVOKE = ["consent", "revoke"];
  const { MIRRORS = true, IS_MODULE = false } = /** @type {any} */ ({}); // build.mjs decides

  if (IS_MODULE && typeof document === "undefined") return /** @type {any} */ (undefined);
  /** @type {any} */
  let page = window;
  /** @type {any} */
  let doc = document;
  let here = location;
  if (page.MetaTracking?.trackOnce) {
    page.MetaTracking.configure({}); // listens again: the page may have been written anew
    page.MetaTracking.debug.push("loaded twice");
    return page.MetaTracking;
  }

  /** @type {Record<string, boolean | undefined>} each source's last word */
  let words = {};
  /** @type {Record<string, any>} what is undecided; a function is asked */
  let holds = { resolved: isDenied, server: () => /=r/.test(policy) };
  /** @type {Record<string, any>} */
  let optOuts = {};
  /** @type {Record<string, boolean>} Google's updates */
  let updates = {};
  /** @type {Record<string, any>} those that Google's own tag had when we last looked: it may lag behind what we heard */
  let looked = {};
  /** @type {Record<string, any>} the frameworks that were asked */
  let asked = {};
  /** @type {any} what the server does: `gpc=withhold, consent=optional`; "" or undefined before its first answer */
  let policy;
  let state = "";
  /** @type {(() => any)[]} events that wait for consent */
  let held = [];
  /** @type {(() => any)[]} what the pixel is told when it is there and the policy is known */
  let untold = [];
  /** @type {Kept} */
  let kept = { q: [], s: [] };
  /** @type {string | undefined} the same, as this tab wrote it down last */
  let written;
  /** @type {Record<string, any>} people by event: never written down in the browser */
  let people = {};
  /** @type {string[][]} what the pixel was told and the server not yet */
  let toldPixel = [];
  /** @type {Record<string, string | undefined>} `_fbp` and `_fbc` as they were read last, also where cookies are blocked */
  let ids = {};
  /** @type {(() => void)[]} what need not be done before the page's own work */
  let todo = [resume];
  /** @type {Record<string, string>} the ids of the last second's calls, so that a double click is one event */
  let calls = {};
  /** @type {string | undefined} the page that was counted last */
  let path;
  /** @type {any} */
  let timer;
  /** @type {any} */
  let waker;
  /** @type {any} the page's pixel */
  let pixel;
  /** @type {any} what the page has in its place */
  let proxy;
  /** @type {any} whether the pixel waits */
  let isLocked;
  /** @type {any} whether its events carry our restriction */
  let isLimited;
  /** @type {any} the page's own restriction */
  let own;
  /** @type {any} whether we were there before its first event; else it counts pages by itself, without ids */
  let isFresh;
  /** @type {any} whether the page lets it count an address twice */
  let mayRepeat;
  /** @type {Record<string, any>} by pixel the address of its last PageView */
  let viewed = {};
  /** @type {Record<string, any>} pixels that hear trackSingle alone */
  let singles = {};
  /** @type {any} the reference that a checkout got last */
  let reference;
  /** @type {any} by what a form was submitted last, which may lead elsewhere than the form */
  let button;
  /** @type {any} whether Meta mirrors it, too */
  let isHosted;
  /** @type {any} whether what stands behind a # is a page */
  let byHash;
  /** @type {any} */
  let hasAsked;
  /** @type {any} */
  let isHearing;
  /** @type {any} whether the page's own work had its turn */
  let isCalm;
  /** @type {string | undefined} the click that brought the visitor */
  let click;
  /** @type {any} Google's own state, which tells us what changes */
  let heardGoogle;
  /** @type {any} whether the page goes away: no task comes any more */
  let isGone;
  /** @type {any} Google's data layer */
  let layer;
  /** @type {Record<string, any>} advanced matching by pixel */
  let pixels = {};
  /** @type {Record<string, (event: any) => any>} by event of the window */
  let listeners = {
    load: catchUp,
    click: follow,
    auxclick: follow,
    submit: ({ submitter }) => (button = submitter),
    formdata: follow,
    pagehide: leave,
    pageshow: comeBack,
    prerenderingchange: settle,
  };
  const listener = safely((/** @type {Event} */ event) => listeners[event.type](event));
  /** @type {Tracking & Record<string, any>} */
  let api = {
    viewContentEndpoint: "/view-content",
    endpoint: "/events",
    debug: [],
    track: happen,
    visitor,
    newEventId,

    configure({ consent, autoPageViews, ...rest }) {
      if (rest.endpoint) api.viewContentEndpoint = beside("view-content", rest.endpoint);
      Object.assign(api, rest);
      // Whoever asks for consent in other words must not go without it; an attribute may be empty.
      if (consent !== undefined) holds.consent = !/optional/i.test(consent);
      rest.consentEvent?.split(/[\s,]+/).forEach((name) => (listeners[name] = listeners[name] || readManager));
      if (path === undefined && isOn(autoPageViews)) {
        byHash = autoPageViews === "hash";
        path = "";
        watchPages();
      }
      listen();
      hearAll(); // with where to ask
      if (path === "") viewPage();
    },

    consent(answer) {
      words.consent = said(answer === "granted");
      hearAll();
    },

    sendViewContentEvent({ contentName, contentCategory, userEmail }) {
      return happen("ViewContent", { content_name: contentName, content_category: contentCategory }, { userEmail }, undefined, 1);
    },

    trackOnce(id, name, data, options) {
      return happen(name, data, { ...options, eventId: id });
    },

    rememberVisitor(key) {
      if (isAllowed()) enqueue(beside("visitors"), { key, ...visitor() }, key);
    },
  };

  // A frame without an address of its own is part of the page that made it. A file has none, nor has an app.
  const isPart = here.href[0] !== "h";
  /** @type {any} unless it is of another site */
  const owner = safely(() => page.parent.document !== doc && page.parent)();
  const web = [here.href, owner?.location?.href, doc.baseURI, doc.referrer].find((url) => url?.[0] === "h");
  if (isPart && web) here = /** @type {any} */ (new URL(web));
  let landing = here.href;

  // -- what the visitor allows ------------------------------------------------------------------------------------------

  function isOut() {
    return !/ig/.test(policy) && Object.values(optOuts).includes(true);
  }

  /** Whether the pixel's copy has to say it, as the server's does. */
  function isBound() {
    return isOut() || (/t=l/.test(policy) && !word());
  }

  /** Of all sources: one no is a no. @returns {"granted" | "denied" | undefined} */
  function word() {
    const all = Object.values(words);
    return all.includes(false) ? "denied" : all.includes(true) ? "granted" : undefined;
  }

  /**
   * The visitor answers in this tab, which counts for more than what another tab heard before. A second no is acted on as the
   * first was: another tab, or a page in between, may have had a yes.
   * @param {any} [answer]
   */
  function said(answer) {
    words.storage = undefined;
    if (isNever()) state = "";
    return answer;
  }

  /**
   * The visitor denied in another tab; a page that empties all of its storage says nothing. What lies there again is of
   * somebody who agreed since, unless we wrote it before we heard.
   */
  function hearTab() {
    if (isNever() || (localStorage._mt || written) !== written) return;
    words.storage = false;
    settle();
  }

  /** The table above. */
  function judged() {
    const consent = word();
    if (consent === "denied") return consent;
    if (holds.revoke || doc.prerendering) return "held";
    if (isOut() && /wi/.test(policy)) return "withheld";
    if (consent) return isOut() ? "limited" : consent;
    if (Object.values(holds).some((hold) => (hold?.call ? hold() : hold))) return "held";
    return isOut() ? "optedout" : "open";
  }

  function isAllowed() {
    return !isHearing && "glo".includes(state[0]);
  }

  function isNever() {
    return "dw".includes(state[0]);
  }

  function mayRemember() {
    return isAllowed() && state !== "optedout";
  }

  function mayTell() {
    return isAllowed() && (!isOut() || policy);
  }

  /** After each signal. What tightens reaches the pixel first, what loosens finds the ids there. */
  function settle() {
    if (isHearing) return;
    // Not before it matters: the first look at a storage waits for another process.
    if (isOut() && policy === undefined) policy = safely(() => sessionStorage._m)() || "";
    const before = state;
    const isBare = !mayRemember();
    state = judged();
    if (isBare && kept.s[0] && mayRemember()) join();
    if (isCalm && state !== before && isAllowed()) browserIds();
    safely(tellPixel)();
    // A pixel that came late drops what it hears before its `init`.
    if (pixel && mayTell() && (!pixel.queue || Object.keys(pixels)[0])) untold.splice(0).forEach((tell) => tell());
    if (isAllowed()) held.splice(0).forEach((send) => send());
    if (state === before) return;
    silent("consent", state);
    if (!isNever()) return;
    held = untold = [];
    if (MIRRORS) viewed = {};
    if (state === "denied") forget();
  }

  /** A refusal counts for what was sent and has not left your server, too. */
  function forget() {
    join();
    const sent = kept.s;
    kept = { q: [], s: [] };
    toldPixel = [];
    todo = [];
    calls = {};
    // Other tabs hear that it goes, so it has to be there.
    if (words.storage !== false) safely(() => (localStorage._mt = ""))();
    // The pixel's own, too.
    ["_mt", "multiFbc", "lastExternalReferrer"].forEach(safely((/** @type {string} */ name) => delete localStorage[name]));
    bake({ fbp: "", fbc: "" });
    withdraw(sent);
  }

  /**
   * Of an order the refusal takes the visit's place, or what is paid later would bring browser and click back.
   * @param {string[]} sent ids with the event's name, as in `kept.s`
   */
  function withdraw(sent) {
    /** @type {string[]} */
    const event_ids = [];
    new Set(sent).forEach((one) => {
      const [key, name] = one.split("\n");
      name === NO_EVENT ? post({ u: beside("visitors"), b: { key, consent: "denied" } }) : event_ids.push(key);
    });
    if (event_ids[0]) post({ u: beside("withdraw"), b: { event_ids } });
  }

  /** @param {any} entry of Google's data layer */
  function readConsentMode({ 0: kind, 1: verb, 2: values }) {
    if (kind !== "consent") return;
    for (const name of NEEDED) {
      if (values[name] == null) continue;
      const isGranted = values[name] === "granted";
      if (verb === "update") updates[name] = said(isGranted);
      else if (!isGranted) values.region ? (holds.region = isRegional) : (holds.default = true);
    }
    weighUpdates();
  }

  /** What Google's data layer holds, and what comes to it; a page may put another list in its place. */
  function hearLayer() {
    const name = api.dataLayer || "dataLayer";
    // One that is not there is left to the page: many take it for Google's tag, which they load where it is missing.
    const list = page[name] || (isPart && owner?.[name]);
    if (layer === list || !list) return;
    layer = list;
    const push = layer.push;
    const hear = safely(readConsentMode);
    layer.forEach(hear);
    // To set it would change nothing where prototypes are frozen. Others put theirs in its place in the same way.
    Object.defineProperty(layer, "push", {
      configurable: true,
      writable: true,
      value(/** @type {any[]} */ ...entries) {
        entries.forEach(hear);
        return push.apply(this, entries);
      },
    });
  }

  /** Each parameter keeps its own state, and both are needed. */
  function weighUpdates() {
    const both = NEEDED.map((name) => updates[name]);
    words.google = both.includes(false) ? false : both[0] && both[1];
    holds.google = both.includes(true);
    settle();
  }

  /** @param {string} name @returns {any} what Google's own tag resolved it to */
  function resolved(name) {
    return page.google_tag_data?.ics?.entries?.[name] || {};
  }

  function isRegional() {
    return NEEDED.some((name) => !isYes(resolved(name).default) || resolved(name).quiet);
  }

  /** A default that a template in a tag manager set may be seen there alone. */
  function isDenied() {
    return NEEDED.some((name) => /^[fd]/.test(resolved(name).default));
  }

  /** What a template in a tag manager said may be seen there alone. */
  function readGoogle() {
    for (const name of NEEDED) {
      const { update } = resolved(name);
      if (update != null && update !== looked[name]) updates[name] = isYes((looked[name] = update));
    }
    weighUpdates();
    const google = page.google_tag_data?.ics;
    if (google === heardGoogle) return;
    heardGoogle = google;
    google.addListener(NEEDED, safely(readGoogle));
  }

  /**
   * IAB TCF: storing, advertising profiles, personalised advertising and measuring must all be consented to, and Meta
   * must be named: 89 in Google's additional consent, "2~those that may.89~dv.those that were shown".
   */
  function readTcf(/** @type {any} */ { gdprApplies, eventStatus, addtlConsent, purpose }) {
    holds.__tcfapi = gdprApplies !== false;
    if (!holds.__tcfapi) words.tcf = words.tcf && undefined; // a no stays
    else if (/^(tcl|user)/.test(eventStatus)) {
      words.tcf = eventStatus[0] === "u" ? said() : undefined; // also where the rest cannot be read
      const named = /(dv.*)?\b89\b/.exec(addtlConsent);
      words.tcf = [1, 3, 4, 7].every((n) => purpose.consents[n]) && (named ? !named[1] : void silent("tcf Meta not named"));
    }
  }

  /** US opt-outs: the sections that apply here. Europe's is TCF's to tell. */
  function readGpp(/** @type {any} */ { pingData }) {
    const { signalStatus, parsedSections, applicableSections } = pingData;
    holds.__gpp = true; // until all of it was read
    if (signalStatus !== "ready") return;
    const applies = applicableSections.map(Number);
    words.gpp = undefined;
    optOuts.gpp = false;
    holds.tcf = applies.includes(2) && !page.__tcfapi;
    let isUnread = applies.some((/** @type {number} */ id) => id > 4);
    for (const name in parsedSections) {
      if (!parsedSections[name] || !applies.includes(STATES.indexOf(name.slice(2, 4)) / 2 + 6)) continue;
      isUnread = false;
      const section = json(parsedSections[name]);
      // Of selling, of sharing, of targeted advertising: by whatever name, an opt-out is one.
      if (/OptOut":"?1|"Gpc":[1t]|OptOutSale":"Y|"1.Y.?"/.test(section)) optOuts.gpp = true;
      if (/Child\w+":\[?[\d,]*1/.test(section)) words.gpp = false;
    }
    holds.__gpp = isUnread;
  }

  function readUsp(/** @type {any} */ { uspString }) {
    optOuts.usp = /^..y/i.test(uspString);
  }

  /**
   * Any consent manager, by its names in the page's attributes; without a proof of an answer it says nothing.
   * @param {any} [event] of its own, which a look of ours is not
   */
  function readManager(event) {
    if (!api.consentState) return;
    if (/^(true|yes|allow|granted|1|no|den.*)$/.test(look(api.consentAnswered))) {
      if (event) said();
      words.consentState = isYes(look(api.consentState));
    } else words.consentState = words.consentState && undefined; // it was reset; a no stays
    settle();
  }

  /** @param {any} value */
  function isYes(value) {
    return /^(true|yes|allow|granted|1)$/.test(value);
  }

  /** @param {string} name such as a.b.c, or a.has(x): what stands there in the page */
  function look(name) {
    return (name.match(/[^.(\s]+(\([^)]*\))?/g) || []).reduce((owner, step) => {
      const [member, argument] = step.split(/["']?[()]["']?/);
      return argument === undefined ? owner[member] : owner[member](argument);
    }, page);
  }

  /**
   * Asks a framework; one that calls again by itself is asked once, and holds everything until it has an answer. What the
   * page puts in its place is asked as well.
   * @param {string} name of its function @param {(data: any) => void} read @param {any[]} how
   */
  function ask(name, read, ...how) {
    const api = page[name] || owner?.[name];
    const mayCall = how[0] === "addEventListener";
    if (!api || asked[name] === api) return;
    holds[name] = mayCall;
    api(...how, safely((/** @type {any} */ data, /** @type {any} */ isSound) => {
      if (isSound !== false) safely(read)(data); // what it had before does not stand
      settle();
    }));
    if (mayCall) asked[name] = api;
  }

  /** Nothing is decided before each of them was heard. */
  function hearAll() {
    if (isHearing) return; // something that we ask reports an event
    isHearing = 1;
    optOuts.gpc = /** @type {any} */ (navigator).globalPrivacyControl;
    safely(hearLayer)();
    safely(readGoogle)();
    safely(ask)("__tcfapi", readTcf, "addEventListener", 2);
    safely(ask)("__gpp", readGpp, "addEventListener");
    safely(ask)("__uspapi", readUsp, "getUSPData", 1);
    safely(readManager)();
    isHearing = 0;
    settle();
    safely(take)(page.fbq); // a declared function takes the place of what watches the name
    "fbq" in page || watch();
  }

  // -- the page's pixel -------------------------------------------------------------------------------------------------

  /** One that was declared as a variable cannot be watched, only looked at; a component that goes may delete the name. */
  function watch() {
    Reflect.defineProperty(page, "fbq", { configurable: true, get: () => proxy, set: safely(take) });
  }

  /** The pixel hears nothing but through us: a proxy, since a plain function in its place makes it mute. @param {any} value */
  function take(value) {
    if (value === proxy) return;
    proxy = value;
    if (!value?.call) return (pixel = null);
    const ready = safely(() => mine === proxy && adopt(value));
    const mine = (page.fbq = proxy = new Proxy(value, {
      apply(_, self, args) {
        ready();
        // Somebody else's wrapper around it calls it for us.
        if (mine !== proxy || safely(heed)(args) !== true) return value.apply(value, args);
      },
    }));
    // Meta's snippet puts its function there first, and the queue into it last: what came before would be lost.
    if (value.queue || value.callMethod) ready();
    else setTimeout(ready);
  }

  /** Once it can hear. @param {any} value */
  function adopt(value) {
    if (value === pixel) return;
    const queue = pixel?.queue;
    pixel = value;
    if (queue && queue === value.queue) return; // a wrapper around it: what stands in the queue was heard, and some is ours
    isLocked = isLimited = false;
    // Its other names are ways around us.
    if (page._fbq === value) page._fbq = proxy;
    if (value.push === value) Reflect.set(value, "push", proxy);
    // One that was there before us was told its ids without us.
    value.getState?.()?.pixels?.forEach((/** @type {any} */ one) => (pixels[one.id] = MIRRORS ? plain(one.userData) : 1));
    // Also what its script had no time for: without a pixel's configuration it keeps everything.
    const before = (value.queue || []).splice(0);
    if (MIRRORS) isFresh = !value.callMethod || before[0];
    if (path !== undefined) takePages();
    tellPixel();
    before.forEach((/** @type {any} */ args) => proxy(...args));
  }

  /** Without these the pixel's own view of each further page would have another id than ours, or be dropped. */
  function takePages() {
    Reflect.set(pixel, "disablePushState", true);
    Reflect.set(pixel, "allowDuplicatePageViews", true);
  }

  /** The pixels that hear an event without a name of one. */
  function everyone() {
    return Object.keys(pixels).filter((one) => !singles[one]);
  }

  /** Revoked it keeps what comes; its restriction must stand before what it concerns. */
  function tellPixel() {
    if (!pixel) return;
    const queue = pixel.queue || [];
    const isLive = pixel.callMethod || !pixel.queue;
    const isNew = mayTell() && isBound() !== isLimited;
    // What the page said of the restriction before would come behind ours.
    const gone = isNever() ? /^track/ : isNew && /^data/;
    if (gone) queue.push(...queue.splice(0).filter((/** @type {any} */ entry) => !gone.test(entry[0])));
    if (isNew) {
      isLimited = !isLimited;
      const entry = ["dataProcessingOptions", ...(isLimited ? [["LDU"], 0, 0] : Object.values(own || [[], 0, 0]))];
      isLive && !isLocked ? pixel(...entry) : queue.unshift(entry);
    }
    if (isLocked === !mayTell()) return;
    isLocked = !isLocked;
    if (isLive) pixel("consent", isLocked ? "revoke" : "grant");
    else if (isLocked) queue.unshift(REVOKE);
    else queue.splice(queue.indexOf(REVOKE), 1);
  }

  /** Whether a call of the page's goes no further. @param {any[]} args */
  function heed(args) {
    const [verb, what, more] = args;
    if (verb === "consent") {
      holds.revoke = what !== "grant" && (holds.revoke || what === "revoke");
      settle();
      return !mayTell() && !silent("fbq", verb, what);
    }
    if (verb === "dataProcessingOptions" && args.length !== 3 && Array.isArray(what)) {
      own = {
        data_processing_options: what,
        data_processing_options_country: more,
        data_processing_options_state: args[3],
      };
      return isLimited; // it stands when ours ends
    }
    if (verb === "optinMetaEnabledCapi") {
      isHosted = true;
      silent(verb, "third copy");
    }
    if (MIRRORS && what === "trackSingleOnly") singles[args[3]] = more;
    if (!/^track(Single)?(Custom|$)/.test(verb)) {
      if (verb === "init" && !(MIRRORS && Object.keys(pixels[what] || {})[0])) pixels[what] = MIRRORS ? plain(more) : 1;
      return;
    }
    hearAll();
    mayTell() || setTimeout(work); // perhaps nobody has asked for the server's policy
    if (isNever()) return !silent(what, state);
    return MIRRORS && isOn(api.mirror) && mirror(verb, args);
  }

  /** @param {string} verb @param {any[]} args */
  function mirror(verb, args) {
    const isSingle = /Single/.test(verb);
    const at = isSingle ? 2 : 1;
    const [name, data, options] = args.slice(at);
    if (isFresh && mayRepeat === undefined) {
      mayRepeat = !!pixel.allowDuplicatePageViews;
      if (path === undefined && !pixel.disablePushState) {
        path = place();
        watchPages();
      }
      takePages();
    }
    if (!isText(name) || (isSingle && Object.keys(pixels)[0] && !pixels[args[1]])) return; // the pixel drops it, too
    let targets = isSingle ? [args[1]] : everyone();
    if (name === "PageView" && !isSingle && !mayRepeat) {
      if (!isFresh) return;
      const now = path === undefined || here.href;
      targets = targets.filter((one) => viewed[one] !== (viewed[one] = now));
    }
    if (!targets[0] && Object.keys(pixels)[0]) return !silent(name, "again");
    const values = (mayTell() && data) || plain(data);
    // Each by name, where others hear it too by then.
    const tell = (/** @type {string} */ eventID) => {
      const call = [name, values, { ...options, eventID }];
      targets[0] && everyone().length > targets.length
        ? targets.forEach((one) => pixel(verb.replace(/k(Single)?/, "kSingle"), one, ...call))
        : pixel(...args.slice(0, at), ...call);
    };
    happen(name + "", data, { eventId: options?.eventID || options?.event_id }, tell, targets[0] ? targets : [""]);
    return true;
  }

  /** @param {any} value */
  function isText(value) {
    return /^(st|n)/.test(typeof value);
  }

  /** What JSON can hold, as it is now: a page may use its object again, and one bad member must not cost the others. */
  function plain(/** @type {any} */ data) {
    /** @type {Record<string, any>} */
    const made = {};
    for (const name of Object.keys(data?.concat || !data ? {} : data)) {
      try {
        made[name] = JSON.parse(json(data[name]));
      } catch {} // nor undefined, nor a function
    }
    return made;
  }

  /**
   * Without the toJSON that an old library gives to all objects, arrays, texts or numbers, and that makes texts of them.
   * @param {any} value @returns {string}
   */
  function json(value) {
    return JSON.stringify(value, /** @this {any} */ function (name, made) {
      return [{}, [], "", 0].some((/** @type {any} */ one) => one.toJSON === this[name]?.toJSON) ? this[name] : made;
    });
  }

  /** @param {any} setting an attribute is on where it is there, unless it says no */
  function isOn(setting) {
    return !/^(und|nul|fal|0|no|off)/i.test(setting);
  }

  // -- an event ---------------------------------------------------------------------------------------------------------

  /**
   * @param {string} name @param {any} [data] @param {Options | null} [options]
   * @param {(id: string) => void} [call] the page's own, of its pixel
   * @param {any} [targets] its pixels; without a call: for the API's /view-content
   * @returns {string | null}
   */
  function happen(name, data, options, call, targets) {
    const { eventId, userEmail, pixelOnly, custom } = options || {};
    data = plain(data);
    const at = !doc.prerendering && +new Date();
    const event_source_url = address();
    const made = json([name, data, options, here.href]);
    hearAll();
    if (isNever()) return silent(eventId || name, state);
    if (calls[made] && !(MIRRORS && call)) return calls[made];
    const id = ((isText(eventId) && eventId) || newEventId()) + ""; // an object's text would be the id of all visitors
    calls[made] = id;
    setTimeout(() => delete calls[made], 1e3);
    const send = () => {
      // A page may give all of its events one id; Meta knows them by both.
      const both = id + "\n" + name;
      const isOurs = eventId && !(MIRRORS && call);
      if (isOurs && (calls[both] || load().s.includes(both) || kept.s.includes(id))) return silent(id, "again");
      calls[both] = id;
      const tell = safely(() => {
        MIRRORS && call ? call(id) : pixel(custom ? "trackCustom" : "track", name, data, { eventID: id });
        toldPixel = add(toldPixel, [name, id]);
      });
      if (!pixel) silent(id, "no pixel");
      if (pixel && mayTell()) tell();
      else untold = add(untold, tell);
      const event_time = ((at || +new Date()) / 1e3) >>> 0; // whole; a page may have replaced Date.now, not this
      const seen = { event_id: id, event_time, event_source_url, ...signals(), ...own };
      soon(() => {
        const event = { ...seen, user_data: { ...ids } }; // just read
        const full = { ...event, event_name: name, custom_data: data };
        const person = { email: userEmail || undefined };
        if (MIRRORS && call) {
          targets.forEach((/** @type {any} */ one) => enqueue(api.endpoint, full, id, pixels[one], one + ""));
        } else if (targets) {
          enqueue(api.viewContentEndpoint, { ...event, content_data: data, pixel: hasPixel() }, id, person);
        } else enqueue(!pixelOnly && api.endpoint, full, id, person);
      });
      return id;
    };
    if (isAllowed()) return send();
    held = add(held, send);
    clearTimeout(waker);
    waker = setTimeout(lookAgain, 0, 1e3);
    silent(id, state);
    return id;
  }

  /** @template T @param {T[]} list @param {T} item */
  function add(list, item) {
    return [...list, item].slice(-MOST);
  }

  /** @returns {Visitor} */
  function signals() {
    return { consent: word(), gpc: isOut() || undefined };
  }

  /** @returns {Visitor} */
  function visitor() {
    return { ...(isAllowed() && browserIds()), event_source_url: address(), ...signals() };
  }

  /** Of the query only what tells where a visitor came from. */
  function address() {
    const kept = (here.search.match(/[?&](utm_\w+|fbclid)=[^&]*/g) || []).join("");
    if (web) return here.origin + here.pathname + (kept && "?" + kept.slice(1));
  }

  // -- what waits until the server has it -------------------------------------------------------------------------------

  /** What other tabs and pages wrote down; what may not be written down is here alone. */
  function load(mayLook = mayRemember()) {
    if (mayLook) {
      safely(() => {
        const found = JSON.parse(localStorage._mt || 0);
        if (found) kept = { q: found.q.filter((/** @type {Waiting} */ item) => item.b), s: [...found.s] }; // or it is not ours
      })();
    }
    return kept;
  }

  /** What could be kept in memory alone so far comes to what is written down. */
  function join() {
    const { q, s } = kept;
    load(true);
    kept = {
      q: [...kept.q.filter((item) => !q.some((mine) => mine.i === item.i)), ...q],
      s: [...kept.s, ...s].slice(-MOST), // some twice, none lost
    };
    save();
  }

  function save() {
    if (mayRemember()) safely(() => (localStorage._mt = written = json(kept)))();
  }

  /**
   * Remembers the id, and sends the body unless there is no address for it.
   * @param {any} u @param {any} b @param {string} id @param {any} [person] @param {string} [p]
   */
  function enqueue(u, b, id, person, p = "") {
    const i = id + p;
    load().s = add(kept.s, id + "\n" + b.event_name);
    people[i] = person;
    if (u) kept.q = add(kept.q, { u, b, i, p });
    flush();
  }

  /** Sends what nobody is sending, in this tab or another. */
  function flush() {
    const now = +new Date();
    kept.q = kept.q.filter((item) => !(item.b.event_time < now / 1e3 - DAY));
    // A time that is to come is of a clock that was set back: `| 0` is true from one PATIENCE on, either way.
    const due = kept.q.filter(({ n = 0 }) => ((now - n) / PATIENCE) | 0);
    due.forEach((item) => (item.n = now));
    save();
    due.forEach(post);
    clearTimeout(timer);
    timer = kept.q[0] && setTimeout(resume, PATIENCE);
  }

  function resume() {
    if (!isAllowed()) return;
    if (load().q[0]) flush();
  }

  /**
   * `document.open` takes all listeners away, so this is done again where that may be: the same listener counts once.
   * Each is a capturing one, since not every event bubbles.
   */
  function listen() {
    for (const kind in listeners) page.addEventListener(kind, listener, true);
  }

  /** The first look at cookies and storage costs milliseconds, which are the page's. @param {() => void} item */
  function soon(item) {
    todo.push(item);
    isGone ? work() : setTimeout(work);
  }

  /** While something is held: ever more rarely, and for three minutes after an event. Each click looks as well. */
  function lookAgain(/** @type {number} */ pause) {
    catchUp();
    if (held[0] && pause < 6e4) waker = setTimeout(lookAgain, pause, pause * 1.5);
  }

  /** At the page's load at the latest; a consent platform may have come by now, too. */
  function catchUp() {
    hearAll();
    work();
  }

  /** What was put off. */
  function work() {
    if (!isCalm) {
      isCalm = 1;
      listeners.storage = ({ key, newValue }) => key === "_mt" && newValue === null && hearTab();
      listen();
      safely(() => new MutationObserver(listen).observe(doc, { childList: true }))(); // the page may be written anew
    }
    if (todo[0] && isAllowed()) browserIds();
    todo.splice(0).forEach((put) => safely(put)());
    // Nobody else asks what the server does with an opt-out, and the pixel waits for it.
    if (!pixel || hasAsked || !isAllowed() || mayTell()) return;
    hasAsked = 1;
    report();
  }

  /** Without an event: the server's policy comes back, and it learns what the pixel had. */
  function report() {
    post({ u: api.endpoint, b: { data: [], pixel: told() } });
  }

  /**
   * text/plain needs no preflight, and keepalive lets it leave while the page goes away. A browser refuses that for more
   * than 64 KiB, which all scripts of the page share: then it goes as any other request. What came all the same is known by
   * its id.
   * @param {Waiting} item
   */
  async function post(item) {
    const body = text(item);
    /** @type {(keepalive?: boolean) => Promise<Response>} */
    const send = async (keepalive) =>
      // A page may have its own fetch, which wants headers, or answers without any.
      fetch(item.u, { method: "POST", body, headers: {}, keepalive, credentials: api.credentials });
    let status = 599;
    /** @type {any} */
    let why = "not reached";
    /** @type {any} */
    let rule;
    try {
      const answer = await send(body.length < 2e4).catch(() => send());
      status = answer.status;
      // An offline page of the site's own worker is no answer.
      if (answer.ok && /html/.test(/** @type {any} */ (answer.headers.get("content-type")))) status = 599;
      why = answer.headers.get("x-relay-reason");
      rule = answer.headers.get("x-relay-policy");
    } catch {}
    silent(item.i, status, why);
    // It was on its way, perhaps behind the first; what takes back has no id.
    if (state === "denied" && item.i) withdraw([(item.b.event_id || item.b.key) + "\n" + item.b.event_name]);
    if (status < 500 && status !== 429) {
      load().q = kept.q.filter((other) => other.i !== item.i);
      save();
    } else if (!item.i && !item.b.pixel) {
      // A refusal, which is kept nowhere else; while it stands, since it would undo what came after it.
      setTimeout(() => state === "denied" && post(item), PATIENCE);
    } // else it is tried again when its time has come
    if (policy || status > 499) return;
    policy = rule || "limit";
    settle();
    // Not `_mt`: of what stands there, scripts of 2026-11-27 and before know the word `withhold` alone.
    if (state === "withheld") safely(() => (sessionStorage._m = policy))();
  }

  /** With what was not written down, and what the pixel has had since. @param {any} item */
  function text({ b, i, p }) {
    if (b.user_data) b = { ...b, user_data: { ...people[i], ...b.user_data } };
    if (b.event_name) b = { data: [b], pixel: told(), dataset: p || undefined, hosted_mirror: isHosted };
    return json(b);
  }

  function told() {
    return hasPixel() ? toldPixel.splice(0) : [];
  }

  /** Meta's snippet defines a queue, which its script empties once it can send, and never where it is blocked. */
  function hasPixel() {
    return !!(pixel && (!pixel.queue || (pixel.callMethod && !pixel.queue[0])));
  }

  /** The page goes away: what was put off is done now, and the pixel's last ids are told. */
  function leave() {
    isGone = 1;
    catchUp();
    if (toldPixel[0] && hasPixel()) report();
  }

  /** @param {string} name of the collector's other addresses @param {string} [endpoint] a name of a host is no path */
  function beside(name, endpoint = api.endpoint) {
    return endpoint.replace(/(^\/?|[^/:]\/)[^/]*$/, "$1" + name);
  }

  // -- who and which click ----------------------------------------------------------------------------------------------

  /**
   * Meta's two ids of browser and click, kept verbatim: `_fbp` is minted where the pixel has not done so yet, `_fbc` is
   * replaced by a different click alone. A router may have cleaned the address, and consent may come on the next page.
   * Cookies are what costs most here: they are read once, and not while the page loads.
   * @returns {{fbp?: string, fbc?: string}}
   */
  function browserIds() {
    const keep = (/** @type {any} */ _, /** @type {string} */ name, /** @type {string} */ value) => (ids[name] = value);
    // Of two with one name the first counts, as for the pixel and the server.
    safely(() => doc.cookie.split("; ").reverse().join("\n").replace(/^_(fb[pc])=(.+)/gm, keep))();
    if (mayRemember()) {
      safely(() => {
        // Firefox cuts the referrer of a page to which a click came; the history has the whole address of who led here.
        const before = doc.referrer && page.navigation?.entries?.().at?.(-2)?.url;
        const urls = [landing, performance.getEntriesByType?.("navigation")[0]?.name, doc.referrer, before].join("\n");
        // As the server reads it: letters that are encoded are letters, separators are not.
        const plain = urls.replace(/%\w\w/g, (code) => unescape(code).replace(/[^\w-]/, code));
        click = click || /[?&;]fbclid=([\w-]{1,500})([&#\s]|$)/.exec(plain)?.[1];
      })();
      /** @type {Record<string, string>} */
      const fresh = ids.fbp ? {} : { fbp: random(10) };
      if (click && ids.fbc?.split(".")[3] !== click) {
        if (ids.fbc) bake({ fbc: "" }); // it may be another host's
        fresh.fbc = click;
      }
      bake(fresh);
    }
    return ids;
  }

  /**
   * On the shortest domain that the browser takes, which is the registrable one: no list of public suffixes is needed.
   * The number behind `fb.` counts the labels of that domain less one, as Meta does. What is empty is removed everywhere.
   * @param {Record<string, string>} values by name
   */
  function bake(values) {
    const labels = here.hostname.split(".");
    const own = labels.length;
    const secure = here.href[5] === ":" ? ";secure" : "";
    // An address has no domain to share.
    for (let n = /[\d\]]$/.test(here.hostname) ? own : 1; n <= own; n++) {
      const domain = n < own ? ";domain=" + labels.slice(~n).join(".") : "";
      let made = "";
      for (const name of Object.keys(values)) {
        made = values[name] && ["fb", n < own ? n : +(own > 1), +new Date(), values[name]].join(".");
        ids[name] = made || undefined;
        safely(() => (doc.cookie = "_" + name + "=" + made + ";path=/;samesite=lax;max-age=" + (made ? 7776e3 : 0) + domain + secure))();
      }
      // Which the last one tells of both.
      if (made && safely(() => doc.cookie.includes(made))()) n = own;
    }
  }

  /** A link or a form may lead to a checkout. @param {any} event */
  function follow(event) {
    setTimeout(catchUp, 1e3); // it may have been an answer to a consent platform that came late
    const { formData, target } = event;
    // A form also by a script's submit(), a link also inside of a component. The drawing on it has a href, too, and no host.
    const link = formData ? target : event.composedPath().find((/** @type {any} */ node) => node.hostname);
    const toForm = () => new URL(button?.getAttribute("formaction") || link.action, /** @type {any} */ (here));
    if (link) refer(formData ? toForm() : link, link.dataset.checkout, formData, link);
  }

  /**
   * What leads to a hosted checkout takes a reference along, by which the server remembers this visit.
   * @param {any} link an element or a URL @param {string} [name] of the reference there
   * @param {FormData} [form] which has it in place of the address
   * @param {any} [element] a form says twice what it holds, and means one reference
   * @returns {string | undefined} the address with it, where it is new
   */
  function refer(link, name, form, element = {}) {
    name = name || CHECKOUTS[/** @type {any} */ (/(?:buy\.s)?[^.]+\.[^.]+$/.exec(link.hostname))];
    if (!name || !isAllowed()) return;
    /** @type {any} */
    const query = form || new URLSearchParams(link.search);
    const known = query.get(name);
    const given = known || (element._mt = element._mt || newEventId());
    query.set(name, given);
    if (!form) link.search = query;
    if (reference !== given) api.rememberVisitor((reference = given)); // else it was the click before
    if (!known) return link.href;
  }

  /** What a script opens: by `window.open`, or by an address that it sets. */
  function watchExits() {
    const referred = safely((/** @type {any} */ to) => refer(new URL(to, /** @type {any} */ (here))));
    const { navigation } = page;
    navigation?.addEventListener?.("navigate", (/** @type {any} */ event) => {
      // A link may be out of the page, or in a drawing; one that was seen has its reference. A form has been seen, and what
      // it posts would be lost. A browser that cannot tell is left alone.
      const by = event.sourceElement;
      const to = (by === null || by?.localName === "a") && referred(event.destination.url);
      if (!to) return;
      event.preventDefault();
      // A page that gave up its place in the history does not get it back.
      event.navigationType === "replace" ? location.replace(to) : (location.href = to);
    });
    // `navigate()` would tell the page of a failure where its event is prevented. A page may have something of its own
    // under these names, or have frozen them.
    for (const [owner, verb] of /** @type {any[][]} */ ([[page, "open"], [navigation, "navigate"]])) {
      const native = owner?.[verb];
      if (/native/.test(native)) {
        Reflect.set(owner, verb, (/** @type {any} */ to, /** @type {any[]} */ ...how) =>
          native.call(owner, referred(to) || to, ...how),
        );
      }
    }
  }

  // -- pages of a single-page app ---------------------------------------------------------------------------------------

  function watchPages() {
    for (const verb of ["pushState", "replaceState"]) {
      const native = /** @type {any} */ (history)[verb];
      const shown = (/** @type {any[]} */ ...state) => {
        native.apply(history, state);
        safely(viewPage)(verb === "replaceState"); // its failure is none of the router's
      };
      Reflect.set(history, verb, shown); // a page may have frozen it, which a module hears of
    }
    listeners.popstate = () => viewPage();
    // Routers of the Navigation API call neither verb, and links that they intercept make no popstate.
    page.navigation?.addEventListener?.("currententrychange", (/** @type {any} */ event) => viewPage(event.navigationType === "replace"));
  }

  /** What counts as a page. A router that begins writes `#/` behind the address without a route. */
  function place() {
    return here.href.replace(byHash ? /#!?\/?$/ : /#.*/, "");
  }

  /**
   * @param {boolean} [isReplaced] then another query alone is the same page, cleaned; so is the slash at the end, which
   * Angular's router takes away as it starts
   */
  function viewPage(isReplaced) {
    const was = path;
    path = place();
    const bare = (/** @type {any} */ url) => url.replace(isReplaced ? /\/?(\?[^#]*|#|$)/g : "", "");
    if (bare(path) === bare(was)) return;
    if (MIRRORS && proxy?.call && isOn(api.mirror)) proxy("track", "PageView");
    else happen("PageView", {}, /** @type {any} */ ({ n: Math.random() })); // no repeated call
  }

  /** The page comes back from the browser's memory: its pixel counts that by itself, without an id. */
  function comeBack(/** @type {any} */ event) {
    if (!event.persisted) return;
    isGone = 0;
    // Kept in memory it heard no other tab: one that denied took both away.
    if (kept.s[0] && mayRemember() && !doc.cookie.includes("_fbp")) safely(hearTab)();
    hearAll();
    if (path === undefined) return;
    const count = pixel?.queue?.length;
    if (pixel?.callMethod) pixel(...REVOKE);
    setTimeout(() => {
      if (pixel?.callMethod) {
        pixel.queue.length = count;
        if (!isLocked) pixel("consent", "grant");
      }
      path = "";
      if (MIRRORS) viewed = {};
      viewPage();
    });
  }

  // -- the rest ---------------------------------------------------------------------------------------------------------

  /** UUID version 7: the time first, so that ids sort by it. */
  function newEventId() {
    const time = "0" + (+new Date()).toString(16);
    return time.replace(/.{8}/, "$&-") + "-7" + random(3) + "-8" + random(3) + "-" + random(12);
  }

  /** @param {number} digits */
  function random(digits) {
    return Math.random().toFixed(digits).slice(2);
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

  for (const name in api) if (api[name]?.call) api[name] = safely(api[name]);
  page.MetaTracking = api;
  // A module is told no tag of its own.
  api.configure({ ...(doc.currentScript || doc.querySelector("[src*=meta-tracking]"))?.dataset });
  watch();
  safely(watchExits)();
  setTimeout(catchUp);
  return api;
})();
