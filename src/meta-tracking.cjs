const hasPage = typeof document !== "undefined";
if (hasPage) require("./meta-tracking.mirror.min.js");
const MetaTracking = hasPage ? window.MetaTracking : undefined;
module.exports = { __esModule: true, default: MetaTracking, MetaTracking };
