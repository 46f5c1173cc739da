// A person who watches the live view while a client connects, and lets something go wrong.
//
//     node tests/browser/live.mjs GATEWAY [SCREENSHOT_FOLDER]

import assert from 'node:assert/strict';
import { once } from 'node:events';

import { main, startBrowser, startGateway, withPage } from './harness.mjs';
import { connect, call, listen } from './client.mjs';

const [gatewayProgram, screenshots] = process.argv.slice(2);
const LOOKS = ['light', 'dark'].flatMap((scheme) => [1400, 768, 360].map((width) => ({ scheme, width })));

const rows = (page) => page.locator('#requests > li:visible');

async function watch(page, shot, look, ready) {
  await page.goto(ready.live);
  await page.getByText('Nothing yet').waitFor();
  // Nobody reads the token over a shoulder, or finds it in the history.
  assert.ok(!page.url().includes(ready.control.token));
  await shot('live-empty');
  const client = await connect(ready, page.context());
  await rows(page).filter({ hasText: 'authorization_code' }).waitFor();
  await call(ready, client, 'echo');
  await rows(page).filter({ hasText: 'tools/call echo' }).filter({ hasText: '200' }).waitFor();
  const first = rows(page).first();
  assert.match(await first.innerText(), /POST \/mcp\/acme initialize[\s\S]*401 Unauthorized/);

  // By keyboard alone: a fault is ordered, and its strike is in the diagram.
  await page.getByLabel('Fault', { exact: true }).focus();
  await page.keyboard.type('http.status=503@http');
  await page.getByText('this status instead of an answer').last().waitFor();
  await page.keyboard.press('Enter');
  await page.getByText('has not struck yet').waitFor();
  assert.equal(await page.locator('#about').textContent(), 'NAME[=ARGUMENT][@ROUTE]');
  await call(ready, client, 'echo');
  await rows(page).filter({ hasText: 'fault http.status=503@http#1' }).waitFor();
  await page.getByText('struck once').waitFor();
  const stop = await listen(ready, client);
  await rows(page).filter({ hasText: '· stream' }).waitFor();
  await page.getByRole('button', { name: 'Expire access tokens' }).click();
  await page.getByText('Expire access tokens: done.').waitFor();
  await page.getByRole('region', { name: 'Clock' }).getByRole('button', { name: 'Advance by an hour' }).waitFor();
  await call(ready, client, 'echo');
  await rows(page).filter({ hasText: 'invalid_token' }).waitFor();
  await page.evaluate(() => scrollTo(0, 0));
  await shot('live');
  await first.locator('summary').focus();
  await page.keyboard.press('Enter');
  await first.getByText('www-authenticate: Bearer').waitFor();
  await shot('live-details');
  stop();

  await page.getByLabel('Fault', { exact: true }).fill('nothing.real');
  await page.getByRole('button', { name: 'Order this fault' }).click();
  await page.getByRole('alert').filter({ hasText: 'there is no fault' }).waitFor();
  await page.getByRole('button', { name: 'Forget all orders' }).click();
  await page.getByText('Nothing goes wrong.').waitFor();
  const all = await rows(page).count();
  await page.getByLabel('Show only requests with').fill('invalid_token');
  assert.equal(await rows(page).count(), 1);
  await page.getByLabel('Show only requests with').fill('');
  assert.equal(await rows(page).count(), all);
  await page.getByRole('button', { name: 'Pause' }).click();
  await call(ready, client, 'slow');
  assert.equal(await rows(page).count(), all);
  await page.getByRole('button', { name: 'Pause' }).click();
  await rows(page).nth(all).waitFor();
  await page.getByRole('button', { name: 'Clear' }).click();
  await page.getByText('Nothing yet').waitFor();
}

async function run() {
  const browser = await startBrowser();
  for (const look of LOOKS) {
    const { gateway, ready } = await startGateway(gatewayProgram);
    await withPage(browser, look, screenshots, (page, shot) => watch(page, shot, look, ready));
    await withPage(browser, look, screenshots, async (page, shot) => {
      await page.goto(ready.live.split('#')[0]);
      await shot('live-entry');
      await page.getByLabel('Token').fill('wrong');
      await page.keyboard.press('Enter');
      await page.getByText('A token is needed').waitFor();
      await page.getByLabel('Token').fill(ready.control.token);
      await page.keyboard.press('Enter');
      await page.getByText('Live', { exact: true }).waitFor();
    });
    gateway.stdin.end();
    await once(gateway, 'exit');
    console.log(`${look.scheme}, ${look.width} px: a client is watched, and a fault is ordered`);
  }
}

main(run);
