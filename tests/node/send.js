// Sends with Meta's own Node SDK, unmodified, to the Graph API named by the first argument; prints its answers.
"use strict";
const { Content, CustomData, EventRequest, FacebookAdsApi, ServerEvent, UserData } = require("facebook-nodejs-business-sdk");
const [url, dataset, token] = process.argv.slice(2);
Object.defineProperty(FacebookAdsApi, "GRAPH", { get: () => url });
FacebookAdsApi.init(token);

function event(name, id) {
  const userData = new UserData().setEmail("joe@example.com").setPhone("16505551212").setClientUserAgent("Mozilla/5.0");
  const contents = [new Content().setId("a1").setQuantity(1).setItemPrice(12.5)];
  const customData = new CustomData().setValue(12.5).setCurrency("usd").setContents(contents);
  return new ServerEvent()
    .setEventName(name).setEventId(id).setEventTime(Math.floor(Date.now() / 1000)).setActionSource("website")
    .setEventSourceUrl("https://shop.example/").setUserData(userData).setCustomData(customData);
}

async function send(events) {
  try {
    const answer = await new EventRequest(token, dataset).setEvents(events).execute();
    return { received: answer.events_received, messages: answer.messages, trace: answer.fbtrace_id };
  } catch (error) {
    const said = error.response && error.response.error ? error.response.error : error.response || {};
    return { code: said.code, subcode: said.error_subcode, title: said.error_user_title, name: error.name };
  }
}

(async () => {
  const old = event("Lead", "node-old").setEventTime(1000000000);
  const answers = [
    await send([event("Purchase", "node-1")]),
    await send([event("Lead", "node-2"), event("Lead", "node-3")]),
    await send([event("Lead", "node-4"), old]),
  ];
  console.log(JSON.stringify(answers));
})();
