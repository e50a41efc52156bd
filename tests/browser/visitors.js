/**
 * Plays cases of `visitors.py`, each in a frame of its own, with a pixel that behaves as Meta's and a server that answers.
 * Nothing waits: timers run when the frame is told to.
 */
"use strict";
window.play = async (cases) => {
  const { snippet, pixel, script } = window.texts;
  const ended = [];
  for (const [place, one] of JSON.parse(cases).entries()) ended.push(await playOne(one, place));
  return JSON.stringify(ended);

  async function playOne({ required, gpc, usp, sources, before, after }, place) {
    for (const text of document.cookie.split("; "))
      for (const domain of ["", ";domain=shop.example"]) document.cookie = `${text.split("=")[0]}=;path=/;max-age=0${domain}`;
    localStorage.clear();
    sessionStorage.clear();
    const frame = document.createElement("iframe");
    document.body.append(frame);
    const page = frame.contentWindow;
    let timers = [];
    const posts = [];
    Object.defineProperty(page.navigator, "globalPrivacyControl", { value: gpc || undefined });
    page.setTimeout = (work) => timers.push(work);
    page.clearTimeout = () => {};
    page.Image = function () {};
    page.fetch = (url, { body }) => {
      posts.push({ url, body: JSON.parse(body) });
      return Promise.resolve({ status: 202, headers: { get: () => null } });
    };
    const errors = [];
    let baked = 0; // also what is removed again
    const jar = Object.getOwnPropertyDescriptor(page.Document.prototype, "cookie");
    Object.defineProperty(page.document, "cookie", {
      get: () => jar.get.call(page.document),
      set: (text) => {
        baked += /^_fbp=fb\.\d\.\d+\.\d{10};/.test(text);
        jar.set.call(page.document, text);
      },
    });
    page.onerror = (text) => errors.push(String(text));
    const listeners = { tcf: [], gpp: [] };
    if (sources.includes("tcf"))
      page.__tcfapi = (verb, version, listener) => {
        listeners.tcf.push((data) => listener(data, true));
        listener({ eventStatus: undefined, gdprApplies: undefined }, true);
      };
    if (sources.includes("gpp"))
      page.__gpp = (verb, listener) => {
        listeners.gpp.push(listener);
        listener({ eventName: "listenerRegistered", data: true, pingData: { signalStatus: "not ready" } });
      };
    if (usp) page.__uspapi = (verb, version, answer) => answer({ version: 1, uspString: usp }, true);
    if (sources.includes("manager")) page.Manager = { hasAnswered: false, marketing: false };
    page.dataLayer = [];

    function run(text, data = {}) {
      const tag = page.document.createElement("script");
      Object.assign(tag.dataset, data);
      tag.textContent = text;
      page.document.body.append(tag);
    }

    async function settle() {
      for (let n = 0; n < 6; n++) {
        timers.splice(0).forEach((work) => work());
        await null;
        await null;
      }
    }

    const say = {
      page: (answer) => page.MetaTracking.consent(answer),
      google: (...entry) => page.dataLayer.push(["consent", ...entry]),
      tcf: (data) => listeners.tcf.forEach((listener) => listener(data)),
      gpp: (data) => listeners.gpp.forEach((listener) => listener(data)),
      fbq: (...args) => page.fbq(...args),
      manager: (hasAnswered, marketing) => {
        Object.assign(page.Manager, { hasAnswered, marketing });
        page.document.dispatchEvent(new page.Event("manager-changed"));
      },
    };

    // The pixel's snippet before our script, behind it, or with its script there already.
    const order = place % 3;
    const bring = () => {
      run(snippet);
      page.fbq("init", "1");
    };
    before.forEach(([source, said]) => say[source](...said));
    if (order !== 1) bring();
    if (order === 2) run(pixel), page.fbevents_open();
    const manager = { consentState: "Manager.marketing", consentAnswered: "Manager.hasAnswered", consentEvent: "x,manager-changed" };
    run(script, { ...(required && { consent: "required" }), ...(sources.includes("manager") && manager) });
    if (order === 1) bring();
    if (order !== 2) run(pixel), page.fbevents_open();
    page.MetaTracking.track("Lead", { n: 0 });
    await settle();
    for (const [n, [source, said]] of after.entries()) {
      say[source](...said);
      page.MetaTracking.track("Lead", { n: n + 1 });
      await settle();
    }
    const events = posts.flatMap(({ body }) => body.data || []);
    const numbers = Object.fromEntries(events.map((event) => [event.event_id, event.custom_data.n]));
    const result = {
      server: events.map((event) => [event.custom_data.n, Boolean(event.gpc)]),
      pixel: page.fbevents_sent.map((query) => [Number(query["cd[n]"]), query.dpo === "LDU"]),
      withdrawn: posts.flatMap(({ body }) => body.event_ids || []).map((id) => numbers[id]),
      ours: /_fbp=fb\.\d\.\d+\.\d{10}(;|$)/.test(document.cookie),
      baked,
      id: /_fbp=/.test(document.cookie),
      kept: Number("_mt" in localStorage) + sessionStorage.length,
      errors: [...errors, ...page.MetaTracking.debug.filter((line) => /Error/.test(line))],
      debug: page.MetaTracking.debug,
      same: events.every((event) => page.fbevents_sent.some((query) => query.eid === event.event_id)),
    };
    frame.remove();
    return result;
  }
};
