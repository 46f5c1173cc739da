// A person at the dashboard: every page, light and dark, wide and narrow, and what its buttons do.
//
//     node tests/browser/dashboard.mjs GATEWAY [SCREENSHOT_FOLDER]

import assert from 'node:assert/strict';
import { once } from 'node:events';

import { main, startBrowser, startGateway, withPage } from './harness.mjs';

const [gatewayProgram, screenshots] = process.argv.slice(2);
const LOOKS = ['light', 'dark'].flatMap((scheme) => [1400, 768, 360].map((width) => ({ scheme, width })));

async function status(url, headers, message = { jsonrpc: '2.0', id: 1, method: 'ping' }) {
  const answer = await fetch(url, {
    method: 'POST',
    headers: { Accept: 'application/json, text/event-stream', 'Content-Type': 'application/json', ...headers },
    body: JSON.stringify(message),
  });
  await answer.arrayBuffer();
  return answer.status;
}

async function signIn(page, ready, user) {
  await page.goto(ready.web);
  await page.getByRole('button', { name: user }).click();
  await page.getByRole('heading', { name: 'Organisation', level: 1 }).waitFor();
}

// One who keeps things in order, with keyboard and mouse.
async function work(page, shot, context, ready) {
  await context.grantPermissions(['clipboard-read', 'clipboard-write'], { origin: ready.web });
  await page.goto(`${ready.web}/keys`);
  await shot('dashboard-sign-in');
  await page.getByRole('button', { name: 'ada' }).click();
  await page.getByRole('heading', { name: 'API keys' }).waitFor();
  await page.goto(ready.web);
  const copy = page.getByRole('button', { name: 'Copy the URL of HTTP+SSE' });
  const before = await copy.boundingBox();
  await copy.click();
  await page.getByText('Copied').waitFor();
  assert.deepEqual(await copy.boundingBox(), before);
  assert.equal(await page.evaluate(() => navigator.clipboard.readText()), ready.sse.acme);
  await shot('organisation');

  await page.getByRole('link', { name: 'API keys' }).click();
  await page.getByLabel('Name').fill('nightly report');
  await page.keyboard.press('Enter');
  const key = await page.locator('#secret').textContent();
  await shot('key-made');
  assert.equal(await status(ready.http.acme, { 'X-API-Key': key }), 200);
  await page.goto(`${ready.web}/keys`);
  assert.ok(!(await page.content()).includes(key));
  await shot('keys');
  await page.getByRole('button', { name: 'Revoke nightly report' }).click();
  await page.getByText('Key revoked').waitFor();
  assert.equal(await status(ready.http.acme, { 'X-API-Key': key }), 401);

  await page.getByRole('link', { name: 'OAuth clients' }).click();
  await page.getByRole('link', { name: 'New client' }).click();
  await page.getByLabel('Name').fill('warehouse sync');
  assert.ok(await page.getByLabel('Redirect URI').isHidden());
  await page.getByLabel('Application').check();
  await page.getByLabel('Redirect URI').waitFor();
  await shot('client-new-application');
  await page.getByLabel('Machine').check();
  await shot('client-new');
  await page.getByRole('button', { name: /^Create/ }).click();
  await page.getByText('Copy the secret now').waitFor();
  await shot('client-made');
  await page.getByLabel('Lifetime').selectOption('7 days');
  await page.getByRole('button', { name: 'Save' }).click();
  await page.getByText('Lifetime saved').waitFor();
  assert.equal(await page.getByLabel('Lifetime').inputValue(), '7');
  await shot('clients');
  await page.getByRole('link', { name: 'Delete warehouse sync' }).click();
  await shot('client-delete');
  await page.getByRole('button', { name: /^Delete/ }).click();
  await page.getByText('Client deleted').waitFor();

  const call = (name, text) => ({ jsonrpc: '2.0', id: 1, method: 'tools/call', params: { name, arguments: { text } } });
  assert.equal(await status(ready.http.acme, { 'X-API-Key': ready.api_keys.acme }, call('echo', 'hello')), 200);
  assert.equal(await status(ready.http.acme, { 'X-API-Key': ready.api_keys.globex }, call('echo', 'no')), 403);
  await page.getByRole('link', { name: 'Audit log' }).click();
  await page.getByText('Refused (403)').first().waitFor();
  await shot('audit');

  await page.getByLabel('Organisation', { exact: true }).selectOption('globex');
  await page.getByRole('button', { name: 'Switch' }).click();
  await page.getByText('Organisation switched').waitFor();
  await shot('switched');
}

async function run() {
  const { gateway, ready } = await startGateway(gatewayProgram, '--device-code');
  const browser = await startBrowser();
  for (const look of LOOKS) {
    await withPage(browser, look, screenshots, (page, shot, context) => work(page, shot, context, ready));
    console.log(`${look.scheme}, ${look.width} px: every page, and what its buttons do`);
  }
  await withPage(browser, 'light', screenshots, async (page, shot) => {
    await signIn(page, ready, 'linus');
    assert.ok(await page.getByLabel('IP allow-list').isDisabled());
    await page.goto(`${ready.web}/keys`);
    assert.equal(await page.getByRole('button', { name: 'Revoke' }).count(), 0);
    await shot('member');
    await page.getByRole('button', { name: 'Sign out' }).click();
    await page.getByRole('heading', { name: 'Sign in' }).waitFor();
  });
  console.log('a member sees, and does not change');
  gateway.stdin.end();
  await once(gateway, 'exit');
}

main(run);
