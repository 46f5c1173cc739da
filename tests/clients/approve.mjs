#!/usr/bin/env node
// A stand-in for the browser and for the person before it: signs in, approves, and follows the
// redirects back to the client.
//
//     approve.mjs URL
//
// Programs start it as the browser (`BROWSER`). It knows what a page looks like, and nothing else.

const MAX_PAGES = 20;
const PATIENCE_SECONDS = 20;
const LOOPBACK = ['localhost', '127.0.0.1', '[::1]'];

const entities = { amp: '&', lt: '<', gt: '>', quot: '"', '#x27': "'", '#x2f': '/' };
const decode = (text) => text.replace(/&([#\w]+);/g, (whole, name) => entities[name] ?? whole);

// The fields of the first form that leads to `action`.
function fields(html, action) {
  const form = html.split('<form').find((it) => it.includes(`action="${action}"`));
  if (!form) return undefined;
  const hidden = form.split('</form>')[0].matchAll(/name="(\w+)" value="([^"]*)"/g);
  return new URLSearchParams([...hidden].map(([, name, value]) => [name, decode(value)]));
}

async function visit(url) {
  const cookies = new Map();
  let body;
  for (let pages = 0; pages < MAX_PAGES; pages++) {
    if (!LOOPBACK.includes(url.hostname)) throw new Error(`${url.origin} is not on this machine`);
    const answer = await fetch(url, {
      method: body ? 'POST' : 'GET',
      body,
      headers: { Cookie: [...cookies.values()].join('; ') },
      redirect: 'manual',
      signal: AbortSignal.timeout(PATIENCE_SECONDS * 1000),
    });
    for (const it of answer.headers.getSetCookie()) cookies.set(it.split('=')[0], it.split(';')[0]);
    const html = await answer.text();
    const location = answer.headers.get('location');
    body = undefined;
    if (location) {
      url = new URL(location, url);
    } else if ((body = fields(html, '/signin'))) {
      body.set('user', 'ada');
      url = new URL('/signin', url);
    } else if (html.includes('value="approve"') && (body = fields(html, '/oauth/consent'))) {
      body.set('decision', 'approve');
      url = new URL('/oauth/consent', url);
    } else {
      if (!answer.ok) throw new Error(`${answer.status} at ${url.origin}${url.pathname}`);
      return;
    }
  }
  throw new Error(`more than ${MAX_PAGES} pages`);
}

try {
  await visit(new URL(process.argv[2]));
} catch (error) {
  console.error(`approve.mjs: ${error.cause ?? error}`);
  process.exitCode = 1;
}
