// Stands in for Meta's pixel: fbq('track', name, data, {eventID}) becomes the image request that the real one makes.
"use strict";
(function () {
  const { pixel, endpoint } = document.currentScript.dataset;

  function cookie(name) {
    const found = new RegExp("(?:^|; )" + name + "=([^;]*)").exec(document.cookie);
    return found && found[1];
  }

  window.fbq = function (verb, name, data, options) {
    if (verb !== "track" && verb !== "trackCustom") return;
    const query = new URLSearchParams({ id: pixel, ev: name, dl: location.href, rl: document.referrer, ts: Date.now() });
    for (const [key, value] of Object.entries(data || {})) query.set(`cd[${key}]`, value);
    if (options && options.eventID) query.set("eid", options.eventID);
    for (const key of ["fbp", "fbc"]) if (cookie("_" + key)) query.set(key, cookie("_" + key));
    new Image().src = `${endpoint}?${query}`;
  };
})();
