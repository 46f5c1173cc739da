'use strict';
for (const button of document.querySelectorAll('[data-copy]')) {
  const source = document.getElementById(button.dataset.copy);
  const say = (text) => {
    const before = button.dataset.label ??= button.textContent;
    button.textContent = text;
    setTimeout(() => { button.textContent = before; }, 2000);
  };
  button.addEventListener('click', async () => {
    try {
      await navigator.clipboard.writeText(source.textContent);
      say('Copied');
    } catch {
      // Browsers lend the clipboard to HTTPS and to this machine only: the person may press Ctrl+C.
      getSelection().selectAllChildren(source);
      say('Selected');
    }
  });
}
