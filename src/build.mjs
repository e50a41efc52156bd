/**
 * Makes of meta-tracking.js, which runs as it is, what is served and published:
 *
 *   meta-tracking.min.js          without the mirror
 *   meta-tracking.mirror.min.js   with it
 *   meta-tracking.mjs             the same as a module, for bundlers; does nothing where there is no document
 *   meta-tracking.cjs             for who says `require`, as Jest does with each import
 *   meta-tracking.d.mts, .d.cts   their types: those of meta-tracking.d.ts, which tsc writes, exported
 *
 * terser and not esbuild: it puts a function that is used once where it is used, which is 4% of the bytes. What it put there
 * uglify-js writes shorter, which is 49 bytes more.
 */
import { readFileSync, writeFileSync } from "node:fs";
import { minify } from "terser";
import UglifyJS from "uglify-js";

const SOURCE = readFileSync("meta-tracking.js", "utf8");
const SWITCHES = /const \{ MIRRORS = true, IS_MODULE = false \} = .*/;
const EXPORTS = "export { MetaTracking as default, MetaTracking };\n";
const REQUIRED = `const hasPage = typeof document !== "undefined";
if (hasPage) require("./meta-tracking.mirror.min.js");
const MetaTracking = hasPage ? window.MetaTracking : undefined;
module.exports = { __esModule: true, default: MetaTracking, MetaTracking };
`;
const TYPES = "export type { Options, Settings, Tracking, ViewContent, Visitor };\n";

const SMALLER = { keep_fargs: false, lhs_constants: false, join_vars: false, negate_iife: false, unsafe_methods: true };

/** @param {boolean} mirrors @param {boolean} isModule */
async function built(mirrors, isModule) {
  const source = SOURCE.replace(SWITCHES, `const MIRRORS = ${mirrors}, IS_MODULE = ${isModule};`);
  const { code } = await minify(isModule ? source + EXPORTS : source, {
    ecma: 2020,
    module: isModule,
    compress: { passes: 5, toplevel: !isModule, ...SMALLER },
  });
  // Taken for a module, which the script is but for its tag: it needs nothing of the sloppy mode.
  const { code: shorter, error } = UglifyJS.minify(code, {
    compress: { inline: false },
    // Almost every function is called while a page loads: V8 compiles them beside the main thread, and all at once.
    // https://v8.dev/blog/explicit-compile-hints
    output: { preamble: "//# allFunctionsCalledOnLoad" },
  });
  if (error) throw error;
  return shorter + "\n";
}

writeFileSync("meta-tracking.min.js", await built(false, false));
writeFileSync("meta-tracking.mirror.min.js", await built(true, false));
writeFileSync("meta-tracking.mjs", await built(true, true));
writeFileSync("meta-tracking.cjs", REQUIRED);
for (const kind of ["mts", "cts"]) {
  writeFileSync(`meta-tracking.d.${kind}`, readFileSync("meta-tracking.d.ts", "utf8") + EXPORTS + TYPES);
}
