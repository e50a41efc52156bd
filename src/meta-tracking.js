/**
 * meta-tracking.js: tells your server what the page saw, and the pixel the same under the same id.
 *
 *   <script src="meta-tracking.js" data-view-content-endpoint="https://api.example.com/view-content"></script>
 *   MetaTracking.sendViewContentEvent({contentName: "Course Overview", contentCategory: "education"});
 *
 * One event id goes to both, so Meta counts one event. It never blocks the page, never throws into it, and says in
 * `MetaTracking.debug` why it stayed silent.
 */
(function (window, document) {
  "use strict";

  var script = document.currentScript;
  var BROWSER_ID_SECONDS = 90 * 86400;

  /**
   * @typedef {object} ViewContent
   * @property {string} contentName
   * @property {string} [contentCategory]
   * @property {string} [userEmail] only if the visitor is logged in; your server hashes it
   */

  var MetaTracking = {
    /** Where `sendViewContentEvent` posts to: your API's /view-content. */
    viewContentEndpoint: (script && script.getAttribute("data-view-content-endpoint")) || "/view-content",

    /** What was done and what was not, newest last; for the console of whoever installs this. @type {string[]} */
    debug: [],

    /**
     * Report a viewed page to the server and, under the same id, to the pixel.
     * @param {ViewContent} content
     * @returns {string | null} the event id, or null when nothing was sent
     */
    sendViewContentEvent: function (content) {
      try {
        return sendViewContent(content || {});
      } catch (error) {
        return silent("error: " + (error && /** @type {Error} */ (error).message));
      }
    },

    /** A new event id, for an event that you send to both sides yourself. @returns {string} */
    newEventId: newEventId,
  };

  /** @param {Partial<ViewContent>} content */
  function sendViewContent(content) {
    if (!content.contentName) return silent("contentName is missing");
    var eventId = newEventId();
    var contentData = { content_name: content.contentName, content_category: content.contentCategory || "" };
    /** @type {Record<string, string>} */
    var userData = { client_user_agent: navigator.userAgent };
    if (content.userEmail) userData.email = content.userEmail;
    addIds(userData);
    tellPixel("ViewContent", contentData, eventId);
    post(MetaTracking.viewContentEndpoint, {
      user_data: userData,
      event_source_url: location.href.split("#")[0],
      content_data: contentData,
      event_id: eventId,
    });
    return eventId;
  }

  /**
   * text/plain needs no preflight, and keepalive lets it leave while the page goes away.
   * @param {string} url
   * @param {object} body
   */
  function post(url, body) {
    var text = JSON.stringify(body);
    if (window.fetch) {
      window.fetch(url, { method: "POST", body: text, keepalive: true, credentials: "same-origin" }).then(
        function (answer) {
          silent("server answered " + answer.status + " " + (answer.headers.get("x-relay-reason") || ""));
        },
        function () {
          silent("server not reached");
        }
      );
    } else if (!(navigator.sendBeacon && navigator.sendBeacon(url, text))) {
      silent("the browser can send nothing in the background");
    }
  }

  /**
   * @param {string} name
   * @param {object} data
   * @param {string} eventId
   */
  function tellPixel(name, data, eventId) {
    var fbq = /** @type {any} */ (window).fbq;
    if (typeof fbq === "function") fbq("track", name, data, { eventID: eventId });
    else silent("no pixel on this page; the server event stands alone");
  }

  /**
   * Meta's two ids of browser and click, kept verbatim; `_fbp` is minted where the pixel has not done so yet.
   * @param {Record<string, string>} userData
   */
  function addIds(userData) {
    var fbp = cookie("_fbp") || remember("_fbp", "fb." + domainIndex() + "." + Date.now() + "." + digits());
    var click = /[?&]fbclid=([\w-]{1,500})(?:&|#|$)/.exec(location.href);
    var fbc = cookie("_fbc");
    if (click && fbc.split(".")[3] !== click[1]) {
      fbc = remember("_fbc", "fb." + domainIndex() + "." + Date.now() + "." + click[1]);
    }
    userData.fbp = fbp;
    if (fbc) userData.fbc = fbc;
  }

  /** @param {string} name */
  function cookie(name) {
    try {
      var found = new RegExp("(?:^|; )" + name + "=([^;]*)").exec(document.cookie);
      return found ? found[1] : "";
    } catch (error) {
      return "";
    }
  }

  /**
   * @param {string} name
   * @param {string} value
   */
  function remember(name, value) {
    try {
      document.cookie =
        name + "=" + value + "; path=/; max-age=" + BROWSER_ID_SECONDS + "; samesite=lax" +
        (location.protocol === "https:" ? "; secure" : "");
    } catch (error) {
      silent("cookies are blocked");
    }
    return value;
  }

  /** Labels of the cookie's domain less one, as Meta counts: example.com is 1; a bare host name is 0. */
  function domainIndex() {
    return /^[\d.]+$|:/.test(location.hostname) ? 1 : Math.max(0, location.hostname.split(".").length - 1);
  }

  function digits() {
    return String(Math.floor(1e9 + Math.random() * 9e9));
  }

  /** UUID version 7: the time first, so that ids sort by it. */
  function newEventId() {
    var bytes = new Uint8Array(16);
    window.crypto.getRandomValues(bytes);
    var now = Date.now();
    for (var i = 5; i >= 0; i--) {
      bytes[i] = now % 256;
      now = Math.floor(now / 256);
    }
    bytes[6] = 0x70 | (bytes[6] & 0x0f);
    bytes[8] = 0x80 | (bytes[8] & 0x3f);
    var hex = Array.prototype.map.call(bytes, function (/** @type {number} */ b) {
      return (b + 256).toString(16).slice(1);
    }).join("");
    return [hex.slice(0, 8), hex.slice(8, 12), hex.slice(12, 16), hex.slice(16, 20), hex.slice(20)].join("-");
  }

  /** @param {string} why @returns {null} */
  function silent(why) {
    MetaTracking.debug.push(why);
    if (MetaTracking.debug.length > 100) MetaTracking.debug.shift();
    return null;
  }

  /** @type {any} */ (window).MetaTracking = MetaTracking;
})(window, document);
