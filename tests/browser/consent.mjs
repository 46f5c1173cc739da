// A person who types the code of a device, and one who is asked for an organisation that is not the
// active one.
//
//     node tests/browser/consent.mjs GATEWAY [SCREENSHOT_FOLDER]

import assert from 'node:assert/strict';
import { once } from 'node:events';

import { main, startBrowser, startGateway, withPage } from './harness.mjs';

const [gatewayProgram, screenshots] = process.argv.slice(2);
const LOOKS = ['light', 'dark'].flatMap((scheme) => [1400, 768, 360].map((width) => ({ scheme, width })));
const DEVICE_GRANT = 'urn:ietf:params:oauth:grant-type:device_code';

async function post(url, body, headers = {}) {
  const answer = await fetch(url, { method: 'POST', body, headers });
  return answer.json();
}

async function register(ready) {
  const metadata = { client_name: 'Television', redirect_uris: ['http://127.0.0.1:7777/callback'], grant_types: [DEVICE_GRANT, 'authorization_code', 'refresh_token'] };
  const { client_id } = await post(`${ready.gateway}/register`, JSON.stringify(metadata), { 'Content-Type': 'application/json' });
  return client_id;
}

async function device(page, shot, ready) {
  const client_id = await register(ready);
  const codes = await post(`${ready.gateway}/oauth/device_authorization`, new URLSearchParams({ client_id }));
  const poll = () => post(`${ready.gateway}/oauth/token`, new URLSearchParams({ grant_type: DEVICE_GRANT, client_id, device_code: codes.device_code }));
  await page.goto(codes.verification_uri);
  await shot('device');
  await page.getByLabel('Code').fill('BCDF-GHJK');
  await page.keyboard.press('Enter');
  await page.getByRole('alert').filter({ hasText: 'not known' }).waitFor();
  await shot('device-unknown');
  await page.getByLabel('Code').fill(codes.user_code.toLowerCase());
  await page.getByRole('button', { name: 'Continue' }).click();
  await page.getByRole('button', { name: 'grace' }).click();
  await page.getByText(codes.user_code).waitFor();
  await shot('device-consent');
  await page.getByRole('button', { name: 'Approve', exact: true }).click();
  await page.getByRole('heading', { name: 'Access allowed' }).waitFor();
  await shot('device-done');
  assert.ok((await poll()).access_token);
}

async function otherOrganisation(page, shot, ready) {
  const client_id = await register(ready);
  const query = new URLSearchParams({
    response_type: 'code', client_id, redirect_uri: 'http://127.0.0.1:7777/callback', state: 'x',
    resource: ready.http.globex, code_challenge: 'x'.repeat(43), code_challenge_method: 'S256',
  });
  // grace has signed in for acme before.
  await page.goto(`${ready.gateway}/authorize?${query}`);
  await page.getByText('This client asks for globex').waitFor();
  await shot('consent-other');
  await page.getByRole('button', { name: 'Switch to globex' }).click();
  await page.getByText('This client asks for').waitFor({ state: 'detached' });
  assert.match(await page.locator('main').innerText(), /Organisation\s+globex\s+member/);
  await shot('consent-switched');
}

async function run() {
  const { gateway, ready } = await startGateway(gatewayProgram, '--device-code');
  const browser = await startBrowser();
  for (const look of LOOKS) {
    await withPage(browser, look, screenshots, async (page, shot) => {
      await device(page, shot, ready);
      await otherOrganisation(page, shot, ready);
    });
    console.log(`${look.scheme}, ${look.width} px: a device is approved, and an organisation is switched`);
  }
  gateway.stdin.end();
  await once(gateway, 'exit');
}

main(run);
