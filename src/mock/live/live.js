'use strict';
(() => {
  const $ = (id) => document.getElementById(id);
  const [CLIENT, BROWSER, MCP, SERVER, WEB] = [0, 1, 2, 3, 4];
  const LANES = ['client', 'browser', 'MCP endpoint', 'authorization server', 'web pages'];
  const MOST = 500;
  // In milliseconds, and in seconds.
  const WORTH_TELLING = 10;
  const PAUSE_WORTH_TELLING = 2;
  const WORDS = {
    200: 'OK', 201: 'Created', 202: 'Accepted', 204: 'Done', 302: 'Found', 303: 'See other', 307: 'Redirect', 308: 'Redirect',
    400: 'Bad request', 401: 'Unauthorized', 403: 'Forbidden', 404: 'Not found', 405: 'Not allowed',
    406: 'Not acceptable', 429: 'Too many requests', 500: 'Error', 502: 'Bad gateway', 503: 'Unavailable',
  };
  const shown = new Map();
  let token = '';
  // How far the log is known; null: not at all.
  let revision = null;
  let paused = false;
  let begin = null;
  let hiddenUpTo = -1;

  // --- The gateway

  async function ask(path, options = {}) {
    const answer = await fetch(path, { ...options, cache: 'no-store', headers: { Authorization: `Bearer ${token}` } });
    if (answer.ok) return answer;
    const problem = new Error((await answer.text()).trim() || `status ${answer.status}`);
    problem.status = answer.status;
    throw problem;
  }
  const send = (path, body) => ask(path, { method: 'POST', body });

  function state(text, look = '') {
    if ($('state').textContent !== text) $('state').textContent = text;
    $('state').className = look;
  }

  async function watch() {
    for (;;) {
      try {
        const told = await (await ask(`/__mock/watch${revision === null ? '' : `?since=${revision}`}`)).json();
        // A gateway that was started anew counts anew.
        if (revision !== null && told.news.revision < revision) clear();
        revision = told.news.revision;
        for (const request of told.news.requests) draw(request);
        orders(told.faults);
        $('clock').textContent = `${new Date(told.now * 1000).toISOString().slice(0, 19).replace('T', ' ')} UTC`;
        state(paused ? 'Paused' : 'Live', paused ? '' : 'on');
      } catch (problem) {
        if (problem.status === 401) return enter();
        state('The gateway does not answer', 'off');
        await new Promise((done) => setTimeout(done, 1000));
      }
      while (paused) await new Promise((done) => setTimeout(done, 200));
    }
  }

  // --- The diagram

  // From where to where a request goes.
  function lanes({ site, path }) {
    if (site === 'web') return [BROWSER, WEB];
    if (path.startsWith('/authorize')) return [BROWSER, SERVER];
    const ofEndpoint = path.startsWith('/mcp/') || path.startsWith('/.well-known/oauth-protected-resource');
    return [CLIENT, ofEndpoint ? MCP : SERVER];
  }

  const messages = ({ messages }) => messages.map((it) => it.tool ? `${it.method} ${it.tool}` : it.method ?? 'response').join(', ');

  const header = (request, name) => request.answer.find(([it]) => it === name)?.[1];

  // What an answer says, in a few words, and whether it is a good one.
  function reply(request) {
    const { status } = request;
    if (status === null) return { look: 'open', code: '', words: 'no answer yet' };
    const look = status < 400 ? 'good' : 'bad';
    const words = [WORDS[status] ?? ''];
    const challenge = header(request, 'www-authenticate');
    const error = /error="([^"]*)"/.exec(challenge ?? '')?.[1];
    if (error) words.push(error);
    else if (status === 401 && challenge === undefined) words.push('no challenge');
    const location = header(request, 'location');
    if (location) words.push(`to ${location.replace(/^https?:\/\/[^/]*(?=\/)/, '')}`);
    const wait = header(request, 'retry-after');
    if (wait) words.push(`retry after ${wait}`);
    if (header(request, 'content-type')?.startsWith('text/event-stream')) words.push('stream');
    const took = Math.round((request.answered - request.at) * 1000);
    if (WORTH_TELLING <= took) words.push(`${took} ms`);
    return { look, code: String(status), words: words.filter(Boolean).join(' · ') };
  }

  function element(name, className, ...children) {
    const made = document.createElement(name);
    if (className) made.className = className;
    made.append(...children);
    return made;
  }

  // Puts something between two lanes.
  function between([from, to], made) {
    made.style.setProperty('--left', Math.min(from, to));
    made.style.setProperty('--span', Math.abs(to - from));
    return made;
  }

  function step(className, [from, to], text, description) {
    const says = element('span', 'says', element('span', '', ...text));
    return between([from, to], element('span', `step ${className}`, element('span', 'hidden', description), says, element('span', 'arrow')));
  }

  function summary(request) {
    const [from, to] = lanes(request);
    const what = request.grant_type ?? messages(request);
    const { look, code, words } = reply(request);
    const go = step('go', [from, to], [element('span', 'verb', `${request.method} `), request.path, ' ', element('b', '', what)], `${LANES[from]} to ${LANES[to]}: `);
    const back = step(`back ${look}`, [from, to], [element('b', '', code), ` ${words}`], 'answer: ');
    const time = element('time', '', `${(request.at - begin).toFixed(2)} s`);
    const ladder = element('span', 'ladder', go, back);
    const struck = request.faults.map((it) => element('code', '', it));
    if (struck.length) ladder.append(between([from, to], element('span', 'step struck', 'fault ', ...struck)));
    return element('summary', '', time, ladder);
  }

  function facts(request) {
    const list = element('dl', 'facts');
    const fact = (name, value) => {
      if (value === null || value === undefined || value === '') return;
      list.append(element('dt', '', name), element('dd', '', value));
    };
    const lines = (pairs) => pairs.map(([name, value]) => `${name}: ${value}`).join('\n');
    fact('Arrived', new Date(request.at * 1000).toISOString());
    fact('Request', `${request.method} ${request.path}${request.query.length ? `?${request.query.map((it) => `${it}=…`).join('&')}` : ''}`);
    fact('Credential', request.credential.replaceAll('_', ' '));
    fact('Caller', request.caller);
    fact('Client', request.client_id);
    fact('Grant type', request.grant_type);
    fact('Refresh token', request.refresh_token);
    fact('Messages', request.messages.map((it) => `${it.method ?? 'response'}${it.tool ? ` ${it.tool}` : ''}${it.id === null ? '' : `, id ${it.id}`}`).join('\n'));
    fact('Headers', lines(request.headers));
    fact('Answer', request.status === null ? 'none yet' : `${request.status} ${WORDS[request.status] ?? ''}`);
    fact('Its headers', lines(request.answer));
    fact('Faults', request.faults.join('\n'));
    return list;
  }

  const fits = (request) => JSON.stringify(request).toLowerCase().includes($('filter').value.trim().toLowerCase());

  function draw(request) {
    if (request.number <= hiddenUpTo) return;
    const known = shown.get(request.number);
    begin ??= request.at;
    const details = element('details', '', summary(request), facts(request));
    const item = element('li', '', details);
    item.hidden = !fits(request);
    if (known) {
      details.open = known.item.querySelector('details').open;
      const focused = known.item.contains(document.activeElement);
      known.item.replaceChildren(details);
      known.item.hidden = item.hidden;
      known.request = request;
      if (focused) details.querySelector('summary').focus();
      return;
    }
    const last = [...shown.values()].at(-1)?.request;
    if (last && PAUSE_WORTH_TELLING < request.at - last.at) {
      item.prepend(element('div', 'later', `${Math.round(request.at - last.at)} s later`));
    }
    const atEnd = document.documentElement.scrollHeight - innerHeight - scrollY < 80;
    shown.set(request.number, { request, item });
    $('requests').append(item);
    $('nothing').hidden = true;
    if (shown.size > MOST) {
      const [oldest, { item: gone }] = shown.entries().next().value;
      shown.delete(oldest);
      gone.remove();
    }
    if (atEnd && scrollY) scrollTo(0, document.documentElement.scrollHeight);
  }

  function clear() {
    shown.clear();
    $('requests').replaceChildren();
    $('nothing').hidden = false;
    hiddenUpTo = -1;
    begin = null;
  }

  // --- Faults and events

  function orders(faults) {
    $('ordered').replaceChildren(...faults.map((it) => {
      const often = it.struck === 1 ? 'struck once' : it.struck ? `struck ${it.struck} times` : 'has not struck yet';
      return element('li', /#1$/.test(it.fault) && it.struck ? 'spent' : '', element('code', '', it.fault), element('small', '', often));
    }));
    $('calm').hidden = faults.length > 0;
    $('forget').hidden = faults.length === 0;
  }

  function problem(text) {
    $('problem').textContent = text;
    $('problem').hidden = !text;
  }

  $('order').addEventListener('submit', async (event) => {
    event.preventDefault();
    const typed = $('fault').value.trim();
    // Who writes how often does not mean the choice below.
    const times = /[#%]\d/.test(typed) ? '' : new FormData(event.target).get('times');
    try {
      orders(await (await send('/__mock/faults', `${typed}${times}`)).json());
      $('fault').value = '';
      $('fault').dispatchEvent(new Event('input'));
    } catch (refused) {
      problem(refused.message);
    }
  });
  $('forget').addEventListener('click', async () => {
    await ask('/__mock/faults', { method: 'DELETE' });
    orders([]);
    $('fault').focus();
  });
  const happen = (path, body) => async (event) => {
    if (!event.target.value) return;
    await send(path, body(event.target.value));
    for (const it of document.querySelectorAll('.happened')) it.textContent = '';
    event.target.closest('section').querySelector('.happened').textContent = `${event.target.textContent}: done.`;
  };
  $('acts').addEventListener('click', happen('/__mock/act', (it) => it));
  $('advance').addEventListener('click', happen('/__mock/clock', (it) => JSON.stringify({ advance: Number(it) })));

  // --- The tools above the diagram

  $('filter').addEventListener('input', () => {
    for (const { request, item } of shown.values()) item.hidden = !fits(request);
  });
  $('pause').addEventListener('click', () => {
    paused = !paused;
    $('pause').setAttribute('aria-pressed', paused);
    state(paused ? 'Paused' : 'Live', paused ? '' : 'on');
  });
  $('clear').addEventListener('click', () => {
    const last = [...shown.keys()].at(-1) ?? hiddenUpTo;
    clear();
    hiddenUpTo = last;
  });

  // --- The way in

  function enter() {
    sessionStorage.removeItem('token');
    $('view').hidden = true;
    $('entry').hidden = false;
    $('token').focus();
    state('A token is needed');
  }

  async function open() {
    let about;
    try {
      about = await (await ask('/__mock/about')).json();
    } catch {
      return enter();
    }
    sessionStorage.setItem('token', token);
    $('entry').hidden = true;
    $('view').hidden = false;
    $('dashboard').href = about.web;
    $('dashboard').hidden = false;
    $('endpoints').replaceChildren(...Object.entries(about.endpoints).flatMap(([org, { sse, http }]) => [
      element('dt', '', org), element('dd', '', element('code', '', sse)), element('dt', ''), element('dd', '', element('code', '', http)),
    ]));
    $('known').replaceChildren(...about.faults.map((it) => {
      const option = element('option', '', `${it.name}${it.argument}: ${it.about}`);
      option.value = it.name;
      return option;
    }));
    $('fault').addEventListener('input', () => {
      const name = $('fault').value.split(/[=@#%]/)[0];
      const known = about.faults.find((it) => it.name === name);
      const code = element('code', '', known ? `${known.name}${known.argument}` : 'NAME[=ARGUMENT][@ROUTE]');
      $('about').replaceChildren(code, known ? ` ${known.about}` : '');
      problem('');
    });
    return watch();
  }

  $('entry').addEventListener('submit', (event) => {
    event.preventDefault();
    token = $('token').value.trim();
    $('token').value = '';
    open();
  });
  token = location.hash.slice(1) || sessionStorage.getItem('token') || '';
  // The address bar and the history need not keep it.
  if (location.hash) history.replaceState(null, '', location.pathname);
  if (token) open();
  else enter();
})();
