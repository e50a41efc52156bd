/**
 * The pixel's base code as a site has it, for tests: it queues, and asks for fbevents.js.
 *
 *   <script src="snippet.js" data-src="fbevents.js" data-endpoint="..." data-config-delay="0"></script>
 *
 * Without data-src (or window.fbevents_src) nothing is loaded: the pixel is blocked, or the test loads it later. The other
 * attributes go on to the script that is loaded.
 */
"use strict";
(function () {
  if (window.fbq) return;
  const given = (document.currentScript && document.currentScript.dataset) || {};
  function fbq() {
    if (fbq.callMethod) fbq.callMethod.apply(fbq, arguments);
    else fbq.queue.push(arguments);
  }
  fbq.push = fbq;
  fbq.loaded = true;
  fbq.version = "2.0";
  fbq.queue = [];
  window.fbq = fbq;
  if (!window._fbq) window._fbq = fbq;
  const src = window.fbevents_src || given.src;
  if (!src) return;
  const script = document.createElement("script");
  script.async = true;
  Object.assign(script.dataset, given);
  script.src = src;
  document.head.append(script);
})();
