// Meta's Node SDK, as its README shows it.
//   node node.mjs seal EVENTS N            CPU of one event in microseconds, and the share that it refused
//   node node.mjs post EVENTS N URL CALLS  posts N events, a thousand a request
import fs from 'node:fs';
import { createRequire } from 'node:module';

const [verb, path, count, url, calls] = process.argv.slice(2);
const sdk = createRequire(new URL('../../tests/node/x.js', import.meta.url))('facebook-nodejs-business-sdk');
const raws = fs.readFileSync(path, 'utf8').trimEnd().split('\n');
const BEFORE = Math.min(3000, raws.length - Number(count)); // events until the compiler has settled

function event(raw) {
  const given = JSON.parse(raw), person = given.user_data, custom = given.custom_data ?? {};
  const user = new sdk.UserData().setClientIpAddress(person.client_ip_address).setClientUserAgent(person.client_user_agent).setFbp(person.fbp);
  if (person.fbc) user.setFbc(person.fbc);
  if (person.email) user.setEmail(person.email);
  if (person.phone) user.setPhone(person.phone);
  if (person.first_name) user.setFirstName(person.first_name).setLastName(person.last_name);
  if (person.city) user.setCity(person.city).setState(person.state).setZip(person.zip);
  if (person.country) user.setCountry(person.country);
  if (person.external_id) user.setExternalId(person.external_id);
  const data = new sdk.CustomData();
  if (custom.contents) data.setContents(custom.contents.map((line) => {
    const content = new sdk.Content().setId(line.id).setQuantity(line.quantity);
    if (line.item_price !== undefined) content.setItemPrice(line.item_price);
    if (line.title) content.setTitle(line.title);
    return content;
  }));
  if (custom.content_ids) data.setContentIds(custom.content_ids);
  if (custom.content_type) data.setContentType(custom.content_type);
  if (custom.value !== undefined) data.setValue(custom.value).setCurrency(custom.currency);
  if (custom.content_name) data.setContentName(custom.content_name).setContentCategory(custom.content_category);
  if (custom.order_id) data.setOrderId(custom.order_id).setNumItems(custom.num_items);
  if (custom.search_string) data.setSearchString(custom.search_string);
  return new sdk.ServerEvent().setEventName(given.event_name).setEventTime(given.event_time).setEventId(given.event_id)
    .setEventSourceUrl(given.event_source_url).setActionSource('website').setUserData(user).setCustomData(data);
}

function seal(raw) {
  try {
    return JSON.stringify(event(raw).normalize());
  } catch {
    return null; // it refuses some addresses
  }
}

if (verb === 'seal') {
  const timed = raws.slice(BEFORE, BEFORE + Number(count));
  raws.slice(0, BEFORE).forEach(seal);
  const before = process.cpuUsage();
  let refused = 0;
  for (const raw of timed) refused += seal(raw) === null;
  const used = process.cpuUsage(before);
  console.log(JSON.stringify({ us: (used.user + used.system) / (timed.length - refused), refused: (100 * refused) / timed.length }));
} else {
  Object.defineProperty(sdk.FacebookAdsApi, 'GRAPH', { get: () => url, configurable: true });
  sdk.FacebookAdsApi.init('EAAbench');
  const flying = new Set();
  let sent = 0;
  for (let at = 0; at < Number(count); at += 1000) {
    const batch = [];
    for (let k = at; k < Math.min(at + 1000, Number(count)); k++) batch.push(event(raws[k % raws.length]));
    sent += batch.length;
    const call = new sdk.EventRequest('EAAbench', '1').setEvents(batch).execute().finally(() => flying.delete(call));
    flying.add(call);
    if (flying.size >= Number(calls)) await Promise.race(flying);
  }
  await Promise.all(flying);
  console.log(sent);
}
