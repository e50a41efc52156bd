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
     * your API's /view-content
     */
    viewContentEndpoint?: string | undefined;
    /**
     * the collector's /events; /visitors and /withdraw lie beside it
     */
    endpoint?: string | undefined;
    /**
     * required: nothing is sent or kept before `consent("granted")`
     */
    consent?: "required" | "optional" | undefined;
    /**
     * a PageView for every page, also of a single-page app
     */
    autoPageViews?: string | boolean | undefined;
};
type Visitor = {
    fbp?: string | undefined;
    fbc?: string | undefined;
    event_source_url?: string | undefined;
    consent?: "denied" | "granted" | undefined;
    gpc?: boolean | undefined;
};
/**
 * url, body, id, not before (ms)
 */
type Waiting = {
    u: string;
    b: any;
    i: string;
    n: number;
};
/**
 * what waits, and ids that were sent
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
     * where `track` posts to: the collector's /events; /visitors and /withdraw lie beside it
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
