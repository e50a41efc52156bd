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
declare var MetaTracking: Tracking;
type ViewContent = {
    contentName: string;
    contentCategory?: string | undefined;
    /**
     * only if the visitor is logged in; your server hashes it
     */
    userEmail?: string | undefined;
};
type Options = {
    /**
     * the id that your server uses for the same event; else one is minted
     */
    eventId?: string | undefined;
    /**
     * only if the visitor is logged in; your server hashes it
     */
    userEmail?: string | undefined;
    /**
     * your server sends its copy itself, as a payment webhook does
     */
    pixelOnly?: boolean | undefined;
    /**
     * not one of Meta's standard events
     */
    custom?: boolean | undefined;
};
type Settings = {
    /**
     * your API's /view-content; it lies beside `endpoint` where this is not given
     */
    viewContentEndpoint?: string | undefined;
    /**
     * the collector's /events; /view-content, /visitors and /withdraw lie beside it
     */
    endpoint?: string | undefined;
    /**
     * required: nothing is sent or kept before a source says yes
     */
    consent?: "required" | "optional" | undefined;
    /**
     * where a consent manager keeps its answer, such as `Cookiebot.consent.marketing`
     */
    consentState?: string | undefined;
    /**
     * what is true once the visitor has answered, such as `Cookiebot.hasResponse`
     */
    consentAnswered?: string | undefined;
    /**
     * the manager's events, after which its answer is read again; separated by commas
     */
    consentEvent?: string | undefined;
    /**
     * the name of Google's data layer, where it is another one
     */
    dataLayer?: string | undefined;
    /**
     * a PageView for every page, also of a single-page app; "hash": where routes
     * stand behind a #
     */
    autoPageViews?: string | boolean | undefined;
    /**
     * where the collector of a subdomain sets the cookies (RELAY_SET_COOKIES)
     */
    credentials?: "include" | undefined;
    /**
     * every event of the page's own pixel goes to the collector as well
     */
    mirror?: string | boolean | undefined;
};
type Visitor = {
    fbp?: string | undefined;
    fbc?: string | undefined;
    event_source_url?: string | undefined;
    consent?: "denied" | "granted" | undefined;
    /**
     * some opt-out stands
     */
    gpc?: boolean | undefined;
};
/**
 * url, body, key, pixel, when it was sent last (ms)
 */
type Waiting = {
    u: string;
    b: any;
    i?: string;
    p?: string;
    n?: number;
};
/**
 * what waits, and ids that were sent, each with its event's name
 */
type Kept = {
    q: Waiting[];
    s: string[];
};
type Tracking = {
    /**
     * where `sendViewContentEvent` posts to: your API's /view-content
     */
    viewContentEndpoint: string;
    /**
     * where `track` posts to: the collector's /events; the others lie beside it
     */
    endpoint: string;
    /**
     * what was done and what was not, newest last; for the console of whoever installs this
     */
    debug: string[];
    /**
     * from a program, the settings that the data attributes hold
     */
    configure: (settings: Settings) => void;
    /**
     * report a viewed page to the server and, under
     * the same id, to the pixel; the event id, or null when nothing is sent
     */
    sendViewContentEvent: (content: ViewContent) => string | null;
    /**
     * any event, to the collector and,
     * under the same id, to the pixel; the event id, or null when nothing is sent
     */
    track: (name: string, data?: object, options?: Options) => string | null;
    /**
     * the same under an
     * event id of yours, and once in this browser: a thank-you page may be visited again
     */
    trackOnce: (id: string, name: string, data?: object, options?: Options) => string | null;
    /**
     * what the visitor said about marketing: what was held is sent
     * with its own time, or forgotten
     */
    consent: (answer: "granted" | "denied") => void;
    /**
     * what a form submits as `visitor`, so that a later webhook's event knows this visit
     */
    visitor: () => Visitor;
    /**
     * tell the collector this visit under an order's or registration's id,
     * before a checkout that leaves the site
     */
    rememberVisitor: (key: string) => void;
    /**
     * for an event that you send to both sides yourself
     */
    newEventId: () => string;
};
export { MetaTracking as default, MetaTracking };
export type { Options, Settings, Tracking, ViewContent, Visitor };
