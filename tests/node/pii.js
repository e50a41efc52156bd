// What Meta's Parameter Builder for Node makes of customer information: JSON lines {type, value} in, hashes out.
"use strict";
const { ParamBuilder } = require("capi-param-builder-nodejs");
const builder = new ParamBuilder();
for (const line of require("fs").readFileSync(0, "utf8").split("\n").filter(Boolean)) {
  const { type, value } = JSON.parse(line);
  let hash = null;
  try {
    hash = builder.getNormalizedAndHashedPII(value, type);
  } catch (error) {
    hash = "raises";
  }
  console.log(JSON.stringify(hash));
}
